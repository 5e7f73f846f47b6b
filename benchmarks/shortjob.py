"""A request of 6 steps that arrives while a request of 60 steps runs, against running them one after the other.

It is sent while the long request runs its second step. In a serial engine it would wait for all the remaining steps.
"""

import asyncio
import sys
import time
from statistics import median

import msgspec
import torch

from benchmarks.asking import Asking, Stock, demo
from benchmarks.batching import mixed
from benchmarks.measure import report
from inference.contract.request import PictureRequest, Step
from inference.contract.settings import EngineSettings

REPEATS = 7

#: The promise: the short request takes at most a quarter of the time.
LEAST_RATIO = 4.0


async def _overtake(engine: Asking, long: PictureRequest, short: PictureRequest) -> tuple[float, bool]:
    """Return the short request's seconds, and whether it ended first."""
    second_step = asyncio.Event()

    def heard(event: object) -> None:
        # The first step is done, so the second one is running.
        if isinstance(event, Step):
            second_step.set()

    running = asyncio.create_task(engine.follow(long, heard))
    await second_step.wait()
    sent = time.perf_counter()
    await engine.follow(short)
    seconds, first = time.perf_counter() - sent, not running.done()
    await running
    return seconds, first


def _one_at_a_time(stock: Stock, long: PictureRequest, short: PictureRequest) -> float:
    began = time.perf_counter()
    stock.paint(long)
    whole = time.perf_counter() - began
    began = time.perf_counter()
    stock.paint(short)
    return whole * (long.steps - 1) / long.steps + time.perf_counter() - began


def main() -> int:
    """Measure and report; the exit status tells whether the promise was kept."""
    model_info = demo()
    stock = Stock(model_info, "cpu", torch.float32)
    one, other = mixed(model_info, model_info.defaults.width, model_info.defaults.height, b"")[:2]
    long, short = (msgspec.structs.replace(request, steps=steps) for request, steps in ((one, 60), (other, 6)))
    ours, peer, always = [], [], True
    with Asking(EngineSettings(devices=("cpu",)), {model_info.name: model_info}) as engine:
        engine.paint([short, short])
        stock.paint(short)
        for _ in range(REPEATS):
            seconds, first = engine.call(_overtake(engine, long, short))
            ours.append(seconds)
            always = always and first
            peer.append(_one_at_a_time(stock, long, short))
    ratio = median(peer) / median(ours)
    report(ratio=ratio, always_first=always, ours=median(ours), peer=median(peer), slowest=max(ours), promised=LEAST_RATIO)
    return 0 if ratio >= LEAST_RATIO and always else 1


if __name__ == "__main__":
    sys.exit(main())

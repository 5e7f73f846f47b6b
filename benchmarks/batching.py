"""16 mixed requests through the engine, against stock pipelines called one by one.

The requests have 8 to 24 steps and five schedulers, and a quarter are image to image. Every image is compared with the image of the stock
pipeline.
"""

import sys

import torch

from benchmarks.asking import Asking, Stock, demo, farthest
from benchmarks.measure import race, report
from inference.contract.inputs import Input, Role
from inference.contract.model_info import ModelInfo
from inference.contract.request import PictureRequest, Prompt
from inference.contract.settings import EngineSettings
from inference.images.encode import png

SCHEDULERS = ("euler", "dpm++ 2m", "heun", "euler a", "ddim")
WORDS = ("a large red circle", "a blue star", "a green house", "a small pink heart")

#: The promise: at least this many times as fast, and no pixel differs by more than this.
LEAST_RATIO, MOST_OFF = 2.0, 2


def mixed(model_info: ModelInfo, width: int, height: int, source: bytes) -> list[PictureRequest]:
    """Return the 16 requests, each from a different user."""
    return [
        PictureRequest(
            prompt=Prompt.plain(f"{WORDS[number % 4]} on a white background"),
            model=model_info.name,
            width=width,
            height=height,
            steps=8 + (number * 7) % 17,
            guidance=5.0,
            scheduler=SCHEDULERS[number % len(SCHEDULERS)],
            seed=100 + number,
            inputs=(Input(Role.INIT, source),) if number % 4 == 3 else (),
            strength=0.6,
            share=f"person {number}",
        )
        for number in range(16)
    ]


def main() -> int:
    """Measure and report; the exit status tells whether the promise was kept."""
    model_info = demo()
    side = model_info.defaults.width
    stock = Stock(model_info, "cpu", torch.float32)
    with Asking(EngineSettings(devices=("cpu",)), {model_info.name: model_info}) as engine:
        source = png(engine.paint(mixed(model_info, side, side, b"")[:1])[0])
        requests = mixed(model_info, side, side, source)
        off = farthest(engine.paint(requests), [stock.paint(request) for request in requests])
        run = race(lambda: engine.paint(requests), lambda: [stock.paint(request) for request in requests], repeats=5)
    report(ratio=run.ratio, farthest_pixel=off, ours=run.ours, peer=run.peer, promised=LEAST_RATIO)
    return 0 if run.ratio >= LEAST_RATIO and off <= MOST_OFF else 1


if __name__ == "__main__":
    sys.exit(main())

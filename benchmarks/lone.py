"""One lone request through the engine, including worker process and encoding, against the bare pipeline call."""

import sys

import torch

from benchmarks.asking import Asking, Stock, demo
from benchmarks.batching import mixed
from benchmarks.measure import race, report
from inference.contract.settings import EngineSettings

#: The promise: a user who is alone is not slowed down by what makes batches fast.
LEAST_RATIO = 0.97


def main() -> int:
    """Measure and report; the exit status tells whether the promise was kept."""
    model_info = demo()
    stock = Stock(model_info, "cpu", torch.float32)
    request = mixed(model_info, model_info.defaults.width, model_info.defaults.height, b"")[2]
    with Asking(EngineSettings(devices=("cpu",)), {model_info.name: model_info}) as engine:
        run = race(lambda: engine.paint([request]), lambda: stock.paint(request), repeats=21)
    report(ratio=run.ratio, steps=request.steps, ours=run.ours, peer=run.peer, promised=LEAST_RATIO)
    return 0 if run.ratio >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())

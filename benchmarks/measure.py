"""The measuring tool of all benchmarks: two callables take turns, and their medians are compared."""

import json
import math
import statistics
import time
from collections.abc import Callable

import msgspec


class Timing(msgspec.Struct, frozen=True):
    """Seconds per call: the median of the repeats, and the width of the middle half of them, as a share of the median."""

    median: float
    spread: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Timing":
        """Return the median and the spread of some repeats."""
        low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(middle, (high - low) / middle)


class Race(msgspec.Struct, frozen=True):
    """Ours and the peer, timed in turns."""

    ours: Timing
    peer: Timing

    @property
    def ratio(self) -> float:
        """Return how many times as fast as the peer ours is."""
        return self.peer.median / self.ours.median


def race(
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    repeats: int = 7,
    at_least: float = 0.02,
    clock: Callable[[], float] = time.perf_counter,
) -> Race:
    """Return the timings of both callables, called in turns.

    A repeat of a quick callable calls it as often as it takes to fill about `at_least` seconds. The first call of each is a warm-up and is
    not counted.
    """
    if repeats < 5:
        raise ValueError(f"at least 5 repeats are needed for a median that means something, not {repeats}")
    calls = [_calls(one, at_least, clock) for one in (ours, peer)]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for one, number, kept in zip((ours, peer), calls, seconds, strict=True):
            kept.append(_seconds(one, number, clock))
    return Race(Timing.of(seconds[0]), Timing.of(seconds[1]))


def report(*, ratio: float | None, **figures: object) -> None:
    """Print the result as one JSON object, ratio first; this must be the last output of a benchmark."""
    told = {"ratio": ratio, **figures}
    print(json.dumps({name: _short(figure) for name, figure in told.items()}), flush=True)


def _calls(one: Callable[[], object], at_least: float, clock: Callable[[], float]) -> int:
    one()
    return max(1, math.ceil(at_least / max(_seconds(one, 1, clock), 1e-7)))


def _seconds(one: Callable[[], object], number: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(number):
        one()
    return (clock() - start) / number


def _short(figure: object) -> object:
    """Return the figure with four significant digits, also inside containers."""
    if isinstance(figure, float):
        return float(f"{figure:.4g}")
    if isinstance(figure, dict):
        return {str(name): _short(one) for name, one in figure.items()}
    if isinstance(figure, list | tuple):
        return [_short(one) for one in figure]
    if isinstance(figure, msgspec.Struct):
        return _short(msgspec.to_builtins(figure))
    return figure

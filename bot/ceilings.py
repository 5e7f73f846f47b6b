"""Ceilings: the most that something may be, as people write them for presets and for places: `steps=30, count=2`."""

import math
from collections.abc import Iterator, Mapping

from bot.errors import BadInput

#: What can have one.
BOUNDED = ("steps", "guidance", "count", "strength")

#: Of what is wrong so much is shown.
_LONGEST_SHOWN = 40


def told(most: Mapping[str, float]) -> str:
    """Return ceilings as they are written: `steps=30, count=2`."""
    return ", ".join(f"{name}={value:g}" for name, value in most.items())


def read(said: str) -> dict[str, float]:
    """Return ceilings from `steps=30, count=2`; raises `BadInput`."""
    return dict(_read(said))


def is_one(value: float) -> bool:
    """Return whether something can be a ceiling: nothing fits under one that is not above nothing."""
    return math.isfinite(value) and value > 0


def _read(said: str) -> Iterator[tuple[str, float]]:
    for one in filter(None, (part.strip() for part in said.split(","))):
        name, _, said_value = one.partition("=")
        try:
            value = float(said_value)
        except ValueError:
            value = math.nan
        if not is_one(value):
            raise BadInput("input-preset-ceiling", given=one[:_LONGEST_SHOWN])
        yield name.strip().casefold(), value

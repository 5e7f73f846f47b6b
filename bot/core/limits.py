"""Ceilings: the most that something may be, as people write them for presets and for places: `steps=30, count=2`."""

import math
from collections.abc import Collection, Iterator, Mapping

from bot.core.errors import BadInput

#: Of what is wrong so much is shown.
_LONGEST_SHOWN = 40


def told(most: Mapping[str, float]) -> str:
    """Return ceilings as they are written: `steps=30, count=2`."""
    return ", ".join(f"{name}={value:g}" for name, value in most.items())


def read(said: str, whole: Collection[str]) -> dict[str, float]:
    """Return ceilings from `steps=30, count=2`, those of `whole` being whole numbers; raises `BadInput`."""
    return dict(_read(said, whole))


def is_one(name: str, value: float, whole: Collection[str]) -> bool:
    """Return whether something can be a ceiling: nothing fits under one that is not above nothing, and there are no half steps."""
    return math.isfinite(value) and value > 0 and (name not in whole or value == int(value))


def lower(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return the ceilings of two who each have some: the lower ones."""
    return {name: min(one.get(name, math.inf), other.get(name, math.inf)) for name in (*one, *other)}


def _read(said: str, whole: Collection[str]) -> Iterator[tuple[str, float]]:
    for one in filter(None, (part.strip() for part in said.split(","))):
        name, _, said_value = one.partition("=")
        try:
            found = name.strip().casefold(), float(said_value)
        except ValueError:
            found = "", math.nan
        if not is_one(*found, whole):
            raise BadInput("input-preset-ceiling", given=one[:_LONGEST_SHOWN])
        yield found

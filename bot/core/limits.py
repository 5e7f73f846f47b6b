"""Limits: the tiers of users, the operator's policy, and the limits of channels and presets such as `steps=30, count=2`. Pure.

Credits are counted in thousandths everywhere, as whole numbers: sums of them are exact.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from bot.core.errors import BadInput

#: Characters of wrong input that an error message repeats.
_LONGEST_SHOWN = 40


def told(most: Mapping[str, float]) -> str:
    """Return limits in their written form: `steps=30, count=2`."""
    return ", ".join(f"{name}={value:g}" for name, value in most.items())


def read(said: str, whole: Collection[str]) -> dict[str, float]:
    """Return the limits in a text such as `steps=30, count=2`; those named in `whole` are whole numbers. Raises `BadInput`."""
    return dict(_read(said, whole))


def is_one(name: str, value: float, whole: Collection[str]) -> bool:
    """Return whether a value can be a limit: it is positive and finite, and a whole number if the field is one."""
    return math.isfinite(value) and value > 0 and (name not in whole or value == int(value))


def lower(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return the combination of two sets of limits: of each field the lower limit."""
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


#: Thousandths in a credit.
WHOLE = 1000


class Tier(msgspec.Struct, frozen=True):
    """The allowance of a class of users: `credits` a day in thousandths (None: no limit), `weight` in the fair queue, and open requests."""

    credits: int | None = None
    weight: float = 1.0
    most_open: int = 100


class Policy(msgspec.Struct, frozen=True):
    """The operator's rules. `tiers` by name; the one without a name is the default. `channel` are thousandths a day for a channel."""

    tiers: Mapping[str, Tier] = msgspec.field(default_factory=lambda: {"": Tier()})
    channel: int | None = None
    zone: str = "UTC"

    def tier(self, name: str) -> Tier:
        """Return a tier by name; for a name that the operator has removed, the default tier."""
        return self.tiers.get(name) or self.tiers[""]

    def day(self, moment: datetime) -> str:
        """Return the date of a moment in the operator's time zone, such as `2026-11-21`."""
        return moment.astimezone(ZoneInfo(self.zone)).date().isoformat()


def charge(credits: int, share: float) -> int:
    """Return how much of a hold is captured after a `share` of the work (0 to 1) was done: whole thousandths, rounded down."""
    return max(0, min(credits, int(credits * share)))

"""Who may ask for how much: tiers, days, and what of a hold is kept at the end. Pure.

Credits are counted in thousandths everywhere, as whole numbers: sums of them are exact.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

#: Thousandths in a credit.
WHOLE = 1000


class Tier(msgspec.Struct, frozen=True):
    """What a kind of person gets: `credits` a day in thousandths (None: no limit), `weight` of their turn, and open requests at a time."""

    credits: int | None = None
    weight: float = 1.0
    most_open: int = 100


class Policy(msgspec.Struct, frozen=True):
    """The operator's rules. `tiers` by name, of which the one without a name is everybody's; `place`: thousandths a day for a group."""

    tiers: Mapping[str, Tier] = msgspec.field(default_factory=lambda: {"": Tier()})
    channel: int | None = None
    zone: str = "UTC"

    def tier(self, name: str) -> Tier:
        """Return a tier by name; a name that the operator took away is everybody's."""
        return self.tiers.get(name) or self.tiers[""]

    def day(self, moment: datetime) -> str:
        """Return the operator's day of a moment, such as `2026-11-21`."""
        return moment.astimezone(ZoneInfo(self.zone)).date().isoformat()


def charge(credits: int, share: float) -> int:
    """Return what of a hold is taken when a `share` of the work (0 to 1) was done: whole thousandths, rounded down."""
    return max(0, min(credits, int(credits * share)))

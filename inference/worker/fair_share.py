"""Decides which share runs the next step on a device: start-time fair queueing (Goyal, Vin, Cheng), at step granularity.

Has no side effects and imports no torch. A share is the account that the device time is charged to (a user). Its tag is its device
time divided by its weight, on a clock that idle shares do not fall behind. The smallest tag goes first. So for two shares
that both have work throughout, |W_f/w_f - W_g/w_g| never exceeds c_f/w_f + c_g/w_g, where W is the device time and c the largest
single charge, regardless of how many requests each share has.
"""


class FairShare:
    """Tags of the shares that have work on this device."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._tags: dict[str, float] = {}
        self._work: dict[str, int] = {}

    def join(self, share: str) -> None:
        """Add a request of this share; a share that was idle starts at the clock."""
        self._work[share] = self._work.get(share, 0) + 1
        self._tags[share] = max(self._tags.get(share, 0.0), self._clock)

    def leave(self, share: str) -> None:
        """Remove a request of this share; its tag is kept until the clock has passed it."""
        self._work[share] -= 1
        if not self._work[share]:
            del self._work[share]
        self._tags = {name: tag for name, tag in self._tags.items() if name in self._work or tag > self._clock}

    def tag(self, share: str) -> float:
        """Return a share's start tag; the smallest runs first."""
        return self._tags[share]

    def charge(self, share: str, seconds: float, weight: float) -> None:
        """Charge device time to a share, and advance the clock to the smallest tag of the shares with work."""
        self._tags[share] += seconds / weight
        waiting = [self._tags[name] for name in self._work]
        self._clock = max(self._clock, min(waiting, default=self._clock))

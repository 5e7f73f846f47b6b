"""Whose step is next on one device: start-time fair queueing (Goyal, Vin, Cheng) over shares, at step granularity.

Pure and free of torch. A share is whoever pays for the time (a person); its tag is the device time it has had, divided by its
weight, on a clock that idle shares do not fall behind. The smallest tag goes first, so for two shares that both wait
throughout, |W_f/w_f - W_g/w_g| never exceeds c_f/w_f + c_g/w_g, where c is the largest single charge: however many
requests either of them has.
"""


class FairShare:
    """Tags of the shares that have work on this device."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._tags: dict[str, float] = {}
        self._work: dict[str, int] = {}

    def join(self, share: str) -> None:
        """One more piece of work of this share is there; one that was idle starts at the clock."""
        self._work[share] = self._work.get(share, 0) + 1
        self._tags[share] = max(self._tags.get(share, 0.0), self._clock)

    def leave(self, share: str) -> None:
        """One piece of work of this share has ended; its tag is kept until the clock has passed it."""
        self._work[share] -= 1
        if not self._work[share]:
            del self._work[share]
        self._tags = {name: tag for name, tag in self._tags.items() if name in self._work or tag > self._clock}

    def tag(self, share: str) -> float:
        """Return a share's start tag: smallest first."""
        return self._tags[share]

    def charge(self, share: str, seconds: float, weight: float) -> None:
        """Book device time on a share, and move the clock to the smallest tag that still has work."""
        self._tags[share] += seconds / weight
        waiting = [self._tags[name] for name in self._work]
        self._clock = max(self._clock, min(waiting, default=self._clock))

"""How many rows go into one forward pass: learned from measured times, for each kind of call. Free of torch.

A larger batch is kept only while it raises throughput. Sizes double from small; the best of the last times is what counts,
because everything that disturbs a measurement makes it longer.
"""

from collections import defaultdict, deque
from collections.abc import Hashable

#: What doubling must gain to be kept: below that a larger batch only makes everybody's step longer.
GAIN = 1.06

#: Times that are remembered for a size, and how many are wanted before it is judged (the first has warm-up in it).
KEPT, WANTED = 12, 2

#: After so many passes the next size is tried again: the machine may have been busy when it lost.
RETRY = 64


class BatchSize:
    """Learned batch sizes up to `most` rows."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._times: dict[tuple[Hashable, int], deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._ceilings: dict[Hashable, int] = {}
        self._passes: dict[Hashable, int] = defaultdict(int)

    @staticmethod
    def size_of(rows: int) -> int:
        """Return the power of two that `rows` is measured under."""
        return 1 << max(0, rows - 1).bit_length()

    def rows(self, key: Hashable) -> int:
        """Return how many rows of this kind may go together now."""
        size = 2
        while size < self.most and self._pays(key, size):
            size *= 2
        if self._passes[key] and self._passes[key] % RETRY == 0:
            size *= 2
        return max(1, min(size, self.most, self._ceilings.get(key, self.most)))

    def _pays(self, key: Hashable, size: int) -> bool:
        """Return whether twice `size` is worth keeping, or may be tried because `size` itself is known."""
        now, larger = self._times[key, size], self._times[key, size * 2]
        if len(larger) < WANTED:
            return len(now) >= WANTED
        return min(now, default=float("inf")) * 2 >= min(larger) * GAIN

    def measured(self, key: Hashable, rows: int, seconds: float) -> None:
        """Remember how long a pass of `rows` rows took."""
        self._passes[key] += 1
        size = self.size_of(rows)
        self._times[key, size].append(seconds * size / rows)

    def too_large(self, key: Hashable, rows: int) -> None:
        """Remember that `rows` did not fit into memory."""
        self._ceilings[key] = max(1, min(rows // 2, self._ceilings.get(key, self.most)))

"""Learns the number of rows of a forward pass from measured times, for each kind of call. Imports no torch.

A larger batch is kept only while it raises throughput. Sizes start small and double. The shortest of the last times counts,
because any disturbance makes a measurement longer.
"""

from collections import defaultdict, deque
from collections.abc import Hashable

#: The throughput factor that doubling must reach to be kept: below it a larger batch only makes every request's step longer.
GAIN = 1.06

#: The number of times kept for a size, and the number needed before it is judged (the first includes warm-up).
KEPT, WANTED = 12, 2

#: The number of passes after which the next size is tried again: the machine may have been busy when it was rejected.
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
        """Return the size under which `rows` is measured: the next power of two."""
        return 1 << max(0, rows - 1).bit_length()

    def rows(self, key: Hashable) -> int:
        """Return how many rows of this kind may share a pass now."""
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
        """Record how long a pass of `rows` rows took."""
        self._passes[key] += 1
        size = self.size_of(rows)
        self._times[key, size].append(seconds * size / rows)

    def too_large(self, key: Hashable, rows: int) -> None:
        """Record that `rows` did not fit into memory, so at most half as many are tried from now on."""
        self._ceilings[key] = max(1, min(rows // 2, self._ceilings.get(key, self.most)))

"""How many messages are too many: for each chat, for each group, and for all together."""

import time
from dataclasses import dataclass, field

from tests.emulators.telegram.errors import too_many


@dataclass
class Limits:
    """What Telegram recommends not to exceed; None for no limit. A minute may be made shorter, all else follows."""

    group: int | None = 20  # a minute, in one group
    chat: int | None = 1  # a second, in one chat
    burst: int = 3  # as many at once before that counts
    overall: int | None = 30  # a second


@dataclass
class _Bucket:
    """So many at once, and so many more a second; an album may take more than there are, as long as there is one."""

    size: float
    pace: float
    left: float = 0.0
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        self.left = self.size

    def seconds(self):
        """Return how long to wait until there is one."""
        now = time.monotonic()
        self.left, self.at = min(self.size, self.left + (now - self.at) * self.pace), now
        return max(0.0, (1 - self.left) / self.pace)


class Flood:
    """What was sent in the last moments."""

    def __init__(self):
        self._buckets = {}

    def clear(self):
        """Forget all that was sent."""
        self._buckets.clear()

    def take(self, limits, chat, cost, minute):
        """Count messages to a chat; refuse what is too soon."""
        second = minute / 60
        wanted = [("overall", limits.overall, limits.overall, second)] if limits.overall else []
        if limits.chat:
            wanted.append((("chat", chat.id), limits.burst, limits.chat, second))
        if limits.group and not chat.user:
            wanted.append((("group", chat.id), limits.group, limits.group, minute))
        found = [self._buckets.setdefault(key, _Bucket(size, pace / per)) for key, size, pace, per in wanted]
        wait = max((one.seconds() for one in found), default=0.0)
        if wait > 0:
            raise too_many(wait)
        for one in found:
            one.left -= cost

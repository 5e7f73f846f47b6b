"""Rate limits on messages: for each chat, for each group, and in total."""

import time
from dataclasses import dataclass, field

from tests.emulators.telegram.errors import too_many


@dataclass
class Limits:
    """Telegram's recommended limits; None means no limit. A test may shorten the minute, which scales all limits."""

    group: int | None = 20  # per minute in a group
    chat: int | None = 1  # per second in a chat
    burst: int = 3  # messages to a chat at once, before that limit applies
    overall: int | None = 30  # per second


@dataclass
class _Bucket:
    """A token bucket with a size and a refill rate per second; an album may take more tokens than are left if at least one is left."""

    size: float
    pace: float
    left: float = 0.0
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        self.left = self.size

    def seconds(self):
        """Return the seconds until there is a token."""
        now = time.monotonic()
        self.left, self.at = min(self.size, self.left + (now - self.at) * self.pace), now
        return max(0.0, (1 - self.left) / self.pace)


class Flood:
    """The token buckets of recent messages."""

    def __init__(self):
        self._buckets = {}

    def clear(self):
        """Forget all recent messages."""
        self._buckets.clear()

    def take(self, limits, chat, cost, minute):
        """Count messages to a chat; refuse them if they exceed a limit."""
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

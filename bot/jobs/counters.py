"""Count events since this process began, for the operator. No count identifies a user."""

import re
from collections import Counter

#: The most distinct keys that are counted; platforms name their own reasons, and unlimited keys would fill the metrics store.
_MOST_KINDS = 50

_UNUSUAL = re.compile(r"[^\w.-]+", re.ASCII)


class Counters:
    """Completed jobs, failed jobs by problem key, and failed deliveries by reason."""

    def __init__(self) -> None:
        self.done = 0
        self.failed: Counter[str] = Counter()
        self.not_sent: Counter[str] = Counter()

    def count_done(self) -> None:
        """Count a job whose pictures are stored."""
        self.done += 1

    def count_failed(self, key: str) -> None:
        """Count a job that failed."""
        _count(self.failed, key)

    def count_not_sent(self, reason: str) -> None:
        """Count a delivery attempt that failed."""
        _count(self.not_sent, reason)


def _count(counts: Counter[str], kind: str) -> None:
    name = _UNUSUAL.sub("-", kind)[:40] or "unknown"
    counts[name if name in counts or len(counts) < _MOST_KINDS else "other"] += 1

"""What has happened since this process began: counts for whoever runs it. They say nothing of any person."""

import re
from collections import Counter

#: Kinds that are told apart; platforms name reasons of their own, and a new one each time would fill whatever keeps the counts.
_MOST_KINDS = 50

_UNUSUAL = re.compile(r"[^\w.-]+", re.ASCII)


class Counters:
    """Jobs that were done and that failed, by their problems' keys, and deliveries that did not arrive, by their reasons."""

    def __init__(self) -> None:
        self.done = 0
        self.failed: Counter[str] = Counter()
        self.not_sent: Counter[str] = Counter()

    def count_done(self) -> None:
        """Count a job whose pictures are kept."""
        self.done += 1

    def count_failed(self, key: str) -> None:
        """Count a job that failed."""
        _count(self.failed, key)

    def count_not_sent(self, reason: str) -> None:
        """Count an attempt at a delivery that did not arrive."""
        _count(self.not_sent, reason)


def _count(counts: Counter[str], kind: str) -> None:
    name = _UNUSUAL.sub("-", kind)[:40] or "unknown"
    counts[name if name in counts or len(counts) < _MOST_KINDS else "other"] += 1

"""The lag of an event loop: how long ready tasks wait because other code blocks it."""

import asyncio
import json
import statistics
from array import array
from pathlib import Path

#: Seconds between two samples.
_EVERY = 0.02

#: The most samples to keep, about half an hour of them. They are allocated in advance, so they do not count as growth of memory.
_MOST = 100_000


class Lag:
    """Samples of the loop that it runs in; the results are written to `file` at the end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds = array("d", bytes(8 * _MOST))
        self._count = 0

    async def watch(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while self._count < _MOST:
                due = loop.time() + _EVERY
                await asyncio.sleep(_EVERY)
                self._seconds[self._count] = max(0.0, loop.time() - due)
                self._count += 1
        finally:
            self._file.write_text(json.dumps(self._told()), encoding="utf-8")

    def _told(self) -> dict[str, float]:
        seconds = sorted(self._seconds[: self._count]) or [0.0]
        p50, p99 = statistics.median(seconds), seconds[int(0.99 * (len(seconds) - 1))]
        return {"lag_p50_ms": p50 * 1000, "lag_p99_ms": p99 * 1000, "lag_most_ms": seconds[-1] * 1000}

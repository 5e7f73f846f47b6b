"""Commands per second, and how long each waits for its acknowledgement, while pictures are being generated all the time."""

import statistics
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.chatting import Served, Visitor
from benchmarks.measure import report

VISITORS, SECONDS = 8, 15.0

#: Seconds. A slower acknowledgement counts as a defect: platforms allow three seconds, and the network takes most of one.
LIMIT = 0.1

LINES = ("/queue", "/explain a red circle --steps 8", "/history circle", "/imagine a red circle --steps 2", "/help imagine")


def _busy(visitor: Visitor, until: float, waited: list[float]) -> None:
    turn = 0
    while time.perf_counter() < until:
        began = time.perf_counter()
        visitor.say(LINES[turn % len(LINES)])
        waited.append(time.perf_counter() - began)
        turn += 1
        # As fast as eight users who all type without a pause, and no faster: this measures waiting, not flooding.
        time.sleep(0.02)


def main() -> int:
    """Measure and report; the exit status tells whether the limit was kept."""
    with TemporaryDirectory() as folder, Served(Path(folder)) as served:
        visitors = [Visitor(served.port) for _ in range(VISITORS)]
        for visitor in visitors:
            visitor.enter()
        # The engine is busy before the measurement starts, and stays busy throughout.
        (job,) = visitors[0].say("/imagine a red circle --steps 60 --count 16")
        next(data for name, data in visitors[0].events() if name == "progress" and data["id"] == job)
        waited: list[float] = []
        until = time.perf_counter() + SECONDS
        threads = [threading.Thread(target=_busy, args=(visitor, until, waited)) for visitor in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        megabytes = served.megabytes()
    p99 = statistics.quantiles(waited, n=100)[98]
    report(
        ratio=LIMIT / p99,
        commands_per_second=len(waited) / SECONDS,
        p50_ms=statistics.median(waited) * 1000,
        p99_ms=p99 * 1000,
        commands=len(waited),
        chat_process_mb=megabytes,
        promised=1.0,
    )
    return 0 if p99 <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

"""Twenty commands a second from five hundred users through the chat page for five minutes, with an engine that takes almost no time.

Everything is the product's own except the worker processes, which generate a picture in 50 ms. Open pages receive the events of their jobs.
No command may fail, 99 of 100 commands must be answered within a quarter of a second, every job must be done at the end, and the chat
process must not grow by more than 20 MB after the first tenth of the time.
"""

import argparse
import asyncio
import json
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select

from benchmarks.chatting import PATIENCE, Served, Visitor
from benchmarks.measure import report
from benchmarks.standing.engine import PAINT_SECONDS
from bot.store.database import Database
from bot.store.tables.core import JobRow

RATE, PERSONS, PAGES, WORKERS = 20.0, 500, 20, 2

#: The promise: seconds to the answer in 99 of 100 cases, and megabytes of growth.
MOST_SECONDS, MOST_GROWTH = 0.25, 20.0

#: Nine of ten commands generate pictures.
LINES = (*["/imagine a red circle on blue"] * 6, *["/imagine two green squares --steps 20 --seed 7"] * 3, "/queue")


class Load:
    """Visitors who send lines in turn, and how long each line waited."""

    def __init__(self, served: Served, users: int) -> None:
        self._served = served
        self.visitors = [Visitor(served.port) for _ in range(users)]
        self.waited: list[float] = []
        self.accepted: list[str] = []
        self.errors: list[str] = []
        self.memory: list[tuple[float, float]] = []

    def enter(self) -> None:
        """Open the page of every visitor, and keep some pages open."""
        self.visitors[0].enter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Visitor.enter, self.visitors[1:]))
        for visitor in self.visitors[:PAGES]:
            threading.Thread(target=_follow, args=(visitor,), daemon=True).start()

    def run(self, seconds: float) -> None:
        """Send lines for this many seconds, at the same pace however long the answers take."""
        began = time.perf_counter()
        with ThreadPoolExecutor(64) as pool:
            for number in range(int(seconds * RATE)):
                if (early := began + number / RATE - time.perf_counter()) > 0:
                    time.sleep(early)
                pool.submit(self._say, self.visitors[number * 7 % len(self.visitors)], LINES[number % len(LINES)])
                if number % int(RATE) == 0:
                    self.memory.append((time.perf_counter() - began, self._served.megabytes()))

    def _say(self, visitor: Visitor, line: str) -> None:
        began = time.perf_counter()
        try:
            self.accepted += visitor.say(line)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}"[:200])
        self.waited.append(time.perf_counter() - began)

    def grown(self, seconds: float) -> tuple[float, float]:
        """Return the megabytes after the first tenth of the time, and at the end: the median of a tenth for each."""
        tenth = seconds / 10
        early = [size for moment, size in self.memory if tenth <= moment < 2 * tenth]
        late = [size for moment, size in self.memory if moment >= 9 * tenth]
        return statistics.median(early), statistics.median(late)


def _follow(visitor: Visitor) -> None:
    with suppress(OSError, ValueError):
        for _ in visitor.events():
            pass


async def _ended(folder: Path, jobs: int) -> Counter[str]:
    """Return how many jobs are in each state, once all are done or the wait takes too long."""
    async with Database(f"sqlite+aiosqlite:///{folder}/easel.db") as database:
        until = time.monotonic() + PATIENCE
        while True:
            async with database.read() as session:
                states = Counter(dict(list(await session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)))))
            if states["done"] >= jobs or time.monotonic() > until:
                return states
            await asyncio.sleep(0.2)


def main() -> int:
    """Measure and report; the exit status tells whether the promises were kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long")
    parser.add_argument("--users", "--persons", dest="users", type=int, default=PERSONS, help="how many speak")
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        with Served(folder, ("benchmarks.standing.web", str(WORKERS), str(PAINT_SECONDS), f"{folder}/lag")) as served:
            load = Load(served, given.users)
            load.enter()
            load.run(given.seconds)
            states = asyncio.run(_ended(folder, len(load.accepted)))
        lag = json.loads((folder / "lag").read_text(encoding="utf-8"))
    p99, (start, end) = statistics.quantiles(load.waited, n=100)[98], load.grown(given.seconds)
    kept = not load.errors and states == {"done": len(load.accepted)} and p99 <= MOST_SECONDS and end - start <= MOST_GROWTH
    for error, count in Counter(load.errors).most_common(5):
        print(f"{count} × {error}")
    report(
        ratio=MOST_SECONDS / p99,
        kept=kept,
        commands=len(load.waited),
        commands_per_second=len(load.waited) / given.seconds,
        users=given.users,
        errors=len(load.errors),
        jobs=dict(states),
        accept_p50_ms=statistics.median(load.waited) * 1000,
        accept_p99_ms=p99 * 1000,
        **lag,
        megabytes_at_start=start,
        megabytes_at_end=end,
        grown=end - start,
        promised=1.0,
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""A queue of a thousand, a hundred thousand and a million jobs: the cost of claiming a job, and of the other frequent operations.

Runs on SQLite and PostgreSQL, once with all jobs waiting and once with nearly all jobs ended; a user has about twenty. Sizes take turns, so
a busy machine slows all of them equally. A claim among a million jobs must cost at most twice as much as among a thousand. Its peer takes
the oldest job of the same table by a dedicated index, as a queue without fairness does.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import psycopg
from sqlalchemy import make_url, select, text, update

from benchmarks.measure import report
from benchmarks.standing.crowd import WAITERS, Crowd, crowded
from benchmarks.standing.processes import Server, postgresql
from bot.core.limits import Policy, Tier
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import LEASE, RUNNING, Job, Painted, job_of, jobs
from bot.store.store import Store
from bot.store.tables.core import JobRow

SIZES, SAMPLES = (1_000, 100_000, 1_000_000), 200

#: The promise for a claim: the median among the most jobs divided by the median among the fewest.
MOST_GROWTH = 2.0

#: Seconds in all for an operation: a slow operation is measured less often.
_SECONDS = 20.0

_PAINTED = Painted(index=0, seed=7, width=512, height=512, bytes=70, file="a" * 64 + ".png", thumbnail="b" * 64 + ".jpg")


class Bench:
    """The measured operations on one store, sample by sample."""

    def __init__(self, database: Database, crowd: Crowd, folder: Path) -> None:
        self._crowd = crowd
        self._database = database
        self._store = Store.of(database, BlobStore(str(folder)), Policy(tiers={"": Tier(credits=10**12)}))
        self._claimed: list[Job] = []
        self._waiting: list[Job] = []

    async def begin(self) -> None:
        """Choose the jobs to ask about, of users whose turn does not come soon."""
        wanted = jobs().where(JobRow.state == "waiting").order_by(JobRow.rank.desc()).limit(SAMPLES)
        async with self._database.read() as session:
            self._waiting = [job_of(row, position) for row, position in await session.execute(wanted)]

    async def first_come(self, _: int) -> None:
        """Lease the oldest job, which is all that a queue without fairness has to do."""
        async with self._database.write() as session:
            oldest = select(JobRow.id).where(text("job.state = 'waiting'")).order_by(JobRow.created).limit(1)
            job_id = await session.scalar(oldest.with_for_update(skip_locked=True))
            begun = {"state": RUNNING, "runner": "peer", "lease": self._database.moment(LEASE), "started": self._database.moment()}
            counted = {"attempt": JobRow.attempt + 1, "tries": JobRow.tries + 1}
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(begun | counted))
            job_of(*(await session.execute(jobs().where(JobRow.id == job_id))).one())

    async def claim(self, _: int) -> None:
        """Claim a job, with one of three models loaded."""
        job = await self._store.attempts.claim("bench", ("m0",))
        assert job is not None
        self._claimed.append(job)

    async def complete(self, number: int) -> None:
        """Store the pictures of a job, capture its hold and enqueue its delivery."""
        assert await self._store.attempts.finish(self._claimed[number], [_PAINTED], 1.0)

    async def cancel(self, number: int) -> None:
        """Cancel a waiting job."""
        await self._store.jobs.cancel(self._waiting[number].id)

    async def before(self, number: int) -> None:
        """Count the user's own jobs before a job."""
        await self._store.line.before(self._waiting[number])

    async def stands(self, _: int) -> None:
        """Read the state of the queue for all users; all ETAs are computed from it, and it is at most half a second old."""
        await self._store.line.stands()

    async def list(self, number: int) -> None:
        """List a user's open jobs."""
        await self._store.jobs.open_of(f"p{number % WAITERS}")

    async def position(self, number: int) -> None:
        """List the latest jobs of a channel, as opening a page does."""
        await self._store.jobs.of_channel(self._waiting[number].address, 20)

    async def are_books_right(self) -> bool:
        """Return whether all accounts equal the sums of their ledger entries."""
        return await ledger.mistakes(self._database) == ()


#: The order matters: only claimed jobs can be completed, and the jobs asked about must still wait.
OPERATIONS: tuple[Callable[[Bench, int], Awaitable[None]], ...] = (
    *(Bench.before, Bench.stands, Bench.list, Bench.position),
    *(Bench.first_come, Bench.claim, Bench.complete, Bench.cancel),
)

#: Operations that take turns with each other because they are compared.
_TOGETHER = {Bench.first_come: Bench.claim}


async def sampled(benches: Sequence[Bench], operations: Sequence[Callable[[Bench, int], Awaitable[None]]]) -> list[list[list[float]]]:
    """Return the seconds of each sample, by operation and by bench; all of them take turns."""
    seconds: list[list[list[float]]] = [[[] for _ in benches] for _ in operations]
    for number in range(SAMPLES):
        for bench, position in zip(benches, range(len(benches)), strict=True):
            for operation, taken in zip(operations, seconds, strict=True):
                if sum(taken[position]) < _SECONDS:
                    began = time.perf_counter()
                    await operation(bench, number)
                    taken[position].append(time.perf_counter() - began)
    return seconds


async def measured(urls: Sequence[str], crowds: Sequence[Crowd], folder: Path) -> tuple[dict[str, dict[str, object]], bool]:
    """Return the figures of each operation, and whether the books were right afterwards."""
    async with AsyncExitStack() as stack:
        benches = []
        for url, crowd in zip(urls, crowds, strict=True):
            began = time.perf_counter()
            database = await stack.enter_async_context(crowded(url, crowd))
            benches.append(Bench(database, crowd, folder / "files"))
            await benches[-1].begin()
            print(f"  {crowd.rows:>9,} jobs of {crowd.users:,} persons in {time.perf_counter() - began:.0f} s", flush=True)
        figures: dict[str, dict[str, object]] = {}
        for operation in OPERATIONS:
            if operation in _TOGETHER.values():
                continue
            together = [operation, _TOGETHER[operation]] if operation in _TOGETHER else [operation]
            for one, seconds in zip(together, await sampled(benches, together), strict=True):
                figures[one.__name__] = told(one.__name__, seconds)
        return figures, all([await bench.are_books_right() for bench in benches])


def told(name: str, seconds: list[list[float]]) -> dict[str, object]:
    """Print the figures of an operation, a column for each size, and return them."""
    medians = [statistics.median(one) * 1000 for one in seconds]
    p99s = [sorted(one)[int(0.99 * (len(one) - 1))] * 1000 for one in seconds]
    columns = "  ".join(f"{median:9.2f} {p99:9.2f}" for median, p99 in zip(medians, p99s, strict=True))
    print(f"  {name:12} {columns}   growth {medians[-1] / medians[0]:.2f}", flush=True)
    return {"median_ms": medians, "p99_ms": p99s, "growth": medians[-1] / medians[0]}


def addresses(kind: str, count: int, folder: Path, server: Server | None) -> list[str]:
    """Create blank databases and return their URLs."""
    if server is None:
        return [f"sqlite+aiosqlite:///{folder}/{kind} {number}.db" for number in range(count)]
    url, names = make_url(server.url), [f"{kind.replace(' ', '_')}_{number}" for number in range(count)]
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(), autocommit=True) as connection:
        for name in names:
            connection.execute(f'CREATE DATABASE "{name}"')
    return [url.set(database=name).render_as_string() for name in names]


def main() -> int:
    """Measure and report; the exit status tells whether the promise was kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many jobs, from few to many")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="one of the databases")
    given = parser.parse_args()
    figures: dict[str, object] = {}
    growths, kept = [], True
    for server_name in ("sqlite", "postgresql"):
        if given.only not in (None, server_name) or (server_name == "postgresql" and postgresql() is None):
            continue
        for all_wait in (True, False):
            found, right = one_mix(server_name, [Crowd(rows, all_wait) for rows in given.sizes])
            growths.append(found["claim"]["growth"])
            kept = kept and right
            figures[f"{server_name}, {'all waiting' if all_wait else 'mostly over'}"] = found
    kept = kept and max(growths) <= MOST_GROWTH
    report(ratio=MOST_GROWTH / max(growths), kept=kept, claim_growth=max(growths), sizes=given.sizes, promised=1.0, **figures)
    return 0 if kept else 1


def one_mix(server_name: str, crowds: Sequence[Crowd]) -> tuple[dict[str, dict[str, object]], bool]:
    """Fill databases of one kind with one mix, print and return the results."""
    mix = "all waiting" if crowds[0].all_wait else "mostly over"
    print(f"\n{server_name}, {mix}: milliseconds, median and 99 of 100", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="easel-scale-"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            programs = postgresql() if server_name == "postgresql" else None
            server = stack.enter_context(Server(folder / "server", programs)) if programs is not None else None
            figures, right = asyncio.run(measured(addresses(mix, len(crowds), folder, server), crowds, folder))
    finally:
        shutil.rmtree(folder)
    medians = zip(figures["claim"]["median_ms"], figures["first_come"]["median_ms"], strict=True)
    figures["claim"]["against_first_come"] = [ours / peer for ours, peer in medians]
    print(f"  a turn against first come, first served: {', '.join(f'{one:.2f}' for one in figures['claim']['against_first_come'])}")
    return figures, right


if __name__ == "__main__":
    sys.exit(main())

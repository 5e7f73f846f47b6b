"""Searching ten thousand, a hundred thousand and a million pictures and presets, and completing names.

Searches are for one word, for two, for a prefix, and for the word that is in nearly every prompt. Runs on SQLite and PostgreSQL, through
the product's own store. The searching user has a tenth of all pictures, and half of all presets are public. Sizes take turns, so a busy
machine slows all of them equally. 99 of 100 names must be completed within 100 ms among a million. The peer searches the same user's
prompts with LIKE, in the same run.
"""

import argparse
import asyncio
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import report
from benchmarks.scale import addresses
from benchmarks.standing.gallery import BUSIEST, WORDS, filled, prompts, word
from benchmarks.standing.processes import Server, postgresql
from bot.store.database import Database
from bot.store.images import search_terms
from bot.store.images.search import ImageSearch, SearchQuery
from bot.store.sharing.presets import Presets, Reader

SIZES, SAMPLES = (10_000, 100_000, 1_000_000), 300

#: The promise for completing a name: 99 of 100 take fewer milliseconds than this, whatever the size.
MOST_MS = 100.0

#: Seconds in all for an operation: a slow operation is measured less often.
_SECONDS = 8.0

#: As many entries as a menu shows, and as many as a page of history shows.
_MENU, _PAGE = 25, 10

Operation = Callable[["Bench", int], Awaitable[None]]


class Bench:
    """The measured searches in one store, sample by sample; the same in all stores."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._finding = ImageSearch(database)
        self._presets = Presets(database)

    async def complete(self, number: int) -> None:
        """Complete the name of a preset from its first one to four letters."""
        typed = word(_rank(number))[: 1 + number % 4]
        found = await self._presets.complete(Reader(f"p{number % 10}"), typed, _MENU)
        assert all(name.startswith(typed) for name in found)

    async def presets_word(self, number: int) -> None:
        """Search presets for a word."""
        await self._presets.listed(Reader(f"p{number % 10}"), word(_rank(number)), 0, _PAGE)

    async def presets_common(self, number: int) -> None:
        """Search presets for the word that nearly all contain."""
        await self._presets.listed(Reader(f"p{number % 10}"), word(0), 0, _PAGE)

    async def one_word(self, number: int) -> None:
        """Search pictures for a word."""
        await self._pictures(word(_rank(number)))

    async def two_words(self, number: int) -> None:
        """Search pictures for two words, one of them common."""
        await self._pictures(word(_rank(number)), word(number % 50))

    async def common_word(self, _: int) -> None:
        """Search pictures for the word that nearly all contain."""
        await self._pictures(word(0))

    async def rare_word(self, number: int) -> None:
        """Search pictures for a word that ten in a million contain."""
        await self._pictures(f"zq{number * 10}")

    async def beginning(self, number: int) -> None:
        """Search pictures for a word from its first three letters."""
        await self._pictures(word(_rank(number))[:3] + search_terms.BEGINNING)

    async def like(self, number: int) -> None:
        """Search pictures for two words without an index: scan every prompt of the user, and count the matches."""
        where = "FROM picture WHERE person_id = :person AND lower(words) LIKE :first AND lower(words) LIKE :second"
        given = {"person": BUSIEST, "first": f"%{word(_rank(number))}%", "second": f"%{word(number % 50)}%"}
        async with self._database.read() as session:
            await session.scalar(text(f"SELECT count(*) {where}"), given)
            (await session.execute(text(f"SELECT * {where} ORDER BY created DESC LIMIT {_PAGE}"), given)).all()

    async def _pictures(self, *words: str) -> None:
        found = await self._finding.pictures(SearchQuery(user=BUSIEST, people=(BUSIEST,), words=words), 0, _PAGE)
        assert found.count >= len(found.pictures)


def _rank(number: int) -> int:
    """Return the rank of the word that a sample searches for: evenly distributed over the logarithm, from common to rare."""
    return int(WORDS ** random.Random(number).random()) - 1


#: The last two also take turns with each other because they are compared.
OPERATIONS: tuple[Operation, ...] = (
    *(Bench.complete, Bench.presets_word, Bench.presets_common),
    *(
        Bench.one_word,
        Bench.common_word,
        Bench.rare_word,
        Bench.beginning,
        Bench.two_words,
        Bench.like,
    ),
)


async def sampled(benches: Sequence[Bench], operation: Operation) -> list[list[float]]:
    """Return the milliseconds of each sample, by bench; all of them take turns."""
    taken: list[list[float]] = [[] for _ in benches]
    for number in range(SAMPLES + 1):
        for bench, kept in zip(benches, taken, strict=True):
            if sum(kept) < _SECONDS * 1000:
                began = time.perf_counter()
                await operation(bench, number)
                kept.append((time.perf_counter() - began) * 1000)
    # The first sample is a warm-up.
    return [kept[1:] or kept for kept in taken]


def told(name: str, taken: list[list[float]]) -> dict[str, object]:
    """Print the figures of an operation, a column for each size, and return them."""
    medians = [statistics.median(one) for one in taken]
    p99s = [sorted(one)[int(0.99 * (len(one) - 1))] for one in taken]
    columns = "  ".join(f"{median:9.2f} {p99:9.2f}" for median, p99 in zip(medians, p99s, strict=True))
    print(f"  {name:15} {columns}   growth {medians[-1] / medians[0]:6.2f}", flush=True)
    return {"median_ms": medians, "p99_ms": p99s, "growth": medians[-1] / medians[0]}


async def measured(urls: Sequence[str], sizes: Sequence[int]) -> dict[str, dict[str, object]]:
    """Return the figures of each operation."""
    pool = prompts()
    async with AsyncExitStack() as stack:
        benches = []
        for url, rows in zip(urls, sizes, strict=True):
            began = time.perf_counter()
            benches.append(Bench(await stack.enter_async_context(filled(url, rows, pool))))
            print(f"  {rows:>9,} pictures and as many presets in {time.perf_counter() - began:.0f} s", flush=True)
        return {one.__name__: told(one.__name__, await sampled(benches, one)) for one in OPERATIONS}


def one_server(name: str, sizes: Sequence[int]) -> dict[str, dict[str, object]]:
    """Fill databases of one kind, print and return the results."""
    print(f"\n{name}: milliseconds, median and 99 of 100, among {', '.join(f'{one:,}' for one in sizes)}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="easel-search-"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            programs = postgresql() if name == "postgresql" else None
            server = stack.enter_context(Server(folder / "server", programs)) if programs is not None else None
            return asyncio.run(measured(addresses("search", len(sizes), folder, server), sizes))
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Measure and report; the exit status tells whether the promise was kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many of each, from few to many")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="one of the databases")
    given = parser.parse_args()
    wanted = [name for name in ("sqlite", "postgresql") if given.only in (None, name) and (name == "sqlite" or postgresql() is not None)]
    figures = {name: one_server(name, given.sizes) for name in wanted}
    slowest = max(one["complete"]["p99_ms"][-1] for one in figures.values())
    ratio = min(one["like"]["median_ms"][-1] / one["two_words"]["median_ms"][-1] for one in figures.values())
    kept = slowest < MOST_MS
    report(ratio=ratio, kept=kept, autocomplete_p99_ms=slowest, promised_ms=MOST_MS, sizes=given.sizes, **figures)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""Check every promise: compare the store's rows and files with what users saw."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, Select, func, select, text

from benchmarks.standing.platform import Platform
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs import attempts
from bot.store.jobs.job import CANCELLED, DONE, FAILED, OPEN
from bot.store.jobs.outbox import SENT, UNKNOWN
from bot.store.store import Store
from bot.store.tables.core import DeliveryRow, JobRow, LedgerRow, PictureRow
from inference.contract.errors import Problem

#: Problems of requests that were running too often when a process died.
BLAMED = ("worker-died", "job-poison")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs there were of each kind, and which promises were broken: the ids of the jobs for each kind of breach.

    `unknown` jobs were shown at most once, and their users were asked. `untold` jobs ended without a correct report of the end to the user.
    """

    jobs: int
    done: int
    failed: int
    failed_by_kills: int
    cancelled: int
    retried: int
    unknown: int
    lost: tuple[str, ...]
    shown_twice: tuple[str, ...]
    hidden: tuple[str, ...]
    stale: int
    untold: tuple[str, ...]
    charged_wrong: tuple[str, ...]
    without_pictures: tuple[str, ...]
    ledger_mistakes: tuple[str, ...]
    integrity: str

    @property
    def broken(self) -> dict[str, object]:
        """Return the broken promises, each with some of the jobs."""
        kinds = ("lost", "shown_twice", "hidden", "untold", "charged_wrong", "without_pictures", "ledger_mistakes")
        found: dict[str, object] = {kind: getattr(self, kind)[:10] for kind in kinds if getattr(self, kind)}
        return found if self.integrity == "ok" else found | {"integrity": self.integrity}


async def judged(store: Store, platform: Platform, accepted: Collection[str]) -> Verdict:
    """Return the verdict on the jobs that were reported as accepted."""
    await _swept(store)
    async with store.database.read() as session:
        wanted = select(JobRow.id, JobRow.state, JobRow.credits, JobRow.charged, JobRow.attempt, JobRow.problem)
        rows = {row.id: row for row in await session.execute(wanted)}
        sent = dict(list(await session.execute(select(DeliveryRow.job_id, DeliveryRow.state))))
        booked = (await session.execute(_booked())).all()
        pictures = (await session.execute(select(PictureRow.job_id, PictureRow.file, PictureRow.thumbnail))).all()
    states = Counter(row.state for row in rows.values())
    kept = {file for file in {file for row in pictures for file in row[1:]} if await _is_whole(store.files, file)}
    whole = {row.job_id for row in pictures if row.file in kept and row.thumbnail in kept}
    several = [job for job, count in Counter(row.job_id for row in pictures).items() if count > 1]
    return Verdict(
        jobs=len(rows),
        done=states[DONE],
        failed=states[FAILED],
        failed_by_kills=sum(row.state == FAILED and _problem(row).key in BLAMED for row in rows.values()),
        cancelled=states[CANCELLED],
        retried=sum(row.attempt > 1 for row in rows.values()),
        unknown=sum(state == UNKNOWN for state in sent.values()),
        lost=_some(job for job in accepted if job not in rows or rows[job].state in OPEN or not _arrived(job, sent, platform)),
        shown_twice=_some(job for job, messages in platform.shown.items() if len(messages) > 1),
        hidden=tuple(platform.hidden),
        stale=platform.stale.total(),
        untold=_some(job for job, said in platform.last.items() if job in rows and not _is_told_right(rows[job], said)),
        charged_wrong=_some(_charged_wrong(rows.values(), booked)),
        without_pictures=_some([*(job for job, row in rows.items() if row.state == DONE and job not in whole), *several]),
        ledger_mistakes=await ledger.mistakes(store.database),
        integrity=await _integrity(store.database),
    )


async def _swept(store: Store) -> None:
    """Settle now what a sweep settles within a minute: jobs that were cancelled while running and whose worker died then."""
    lease, attempts.LEASE = attempts.LEASE, timedelta()
    try:
        while await store.attempts.sweep():
            pass
    finally:
        attempts.LEASE = lease


def _arrived(job: str, sent: dict[str, str], platform: Platform) -> bool:
    """Return whether the outbox agrees with what users saw."""
    match sent.get(job):
        case "sent":
            return job in platform.shown
        case "unknown":
            return job in platform.unsure
    return False


def _is_told_right(row: Row, said: dict[str, object]) -> bool:
    """Return whether the user got the real end of a job, and a reason if it did not succeed."""
    return said["state"] == row.state and (bool(said["pictures"]) if row.state == DONE else bool(said["status"]))


def _booked() -> Select[Any]:
    """Return the query for the holds and the amounts of each job, by account."""
    held = func.count().filter(LedgerRow.kind == ledger.HOLD)
    return (
        select(LedgerRow.job_id, LedgerRow.account_id, func.sum(LedgerRow.amount).label("amount"), held.label("holds"))
        .where(LedgerRow.job_id.is_not(None))
        .group_by(LedgerRow.job_id, LedgerRow.account_id)
    )


def _charged_wrong(rows: Iterable[Row], booked: Iterable[Row]) -> Iterable[str]:
    """Yield the jobs that were held or charged more than once, or charged differently from what their end requires."""
    accounts: dict[str, list[Row]] = {}
    for one in booked:
        accounts.setdefault(one.job_id, []).append(one)
    for row in rows:
        due = {DONE: row.credits, FAILED: 0}.get(row.state, row.charged)
        # The account of the user and that of the channel.
        held = accounts.get(row.id, [])
        if row.charged is None or row.charged != due or len(held) != 2 or any(one.holds != 1 or one.amount != -due for one in held):
            yield row.id


async def _is_whole(files: BlobStore, key: str) -> bool:
    try:
        return files.key_of(await files.get(key)) == key
    except (FileNotFoundError, ValueError):
        return False


async def _integrity(database: Database) -> str:
    """Return `ok`, or the faults that the database finds in itself."""
    if not database.is_sqlite:
        return "ok"
    async with database.read() as session:
        found = [str(row[0]) for row in await session.execute(text("PRAGMA integrity_check"))]
        found += [str(row) for row in await session.execute(text("PRAGMA foreign_key_check"))]
    return ", ".join(found)


def _problem(row: Row) -> Problem:
    return msgspec.msgpack.decode(row.problem, type=Problem)


def _some(jobs: Iterable[str]) -> tuple[str, ...]:
    return tuple(jobs)


async def told_in_the_end(store: Store, accepted: Collection[str], quiet_seconds: float) -> None:
    """Wait until every job has ended and every end was delivered, or until nothing has moved for `quiet_seconds`."""
    loop, seen, moved = asyncio.get_running_loop(), -1, 0.0
    while True:
        async with store.database.read() as session:
            ended = (await session.scalars(select(func.count()).select_from(JobRow).where(JobRow.state.not_in(OPEN)))).one()
            told = (await session.scalars(select(func.count()).where(DeliveryRow.state.in_((SENT, UNKNOWN))))).one()
        if ended + told == 2 * len(accepted):
            return
        if ended + told != seen:
            seen, moved = ended + told, loop.time()
        elif loop.time() - moved > quiet_seconds:
            return
        await asyncio.sleep(0.2)

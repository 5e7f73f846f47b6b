"""A store and a model of it, which a state machine compares with the store after each step."""

import asyncio
import sqlite3
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import psycopg
from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import make_url

from bot.core.limits import Policy, Tier
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.jobs.job import DONE, OPEN, PAUSED, RUNNING, WAITING, Job
from bot.store.jobs.outbox import SENDING, TODO, Delivery
from bot.store.store import Store
from tests.bot.store.books import Books
from tests.stores import emptied, user_of

NAMES, PLACES = ("ann", "bob", "eve"), ("here", "there")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Known:
    """The model of a job."""

    who: str
    where: str
    credits: int
    state: str
    rank: int
    attempt: int = 0
    tries: int = 0
    runner: str | None = None
    #: Whether its process is still believed to be alive.
    leased: bool = False
    pictures: int = 0
    charged: int | None = None


@dataclass
class InboxUpdate:
    """The model of a delivery; its id once the machine has seen it."""

    id: str | None = None
    state: str = TODO
    attempt: int = 0
    unsure: bool = False
    runner: str = ""
    is_due: bool = True
    #: The ids of the deliveries of earlier ends.
    old: list[str] = field(default_factory=list)


class World(RuleBasedStateMachine):
    """A store and the model of it."""

    kind = "sqlite"

    def __init__(self):
        super().__init__()
        self.loop = asyncio.Runner()
        # These tests make no promise that needs a disk.
        memory = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.emptied = emptied(self.kind, self.folder.name)
        self.url = self.emptied.__enter__()
        self.clock = mock.patch.object(ledger, "now", self.moment)
        self.clock.start()
        self.day, self.allowed, self.place_allowed, self.ranks = 0, 10_000, None, 0
        self.known: dict[str, Known] = {}
        #: Everything that ever existed, in order of time.
        self.jobs: list[str] = []
        self.attempts: list[Job] = []
        self.deliveries: list[Delivery] = []
        self.keys: dict[tuple[str, str], str] = {}
        self.inbox_updates: dict[str, InboxUpdate] = {}
        self.people: dict[str, str] = {}
        self.books: dict[str, Books] = {name: Books() for name in (*NAMES, *PLACES)}
        self.paused: set[str] = set()
        #: Whether the allowance was ever reduced, on any day.
        self.is_cut = False
        self.database = None
        self.run(self.open())
        address = make_url(self.url)
        if self.kind == "sqlite":
            self.eyes = sqlite3.connect(address.database, isolation_level=None)
        else:
            plain = address.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
            self.eyes = psycopg.connect(plain, autocommit=True, options=address.query["options"])
        for name in NAMES:
            self.meet(name)

    def run(self, doing):
        """Run a coroutine and return its result."""
        return self.loop.run(doing)

    async def open(self):
        """Open the store, or open it again."""
        if self.database is not None:
            await self.database.__aexit__(None, None, None)
        self.database = Database(self.url)
        self.govern()

    def moment(self):
        """Return the current time of the model."""
        return NOON + timedelta(days=self.day)

    def govern(self):
        """Apply the current limits to the store and the books."""
        self.store = Store.of(self.database, None, Policy(tiers={"": Tier(credits=self.allowed)}, channel=self.place_allowed))
        for name, books in self.books.items():
            books.day, books.allowance = self.day, self.place_allowed if name in PLACES else self.allowed

    def meet(self, name):
        """Create a user."""
        self.people[name] = self.run(user_of(self.store, name))

    def teardown(self):
        """Close and delete everything."""
        self.eyes.close()
        self.run(self.database.__aexit__(None, None, None))
        self.clock.stop()
        self.emptied.__exit__(None, None, None)
        self.folder.cleanup()
        self.loop.close()

    def next_rank(self):
        """Return the position after all others."""
        self.ranks += 1
        return self.ranks

    def rest_state(self, who, where):
        """Return the state of a job that does not run."""
        return PAUSED if {who, where} & self.paused else WAITING

    def choose(self, pick, everything, is_worth):
        """Return an item, mostly one for which the step has an effect, or `None`."""
        some = [one for one in everything if is_worth(one)] if pick % 3 else everything
        return some[pick // 3 % len(some)] if some else None

    def can(self, who, where, credits):
        """Return whether credits can be held for a user in a channel."""
        return not credits or (self.books[who].can(credits) and self.books[where].can(credits))

    def hold(self, job_id, who, where, credits):
        """Hold credits in the books of user and channel."""
        for one in (self.books[who], self.books[where]) if credits else ():
            assert one.hold(job_id, credits)

    def settle(self, job_id, charged):
        """Record the charge of a job."""
        known = self.known[job_id]
        assert known.charged is None
        known.charged = charged
        for one in (known.who, known.where):
            self.books[one].settle(job_id, charged)

    def end(self, job_id, state, charged):
        """Record an end, which needs a delivery; `charged` is `None` if its usage is still to be reported."""
        known = self.known[job_id]
        assert known.state in OPEN
        known.state = state
        if charged is not None:
            self.settle(job_id, charged)
        before = self.inbox_updates.get(job_id)
        self.inbox_updates[job_id] = InboxUpdate(old=[*before.old, before.id] if before else [])

    def is_current(self, attempt):
        """Return whether an attempt may still report something."""
        known = self.known.get(attempt.id)
        return known is not None and known.state == RUNNING and known.attempt == attempt.attempt

    def owned(self, runner):
        """Return the jobs that a process runs."""
        return {job_id: known for job_id, known in self.known.items() if known.state == RUNNING and known.runner == runner}

    def begun(self, job, runner, tries=1):
        """Record an attempt."""
        known = self.known[job.id]
        known.state, known.runner, known.leased = RUNNING, runner, True
        known.attempt, known.tries = known.attempt + 1, known.tries + tries
        assert (job.attempt, job.tries, job.state) == (known.attempt, known.tries, RUNNING)
        self.attempts.append(job)

    def letter_of(self, delivery):
        """Return the model of a delivery if a report about it still counts."""
        inbox_update = self.inbox_updates.get(delivery.job)
        is_current = inbox_update is not None and (inbox_update.id, inbox_update.attempt, inbox_update.state) == (
            delivery.id,
            delivery.attempt,
            SENDING,
        )
        return inbox_update if is_current else None

    def back(self, known):
        """Record that a job was put back."""
        known.state, known.runner, known.tries = self.rest_state(known.who, known.where), None, known.tries - 1

    def compare(self):
        """Compare the rows with the model."""
        # In a simple way, unlike the store's own queries: that is faster, and finds mistakes that the store would repeat.
        self._compare_jobs()
        self._compare_letters()
        self._compare_books()
        lost = "SELECT job.id FROM job LEFT JOIN turn ON turn.person_id = job.person_id WHERE state = 'waiting' AND waiting IS NOT TRUE"
        assert self.rows(lost) == []

    def rows(self, question):
        """Return the rows of an SQL query."""
        return self.eyes.execute(question).fetchall()

    def _compare_jobs(self):
        """No job is lost, the queue has the right order, and only finished jobs have pictures."""
        found = self.rows("SELECT id, state, attempt, tries, charged, person_id FROM job ORDER BY person_id, rank")
        assert {job_id: tuple(rest) for job_id, *rest, _ in found} == {
            job_id: (known.state, known.attempt, known.tries, known.charged) for job_id, known in self.known.items()
        }
        for name, user in self.people.items():
            line = [one[0] for one in found if one[-1] == user and one[1] in OPEN]
            own = [job_id for job_id, known in self.known.items() if known.who == name and known.state in OPEN]
            assert line == sorted(own, key=lambda job_id: self.known[job_id].rank)
        assert dict(self.rows("SELECT job_id, count(*) FROM picture GROUP BY job_id")) == {
            job_id: known.pictures for job_id, known in self.known.items() if known.state == DONE and known.pictures
        }

    def _compare_letters(self):
        """Every ended job has one delivery, in the right state."""
        found = {job_id: tuple(rest) for job_id, *rest in self.rows("SELECT job_id, id, state, attempt, unsure FROM delivery")}
        assert {job_id for job_id, known in self.known.items() if known.state not in OPEN} <= set(found)
        for job_id, inbox_update in self.inbox_updates.items():
            inbox_update.id = inbox_update.id or found[job_id][0]
            assert inbox_update.id not in inbox_update.old
        assert found == {job_id: (one.id, one.state, one.attempt, one.unsure) for job_id, one in self.inbox_updates.items()}

    def _compare_books(self):
        """Accounts equal the books and the sums of their ledger, and are negative only if the allowance was reduced."""
        names, today = {user: name for name, user in self.people.items()}, self.moment().date().isoformat()
        for user, channel, day, allowance, left, extra, of_both, of_granted in self.rows(_ACCOUNTS):
            books = self.books[channel or names[user]]
            assert (of_both, of_granted) == (left + extra, extra)
            assert extra == books.extra >= 0
            assert left >= 0 or self.is_cut
            if day == today:
                assert left + (books.allowance or 0) - allowance == books.balance


_ACCOUNTS = """
SELECT account.person_id, place.key, day, allowance, "left", extra,
    (SELECT coalesce(sum(amount), 0) FROM ledger WHERE account_id = account.id),
    (SELECT coalesce(sum(extra), 0) FROM ledger WHERE account_id = account.id)
FROM account LEFT JOIN place ON place.id = account.place_id
"""

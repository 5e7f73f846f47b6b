"""Whatever happens to jobs, in whatever order: none is lost, each ends once, and only finished ones have pictures."""

import asyncio
import os
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule, run_state_machine_as_test

from bot.store.files import Files
from bot.store.jobs import CANCELLED, DONE, FAILED, RUNNING, WAITING, Job
from bot.store.models import Base
from bot.store.session import Database
from bot.store.store import Store
from inference.errors import Problem
from tests.stores import SERVER, blank, new_job, painted, person_of, run_out

RUNNERS = st.sampled_from(["one", "two"])


@dataclass
class Known:
    """What the machine knows of a job."""

    state: str
    attempt: int = 0
    tries: int = 0
    runner: str | None = None
    #: Whether its runner is still believed to be there.
    leased: bool = False
    pictures: int = 0
    ends: list[str] = field(default_factory=list)


class JobsMachine(RuleBasedStateMachine):
    """Runs the store against a model of it in a dozen lines."""

    kind = "sqlite"
    jobs: Bundle[str] = Bundle("jobs")
    attempts: Bundle[Job] = Bundle("attempts")

    def __init__(self):
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.blank = blank(self.kind, self.folder.name)
        self.url = self.blank.__enter__()
        self.known: dict[str, Known] = {}
        self.database = None
        self.run(self.open(create=True))

    def run(self, doing):
        """Wait for something."""
        return self.loop.run(doing)

    async def open(self, *, create=False):
        """Open the store, anew where it was open."""
        if self.database is not None:
            await self.database.__aexit__(None, None, None)
        self.database = Database(self.url)
        self.store = Store.of(self.database, Files("memory://machine"))
        if create:
            async with self.database.connect() as connection:
                await connection.run_sync(Base.metadata.create_all)

    def teardown(self):
        """Leave nothing behind."""
        self.run(self.database.__aexit__(None, None, None))
        self.blank.__exit__(None, None, None)
        self.folder.cleanup()
        self.loop.close()

    @initialize()
    def people(self):
        """Know two people."""
        self.people = [self.run(person_of(self.store, name)) for name in ("ann", "bob")]

    @rule(target=jobs, who=st.integers(0, 1), key=st.sampled_from([None, "k1", "k2"]))
    def accept(self, who, key):
        """Accept a job; under a known key it is the known one."""
        (job,) = self.run(self.store.jobs.accept([new_job(self.people[who], key=key)]))
        if job.id in self.known:
            assert key is not None
            return multiple()
        self.known[job.id] = Known(WAITING)
        return job.id

    @rule(target=attempts, runner=RUNNERS, platform=st.sampled_from(["web", "other"]))
    def claim(self, runner, platform):
        """Claim: there is a job where one waits or was left behind."""
        job = self.run(self.store.jobs.claim(runner, [platform]))
        free = {
            one
            for one, known in self.known.items()
            if (known.state == WAITING and platform == "web") or (known.state == RUNNING and not known.leased)
        }
        if job is None:
            assert not free
            return multiple()
        assert job.id in free
        return self.begun(job, runner)

    def begun(self, job, runner):
        """Note an attempt."""
        known = self.known[job.id]
        known.state, known.runner, known.leased = RUNNING, runner, True
        known.attempt, known.tries = known.attempt + 1, known.tries + 1
        assert (job.attempt, job.tries, job.state) == (known.attempt, known.tries, RUNNING)
        return job

    def is_current(self, attempt):
        """Return whether an attempt may still say something."""
        known = self.known[attempt.id]
        return known.state == RUNNING and known.attempt == attempt.attempt

    def end(self, job_id, state):
        """Note an end."""
        known = self.known[job_id]
        known.state = state
        known.ends.append(state)

    @rule(attempt=attempts, pictures=st.integers(0, 2))
    def finish(self, attempt, pictures):
        """Finish, in time or late, once or twice."""
        current = self.is_current(attempt)
        assert self.run(self.store.jobs.finish(attempt, [painted(index) for index in range(pictures)], 1.0)) == current
        if current:
            self.end(attempt.id, DONE)
            self.known[attempt.id].pictures = pictures

    @rule(attempt=attempts)
    def fail(self, attempt):
        """Fail, in time or late."""
        current = self.is_current(attempt)
        assert self.run(self.store.jobs.fail(attempt, Problem("memory-spent"))) == current
        if current:
            self.end(attempt.id, FAILED)

    @rule(attempt=attempts)
    def give_back(self, attempt):
        """Give back, in time or late."""
        current = self.is_current(attempt)
        assert self.run(self.store.jobs.give_back(attempt)) == current
        if current:
            known = self.known[attempt.id]
            known.state, known.runner, known.tries = WAITING, None, known.tries - 1

    @rule(target=attempts, attempt=consumes(attempts))
    def again(self, attempt):
        """Try again, in time or late."""
        current = self.is_current(attempt)
        job = self.run(self.store.jobs.again(attempt))
        assert (job is not None) == current
        return attempt if job is None else self.begun(job, self.known[job.id].runner)

    @rule(job_id=jobs)
    def cancel(self, job_id):
        """Cancel whatever it is."""
        is_open = self.known[job_id].state in (WAITING, RUNNING)
        assert self.run(self.store.jobs.cancel(job_id)) == is_open
        if is_open:
            self.end(job_id, CANCELLED)

    @rule(runner=RUNNERS)
    def beat(self, runner):
        """Beat: all that is still the runner's is kept, even after a silence."""
        mine = {one for one, known in self.known.items() if known.state == RUNNING and known.runner == runner}
        assert self.run(self.store.jobs.beat(runner, list(self.known))) == mine
        for one in mine:
            self.known[one].leased = True

    @rule(job_id=jobs)
    def silence(self, job_id):
        """Let a lease run out."""
        self.run(run_out(self.store, job_id))
        self.known[job_id].leased = False

    @rule(runner=RUNNERS)
    def release(self, runner):
        """Learn that a runner is dead."""
        mine = [known for known in self.known.values() if known.state == RUNNING and known.runner == runner]
        assert self.run(self.store.jobs.release([runner])) == len(mine)
        for known in mine:
            known.leased = False

    @rule(runner=RUNNERS)
    def leave(self, runner):
        """Leave in order."""
        mine = [known for known in self.known.values() if known.state == RUNNING and known.runner == runner]
        assert self.run(self.store.jobs.leave(runner)) == len(mine)
        for known in mine:
            known.state, known.runner, known.tries = WAITING, None, known.tries - 1

    @rule()
    def restart(self):
        """Begin anew with what is in the file."""
        self.run(self.open())

    @invariant()
    def nothing_is_lost(self):
        """Every job is there as it should be, ended at most once, and pictures belong to finished jobs alone."""
        self.run(self.compare())

    async def compare(self):
        """Compare the store with what is known."""
        pictures = await self.store.pictures.of_jobs(list(self.known))
        for job_id, known in self.known.items():
            job = await self.store.jobs.get(job_id)
            assert (job.state, job.attempt, job.tries) == (known.state, known.attempt, known.tries)
            assert len(known.ends) == (not job.is_open)
            assert len(pictures[job_id]) == known.pictures * (job.state == DONE)


def run_machine(machine, examples):
    """Run a state machine; databases on a slow disk are no failure."""
    quick = settings(max_examples=examples, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quick)


def test_jobs_on_sqlite():
    """Any history of jobs holds its promises on SQLite."""
    run_machine(JobsMachine, 25)


def test_jobs_on_postgresql():
    """Any history of jobs holds its promises on PostgreSQL."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    run_machine(type("JobsOnPostgres", (JobsMachine,), {"kind": "postgresql"}), 10)

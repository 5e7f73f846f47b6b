"""Whatever happens to jobs, in whatever order: none is lost, each ends once, is charged once and delivered once."""

import os
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, update

from bot.core.errors import NotAllowed
from bot.store.database import now
from bot.store.jobs.job import CANCELLED, DONE, FAILED, OPEN, PAUSED, RUNNING, WAITING
from bot.store.jobs.outbox import GAVE_UP, SENDING, SENT, TODO, UNKNOWN
from bot.store.tables.core import JobRow, UserRow
from inference.contract.errors import Problem
from tests.bot.store.books import Books
from tests.bot.store.world import NAMES, PLACES, Known, World
from tests.stores import ALL, SERVER, new_job, run_out, whole

#: Steps on each database, and most steps in one history; a nightly run takes 100,000.
STEPS, STEPS_OF_ONE = int(os.environ.get("EASEL_TEST_STEPS", "5000" if ALL else "600")), 100

RUNNERS = st.sampled_from(["one", "two"])
WHO, WHERE = st.sampled_from(NAMES), st.sampled_from(PLACES)
CREDITS = st.sampled_from([0, 1000, 3001])
LIMITS = (10_000, 4000, None, 25_000)
#: Chooses an item, in two of three cases from the items for which the step has an effect.
PICK = st.integers(0, 999)
RARE = ("paint_at_once", "release", "leave", "limit", "next_day", "grant", "grant", "forget", "tidy", "restart")
SHARES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


class JobsMachine(World):
    """Runs the store against a model of it, step by step."""

    steps = 0

    @initialize(lines=st.tuples(*[st.integers(1, 5)] * len(NAMES)), begun=st.integers(0, 6), failed=st.integers(0, 2))
    def begin(self, lines, begun, failed):
        """Begin with some jobs: whatever rules this history leaves out, the other rules have something to do."""
        for who, count in zip(NAMES, lines, strict=True):
            for channel in range(count):
                self.accept_some(who, PLACES[channel % 2], None, 1000, 1)
        self.claim_some("one", (), begun)
        for pick in range(failed):
            self.fail_one(pick * 3 + 1)

    @rule(who=WHO, where=WHERE, key=st.sampled_from([None, None, "k1"]), credits=CREDITS, count=st.sampled_from([1, 2, 4]))
    def accept(self, who, where, key, credits, count):
        """Accept jobs; a known key gives its known job, and without enough credits all are refused."""
        self.accept_some(who, where, key, credits, count)

    def accept_some(self, who, where, key, credits, count):
        """Accept jobs, or have them refused."""
        new = [new_job(self.people[who], channel=where, key=key, credits=credits) for _ in range(1 if key else count)]
        known = self.keys.get((who, key))
        is_enough = known is not None or self.can(who, where, credits * len(new))
        try:
            jobs = self.run(self.store.jobs.accept(new))
        except NotAllowed:
            assert not is_enough
            return
        assert is_enough
        assert [job.id for job in jobs] == [known or one.id for one in new]
        for job in jobs if known is None else ():
            self.hold(job.id, who, where, credits)
            self.known[job.id] = Known(who, where, credits, self.rest_state(who, where), self.next_rank())
            self.jobs.append(job.id)
            self.keys |= {(who, key): job.id} if key else {}

    @rule(runner=RUNNERS, loaded=st.sampled_from([(), ("demo",), ("other",)]), times=st.sampled_from([1, 2, 3]))
    def claim(self, runner, loaded, times):
        """Claim: there is a job if one waits or was left behind."""
        self.claim_some(runner, loaded, times)

    def claim_some(self, runner, loaded, times):
        """Claim this many times."""
        for _ in range(times):
            job = self.run(self.store.attempts.claim(runner, loaded))
            silent = {one for one, known in self.known.items() if known.state == RUNNING and not known.leased}
            free = silent or {one for one, known in self.known.items() if known.state == WAITING}
            assert (job.id in free) if job else not free
            if job is not None:
                self.begun(job, runner)

    @rule(pick=PICK, share=SHARES)
    def finish(self, pick, share):
        """Finish, in time or late, once or twice, with whole pictures, smaller pictures or none."""
        if attempt := self.choose(pick, self.attempts, self.is_current):
            current = self.is_current(attempt)
            pictures = [msgspec.structs.replace(whole(), width=int(64 * share))] if share else []
            assert self.run(self.store.attempts.finish(attempt, pictures, 1.0)) == current
            if current:
                self.end(attempt.id, DONE, int(self.known[attempt.id].credits * share))
                self.known[attempt.id].pictures = len(pictures)

    @rule(pick=PICK)
    def fail(self, pick):
        """Fail, in time or late."""
        self.fail_one(pick)

    def fail_one(self, pick):
        """Let an attempt fail."""
        if attempt := self.choose(pick, self.attempts, self.is_current):
            current = self.is_current(attempt)
            assert self.run(self.store.attempts.fail(attempt, Problem("memory-spent"))) == current
            if current:
                self.end(attempt.id, FAILED, 0)

    @rule(pick=PICK)
    def give_back(self, pick):
        """Put back, in time or late."""
        if attempt := self.choose(pick, self.attempts, self.is_current):
            current = self.is_current(attempt)
            assert self.run(self.store.attempts.give_back(attempt)) == current
            if current:
                self.back(self.known[attempt.id])

    @rule(pick=PICK, blamed=st.booleans())
    def again(self, pick, blamed):
        """Try again, in time or late."""
        if attempt := self.choose(pick, self.attempts, self.is_current):
            current = self.is_current(attempt)
            job = self.run(self.store.attempts.again(attempt, blamed=blamed))
            assert (job is not None) == current
            if job is not None:
                self.begun(job, self.known[job.id].runner, 1 + blamed)

    def is_open_end(self, attempt):
        """Return whether an attempt is the one that has to report the usage of a cancelled job."""
        known = self.known.get(attempt.id)
        return known is not None and (known.state, known.charged, known.attempt) == (CANCELLED, None, attempt.attempt)

    @rule(pick=PICK, share=SHARES)
    def stopped(self, pick, share):
        """Report the usage of a cancelled job; only the first report of the last attempt counts."""
        if attempt := self.choose(pick, self.attempts, lambda one: one.id in self.known and self.known[one.id].state == CANCELLED):
            is_heard = self.is_open_end(attempt)
            self.run(self.store.attempts.stopped(attempt, share))
            if is_heard:
                self.settle(attempt.id, int(self.known[attempt.id].credits * share))

    @rule(pick=PICK, state=st.sampled_from([WAITING, RUNNING]))
    def cancel(self, pick, state):
        """Cancel a job in any state; a running job is settled by its process."""
        if job_id := self.choose(pick, self.jobs, lambda one: one in self.known and self.known[one].state == state):
            known = self.known.get(job_id)
            is_open = known is not None and known.state in OPEN
            assert self.run(self.store.jobs.cancel(job_id)) == is_open
            if is_open:
                self.end(job_id, CANCELLED, None if known.state == RUNNING else 0)

    @rule(pick=PICK)
    def retry(self, pick):
        """Retry a failed job, if there are credits for it."""
        job_id = self.choose(pick, self.jobs, lambda one: one in self.known and self.known[one].state == FAILED)
        known = self.known.get(job_id)
        is_failed = known is not None and known.state == FAILED
        is_enough = known is not None and self.can(known.who, known.where, known.credits)
        try:
            assert self.run(self.store.jobs.retry(job_id or "")) == is_failed
        except NotAllowed:
            assert is_failed
            assert not is_enough
            return
        if is_failed:
            assert is_enough
            self.hold(job_id, known.who, known.where, known.credits)
            known.state, known.rank, known.tries, known.charged = self.rest_state(known.who, known.where), self.next_rank(), 0, None

    @rule(runner=RUNNERS, pick=PICK)
    def silence(self, runner, pick):
        """Let a lease expire, and send a heartbeat: all jobs that still belong to the process are kept, even after a silence."""
        if job_id := self.choose(pick, list(self.known), lambda one: self.known[one].state == RUNNING):
            self.run(run_out(self.store, job_id))
            self.known[job_id].leased = False
        if pick % 2:
            mine = self.owned(runner)
            assert self.run(self.store.attempts.beat(runner, list(self.known))) == set(mine)
            for known in mine.values():
                known.leased = True

    @rule(pick=PICK, way=st.sampled_from(["up", "down", "first", "last"]))
    def move(self, pick, way):
        """Move a job within its user's queue."""
        job_id = self.choose(pick, list(self.known), lambda one: self.known[one].state == WAITING)
        if job_id is None:
            return
        known = self.known[job_id]
        line = sorted((one for one in self.known.values() if one.who == known.who and one.state == WAITING), key=lambda one: one.rank)
        old = next((channel for channel, one in enumerate(line) if one is known), None)
        new = {"up": (old or 0) - 1, "down": (old or 0) + 1, "first": 0, "last": len(line) - 1}[way]
        moves = old is not None and new != old and 0 <= new < len(line)
        assert self.run(self.store.line.move(self.run(self.store.jobs.get(job_id)), way)) == moves
        if moves:
            ranks = [one.rank for one in line]
            line.insert(new, line.pop(old))
            for one, rank in zip(line, ranks, strict=True):
                one.rank = rank

    @rule(who=WHO, where=WHERE, by_person=st.booleans(), paused=st.sampled_from([True, False, False]))
    def pause(self, who, where, by_person, paused):
        """Pause or resume a user or a channel."""
        name = who if by_person else where
        self.paused = self.paused | {name} if paused else self.paused - {name}
        changed = {}
        for job_id, known in self.known.items():
            new = self.rest_state(known.who, known.where)
            if name in (known.who, known.where) and known.state in (WAITING, PAUSED) and known.state != new:
                changed[job_id] = new
        line = self.store.line
        doing = line.pause_person(self.people[who], paused=paused) if by_person else line.pause_place("web", where, paused=paused)
        assert set(self.run(doing)) == set(changed)
        for job_id, state in changed.items():
            self.known[job_id].state = state

    @rule(runner=RUNNERS, most=st.integers(1, 3), how=st.sampled_from([None, SENT, TODO, UNKNOWN, GAVE_UP]))
    def deliver(self, runner, most, how):
        """Take due deliveries, and report the outcome of the first, or none yet."""
        due = {job_id for job_id, one in self.inbox_updates.items() if one.is_due and one.state in (TODO, SENDING)}
        taken = self.run(self.store.outbox.claim(runner, ["web"], most))
        assert {one.job for one in taken} <= due
        assert len(taken) == min(most, len(due))
        for one in taken:
            inbox_update = self.inbox_updates[one.job]
            inbox_update.unsure |= inbox_update.state == SENDING
            inbox_update.state, inbox_update.attempt, inbox_update.runner, inbox_update.is_due = (
                SENDING,
                inbox_update.attempt + 1,
                runner,
                False,
            )
            assert (one.id, one.attempt, one.unsure) == (inbox_update.id, inbox_update.attempt, inbox_update.unsure)
        self.deliveries += taken
        if taken and how:
            self.say(taken[0], how, unsure=False)

    @rule(pick=PICK, how=st.sampled_from([SENT, TODO, UNKNOWN, GAVE_UP]), unsure=st.booleans())
    def delivered(self, pick, how, unsure):
        """Report the outcome of a delivery, in time or late, once or twice, or postpone it."""
        if delivery := self.choose(pick, self.deliveries, self.letter_of):
            self.say(delivery, how, unsure=unsure)

    def say(self, delivery, how, *, unsure):
        """Report the outcome of a delivery."""
        inbox_update, outbox = self.letter_of(delivery), self.store.outbox
        say = {SENT: outbox.sent, UNKNOWN: outbox.unknown, GAVE_UP: outbox.gave_up}
        doing = outbox.later(delivery, 0, "busy", unsure=unsure) if how == TODO else say[how](delivery, "7")
        assert self.run(doing) == (inbox_update is not None)
        if inbox_update is not None:
            inbox_update.state, inbox_update.is_due = how, how == TODO
            inbox_update.unsure |= how == UNKNOWN or (how == TODO and unsure)

    @rule(pick=PICK)
    def deliver_again(self, pick):
        """Report that a result did not arrive."""
        if job_id := self.choose(pick, list(self.inbox_updates), lambda one: self.inbox_updates[one].state in (UNKNOWN, GAVE_UP)):
            inbox_update = self.inbox_updates[job_id]
            is_lost = inbox_update.state in (UNKNOWN, GAVE_UP)
            assert self.run(self.store.outbox.again(job_id)) == is_lost
            if is_lost:
                inbox_update.state, inbox_update.is_due, inbox_update.unsure = TODO, True, False

    @rule(what=st.sampled_from(RARE), who=WHO, where=WHERE, runner=RUNNERS, number=st.integers(0, 3))
    def something_rare(self, what, who, where, runner, number):
        """Let a rare event happen."""
        getattr(self, what)(who, where, runner, number)

    def paint_at_once(self, who, where, runner, _number):
        """Accept a job that is leased from its first moment, which holds no credits."""
        (job,) = self.run(self.store.jobs.accept([new_job(self.people[who], channel=where, credits=1000)], runner))
        self.known[job.id] = Known(who, where, 1000, RUNNING, self.next_rank())
        self.jobs.append(job.id)
        self.begun(job, runner)

    def release(self, _who, _where, runner, _number):
        """Learn that a process with running jobs and deliveries is dead."""
        mine = self.owned(runner)
        assert self.run(self.store.attempts.release([runner])) == len(mine)
        for known in mine.values():
            known.leased = False
        sending = [one for one in self.inbox_updates.values() if one.state == SENDING and one.runner == runner]
        assert self.run(self.store.outbox.release([runner])) == len(sending)
        for one in sending:
            one.is_due = True

    def leave(self, _who, _where, runner, _number):
        """Exit cleanly."""
        mine = self.owned(runner)
        assert self.run(self.store.attempts.leave(runner)) == len(mine)
        for known in mine.values():
            self.back(known)

    def limit(self, _who, _where, _runner, number):
        """Change the daily allowance of users and of channels."""
        self.allowed, self.place_allowed, self.is_cut = LIMITS[number], LIMITS[number - 1], True
        self.govern()

    def next_day(self, *_):
        """Let a new day begin."""
        self.day += 1
        self.govern()

    def grant(self, who, _where, _runner, number):
        """Grant credits to a user, or take some back."""
        amount = (2500, 2500, -1000, 0)[number]
        self.books[who].grant(amount)
        found = self.run(self.store.ledger.grant(self.people[who], amount))
        assert (found.left, found.extra) == (self.books[who].left, self.books[who].extra)
        assert found == self.run(self.store.ledger.balance(self.people[who]))

    def forget(self, who, *_):
        """Delete a user and all of their data; a process that still runs their job learns of it."""
        self.run(self.delete(who))
        self.known = {job_id: known for job_id, known in self.known.items() if known.who != who}
        self.inbox_updates = {job_id: one for job_id, one in self.inbox_updates.items() if job_id in self.known}
        self.keys = {(name, key): job_id for (name, key), job_id in self.keys.items() if name != who}
        self.paused -= {who}
        self.books[who] = Books(self.allowed, self.day)
        self.meet(who)

    async def delete(self, who):
        """Delete the row of a user."""
        async with self.database.write() as session:
            await session.execute(delete(UserRow).where(UserRow.id == self.people[who]))

    def tidy(self, *_):
        """Let a long time pass, and settle jobs that no process settled."""
        open_ends = [job_id for job_id, known in self.known.items() if known.state == CANCELLED and known.charged is None]
        self.run(self.age())
        assert self.run(self.store.attempts.sweep()) == len(open_ends)
        for job_id in open_ends:
            self.settle(job_id, 0)

    async def age(self):
        """Move all ends far into the past."""
        async with self.database.write() as session:
            await session.execute(update(JobRow).where(JobRow.ended.is_not(None)).values(ended=now() - timedelta(hours=1)))

    def restart(self, *_):
        """Open the store again from the same file."""
        self.run(self.open())

    @invariant()
    def everything_is_as_it_should_be(self):
        """Nothing is lost; each job ended once, is charged once and delivered once; the books are right; waiting users are served."""
        type(self).steps += 1
        self.compare()


def run_machine(machine, steps):
    """Run a state machine until it has taken this many steps; a slow disk is no failure."""
    taken = 0
    while taken < steps:
        examples = -((taken - steps) // STEPS_OF_ONE)
        quick = settings(max_examples=examples, stateful_step_count=STEPS_OF_ONE, suppress_health_check=list(HealthCheck), database=None)
        # Hypothesis draws by the class name: under the same name it would repeat the same steps.
        again = type(f"{machine.__name__}{taken}", (machine,), {"steps": 0})
        run_state_machine_as_test(again, settings=quick)
        taken += again.steps


@pytest.mark.timeout(7200)
def test_jobs_on_sqlite():
    """Any history of jobs keeps its promises on SQLite."""
    run_machine(JobsMachine, STEPS)


@pytest.mark.timeout(7200)
def test_jobs_on_postgresql():
    """Any history of jobs keeps its promises on PostgreSQL."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    run_machine(type("JobsOnPostgres", (JobsMachine,), {"kind": "postgresql"}), STEPS if ALL else STEPS // 3)

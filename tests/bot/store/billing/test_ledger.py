"""Credits: held, captured once, given back, granted, and always equal to the sum of their ledger."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot.core.errors import NotAllowed
from bot.core.limits import Policy, Tier
from bot.core.values import MessageRef
from bot.store.billing import ledger
from bot.store.billing.ledger import Balance
from bot.store.database import Database
from bot.store.jobs.job import CANCELLED, FAILED
from bot.store.store import Store
from bot.store.tables.core import ChannelRow, CreditAccountRow, JobRow, LedgerRow, UserRow
from inference.contract.errors import Problem
from tests.bot.store.books import Books
from tests.stores import ALL, ROUNDS, accepted, books_are_right, change_person, emptied, new_job, under, user_of, whole

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POISON = Problem("memory-spent")


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that a test can set, as a list of one moment."""
    moment = [NOON]
    monkeypatch.setattr(ledger, "now", lambda: moment[0])
    return moment


@pytest.fixture
def limited(store, clock):
    """Return a store where every user has ten credits a day."""
    assert clock
    return under(store, 10_000)


async def left(store, user):
    """Return a user's remaining daily and granted credits, in thousandths, and assert that the books are right."""
    assert await books_are_right(store)
    found = await store.ledger.balance(user)
    return found.left, found.extra


async def begun(store, user, credits):
    """Return a job that was accepted and claimed."""
    await accepted(store, user, credits=credits)
    return await store.attempts.claim("me")


async def test_a_hold_is_taken_when_the_job_is_accepted(limited):
    """The credits of a job are held as soon as it is accepted, and a user who requested nothing has all credits."""
    ann, bob = await user_of(limited), await user_of(limited, "bob")
    job = await accepted(limited, ann, credits=3000)
    assert (job.credits, await left(limited, ann), await left(limited, bob)) == (3000, (7000, 0), (10_000, 0))
    with pytest.raises(NotAllowed) as refused:
        await accepted(limited, ann, credits=7001)
    assert (refused.value.problem.key, refused.value.problem.facts) == ("denied-credits", {"cost": 7.1, "left": 7.0, "most": 10.0})
    assert await left(limited, ann) == (7000, 0)
    await accepted(limited, ann, credits=7000)
    assert await left(limited, ann) == (0, 0)


async def test_several_at_once_are_held_for_all_or_none(limited):
    """If one of several jobs is too expensive, none of them is stored and nothing is held."""
    ann = await user_of(limited)
    with pytest.raises(NotAllowed):
        await limited.jobs.accept([new_job(ann, credits=4000) for _ in range(3)])
    assert (await limited.jobs.open_of(ann), await left(limited, ann)) == ((), (10_000, 0))
    await limited.jobs.accept([new_job(ann, credits=4000), new_job(ann, credits=6000)])
    assert await left(limited, ann) == (0, 0)


async def test_a_key_is_charged_once(limited):
    """A second press of the same button holds nothing."""
    ann = await user_of(limited)
    await asyncio.gather(*(accepted(limited, ann, key="press", credits=4000) for _ in range(5)))
    assert await left(limited, ann) == (6000, 0)


async def test_what_was_painted_is_charged_and_the_rest_given_back(limited):
    """A complete picture costs the held credits, a smaller one less, and a second report changes nothing."""
    ann = await user_of(limited)
    job = await begun(limited, ann, 4000)
    small = msgspec.structs.replace(whole(), width=32)
    assert await limited.attempts.finish(job, [small], 1.0)
    assert await left(limited, ann) == (8000, 0)
    assert not await limited.attempts.finish(job, [whole()], 1.0)
    await limited.attempts.stopped(job, 1.0)
    assert await left(limited, ann) == (8000, 0)
    await limited.attempts.finish(await begun(limited, ann, 4000), [whole()], 1.0)
    assert await left(limited, ann) == (4000, 0)


async def test_a_failure_costs_nothing(limited):
    """A failed job gives back all its credits, once."""
    ann = await user_of(limited)
    job = await begun(limited, ann, 4000)
    assert await limited.attempts.fail(job, POISON)
    assert not await limited.attempts.fail(job, POISON)
    assert await left(limited, ann) == (10_000, 0)


async def test_what_waited_is_cancelled_for_nothing(limited):
    """A job that never began, or was put back, costs nothing when it is cancelled."""
    ann = await user_of(limited)
    job = await begun(limited, ann, 4000)
    assert await limited.attempts.give_back(job)
    assert await limited.jobs.cancel(job.id)
    assert await left(limited, ann) == (10_000, 0)
    await limited.attempts.stopped(job, 1.0)
    assert await left(limited, ann) == (10_000, 0)


async def test_what_was_begun_is_cancelled_for_what_it_used(limited):
    """A cancelled running job is charged for the share that its process reports; only the first report of the last attempt counts."""
    ann = await user_of(limited)
    old = await begun(limited, ann, 4000)
    job = await limited.attempts.again(old)
    assert await limited.jobs.cancel(job.id)
    await limited.attempts.stopped(old, 1.0)
    assert await left(limited, ann) == (6000, 0)
    await limited.attempts.stopped(job, 0.25)
    await limited.attempts.stopped(job, 0.0)
    assert await left(limited, ann) == (9000, 0)


async def test_what_nobody_settled_is_given_back(limited, monkeypatch):
    """A cancelled job whose process stays silent is settled as unused after a while; a recent one is waited for."""
    ann = await user_of(limited)
    job = await begun(limited, ann, 4000)
    await limited.jobs.cancel(job.id)
    assert (await limited.attempts.sweep(), await left(limited, ann)) == (0, (6000, 0))
    monkeypatch.setattr("bot.store.jobs.attempts.LEASE", -DAY)
    assert (await limited.attempts.sweep(), await left(limited, ann)) == (1, (10_000, 0))
    assert await limited.attempts.sweep() == 0


async def test_grants_are_used_last_and_come_back_first(limited):
    """Daily credits are used first, because they expire tomorrow; of returned credits, granted credits come back first."""
    ann = await user_of(limited)
    assert await limited.ledger.grant(ann, 5000) == Balance(10_000, 5000, 10_000)
    job = await begun(limited, ann, 12_000)
    assert await left(limited, ann) == (0, 3000)
    assert await limited.attempts.finish(job, [msgspec.structs.replace(whole(), width=48)], 1.0)
    assert await left(limited, ann) == (1000, 5000)
    with pytest.raises(NotAllowed) as refused:
        await accepted(limited, ann, credits=6001)
    assert refused.value.problem.facts["left"] == 6.0


async def test_grants_are_taken_back_down_to_none(limited):
    """An operator cannot take more than was granted, and never daily credits."""
    ann = await user_of(limited)
    await limited.ledger.grant(ann, 5000)
    assert (await limited.ledger.grant(ann, -2000)).extra == 3000
    assert await limited.ledger.grant(ann, -9000) == Balance(10_000, 0, 10_000)
    assert await left(limited, ann) == (10_000, 0)


async def test_a_new_day_fills_up(limited, clock):
    """On a new day unused credits are not saved up, used credits are there again, and grants stay."""
    ann = await user_of(limited)
    await limited.ledger.grant(ann, 1000)
    await limited.attempts.finish(await begun(limited, ann, 10_500), [whole()], 1.0)
    assert await left(limited, ann) == (0, 500)
    clock[0] += DAY
    assert await left(limited, ann) == (10_000, 500)
    await accepted(limited, ann, credits=4000)
    clock[0] += DAY
    await accepted(limited, ann, credits=1000)
    assert await left(limited, ann) == (9000, 500)


async def test_a_refund_of_a_day_that_is_over_has_gone_with_it(limited, clock):
    """Returned credits of yesterday have expired, before and after today's allowance is opened; granted credits come back."""
    ann = await user_of(limited)
    await limited.ledger.grant(ann, 3000)
    early, late = [await begun(limited, ann, credits) for credits in (9000, 3000)]
    assert await left(limited, ann) == (0, 1000)
    clock[0] += DAY
    assert await limited.attempts.fail(early, POISON)
    assert await left(limited, ann) == (10_000, 1000)
    await accepted(limited, ann, credits=500)
    assert await limited.attempts.fail(late, POISON)
    assert await left(limited, ann) == (9500, 3000)


@pytest.mark.parametrize(("first", "then", "expected"), [(10_000, 15_000, 9000), (10_000, 7000, 1000), (10_000, 2000, 0), (5000, 0, 0)])
async def test_an_allowance_that_changes_at_noon(store, clock, first, then, expected):
    """Today's usage stays used when the allowance changes, and changing it back and forth earns nothing."""
    assert clock
    before, after = under(store, first), under(store, then)
    ann = await user_of(store)
    job = await begun(before, ann, min(first, 6000))
    for _ in range(3):
        assert (await left(after, ann))[0] == expected
        await after.ledger.grant(ann, 0)
        assert (await left(after, ann))[0] == expected
        await before.ledger.grant(ann, 0)
        assert (await left(before, ann))[0] == first - min(first, 6000)
    await after.ledger.grant(ann, 0)
    await after.attempts.fail(job, POISON)
    assert await left(after, ann) == (then, 0)


async def test_less_than_nothing_is_shown_as_nothing(store, clock):
    """A user who has used more than the new allowance can spend granted credits, and has the full allowance tomorrow."""
    ann = await user_of(store)
    job = await begun(under(store, 10_000), ann, 8000)
    strict = under(store, 3000)
    await strict.ledger.grant(ann, 1000)
    with pytest.raises(NotAllowed) as refused:
        await accepted(strict, ann, credits=1001)
    assert refused.value.problem.facts["left"] == 1.0
    await accepted(strict, ann, credits=700)
    await strict.attempts.finish(job, [msgspec.structs.replace(whole(), width=48)], 1.0)
    assert await left(strict, ann) == (0, 300)
    clock[0] += DAY
    assert await left(strict, ann) == (3000, 300)


async def test_a_machine_that_is_late_at_midnight_begins_no_day_again(limited, clock):
    """If two clocks differ a little, the earlier does not refill a day that the later has begun, and a clock far behind does no harm."""
    ann = await user_of(limited)
    clock[0] = NOON + DAY / 2
    await accepted(limited, ann, credits=6000)
    clock[0] -= timedelta(seconds=1)
    await accepted(limited, ann, credits=3000)
    assert await left(limited, ann) == (1000, 0)
    clock[0] += timedelta(seconds=1)
    assert await left(limited, ann) == (1000, 0)
    clock[0] = NOON - 100 * DAY
    assert await left(limited, ann) == (10_000, 0)
    await accepted(limited, ann, credits=1000)
    assert await left(limited, ann) == (9000, 0)


async def test_a_place_has_its_own(store, clock):
    """The requests of all users in a channel have a limit beside each user's own; a user refused there keeps their credits."""
    assert clock
    shared = under(store, 10_000, channel=12_000)
    ann, bob = await user_of(store), await user_of(store, "bob")
    job = await begun(shared, ann, 9000)
    with pytest.raises(NotAllowed) as refused:
        await accepted(shared, bob, credits=4000)
    assert (refused.value.problem.key, refused.value.problem.facts["left"]) == ("denied-credits-place", 3.0)
    assert await left(shared, bob) == (10_000, 0)
    await accepted(shared, bob, credits=4000, channel="elsewhere")
    await shared.attempts.fail(job, POISON)
    await accepted(shared, bob, credits=6000)
    assert (await left(shared, ann), await left(shared, bob)) == ((10_000, 0), (0, 0))


async def test_tiers_get_what_is_theirs(store, clock):
    """A user's tier sets their credits and open requests, and an unknown tier counts as the default tier."""
    assert clock
    tiered = under(store, 10_000, most_open=2, tiers={"friend": Tier(credits=None, most_open=3)})
    ann, bob = await user_of(store), await user_of(store, "bob")
    await change_person(store, ann, tier="friend")
    await change_person(store, bob, tier="long gone")
    await tiered.jobs.accept([new_job(ann, credits=90_000) for _ in range(3)])
    await tiered.jobs.accept([new_job(bob, credits=100) for _ in range(2)])
    for user, most in ((ann, 3), (bob, 2)):
        with pytest.raises(NotAllowed) as refused:
            await accepted(tiered, user, credits=1)
        assert (refused.value.problem.key, refused.value.problem.facts) == ("denied-open", {"most": most})
    assert await tiered.ledger.balance(ann) == Balance(0, 0, None)
    assert await tiered.ledger.balance(bob) == Balance(9800, 0, 10_000)


async def test_without_limits_nothing_is_written_down(store):
    """Without limits there are no accounts, but every job still stores its charge."""
    ann = await user_of(store)
    job = await begun(store, ann, 5000)
    assert await store.attempts.finish(job, [whole()], 1.0)
    async with store.database.read() as session:
        assert [await session.scalar(select(func.count()).select_from(table)) for table in (CreditAccountRow, LedgerRow)] == [0, 0]
        assert await session.scalar(select(JobRow.charged)) == 5000


async def test_a_retry_is_held_for_anew(limited, clock):
    """A retry of a failed job is held and charged like a new request, on the day of the retry."""
    ann = await user_of(limited)
    job = await begun(limited, ann, 4000)
    await limited.attempts.fail(job, POISON)
    clock[0] += DAY
    assert await limited.jobs.retry(job.id)
    assert not await limited.jobs.retry(job.id)
    assert await left(limited, ann) == (6000, 0)
    job = await limited.attempts.claim("me")
    await limited.attempts.fail(job, POISON)
    assert await left(limited, ann) == (10_000, 0)
    assert await limited.jobs.retry(job.id)
    await limited.attempts.finish(await limited.attempts.claim("me"), [whole()], 1.0)
    assert await left(limited, ann) == (6000, 0)


async def test_a_retry_without_credits_is_refused(limited):
    """If the credits do not suffice for a retry, the job stays failed."""
    ann = await user_of(limited)
    job = await begun(limited, ann, 4000)
    await limited.attempts.fail(job, POISON)
    await accepted(limited, ann, credits=7000)
    with pytest.raises(NotAllowed):
        await limited.jobs.retry(job.id)
    again = await limited.jobs.get(job.id)
    assert (again.state, again.problem, await left(limited, ann)) == (FAILED, POISON, (3000, 0))


async def test_a_hold_is_given_back_once_however_often_it_is_tried(store, limited):
    """A job retried without limits does not give back a hold that was given back before."""
    ann = await user_of(store)
    job = await begun(limited, ann, 4000)
    await limited.attempts.fail(job, POISON)
    assert await store.jobs.retry(job.id)
    assert await limited.jobs.cancel(job.id)
    assert await left(limited, ann) == (10_000, 0)


async def test_a_person_who_goes_takes_their_books_along(limited):
    """Deleting a user leaves no account of theirs, and the books of the channel stay right."""
    shared = under(limited, 10_000, channel=20_000)
    ann, bob = await user_of(shared), await user_of(shared, "bob")
    job = await begun(shared, ann, 4000)
    await accepted(shared, bob, credits=4000)
    async with shared.database.write() as session:
        await session.delete(await session.get_one(UserRow, ann))
    assert not await shared.attempts.finish(job, [whole()], 1.0)
    await shared.attempts.stopped(job, 1.0)
    assert await books_are_right(shared)
    async with shared.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(CreditAccountRow)) == 2


@pytest.mark.timeout(900)
async def test_a_race_for_credits_admits_exactly_as_many_as_there_are(store):
    """Of fifty concurrent requests with a limit of ten, ten are accepted in every round, and the books are exact."""
    limited = under(store, 10_000)
    for number in range(ROUNDS if ALL else 2):
        ann = await user_of(store, f"ann {number}")
        asked = [limited.jobs.accept([new_job(ann, credits=1000)]) for _ in range(50)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, tuple) for one in answers) == 10
        assert [one.problem.key for one in answers if not isinstance(one, tuple)] == ["denied-credits"] * 40
        assert await limited.ledger.balance(ann) == Balance(0, 0, 10_000)
        assert len(await limited.jobs.open_of(ann)) == 10
    assert await books_are_right(limited)


async def test_a_race_for_the_credits_of_a_place(store):
    """Of thirty users who request in one channel at once with a limit of ten, ten are accepted, and the others keep their credits."""
    shared = under(store, 5000, channel=10_000)
    for number in range(max(2, ROUNDS // 10)):
        people = [await user_of(store, f"{name} {number}") for name in range(30)]
        where = MessageRef("web", f"place {number}")
        asked = [shared.jobs.accept([new_job(one, credits=1000, address=where)]) for one in people]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, tuple) for one in answers) == 10
        assert sorted([(await shared.ledger.balance(one)).left for one in people]) == [4000] * 10 + [5000] * 20
        async with store.database.read() as session:
            channel = (
                select(CreditAccountRow.left)
                .join(ChannelRow, ChannelRow.id == CreditAccountRow.place_id)
                .where(ChannelRow.key == where.channel)
            )
            assert await session.scalar(channel) == 0
    assert await books_are_right(shared)


async def test_whoever_ends_a_job_first_settles_it(store):
    """However a finish, a failure, a cancellation and the report of a stopped process overlap, one of them is charged, and once."""
    limited = under(store, 10_000)
    for number in range(10):
        ann = await user_of(store, f"ann {number}")
        job = await begun(limited, ann, 4000)
        doing = [limited.attempts.finish(job, [whole()], 1.0), limited.attempts.fail(job, POISON), limited.jobs.cancel(job.id)]
        ended = await asyncio.gather(*doing[number % 3 :], *doing[: number % 3], limited.attempts.stopped(job, 0.5))
        assert sum(one is True for one in ended) == 1
        await limited.attempts.stopped(job, 0.5)
        charged = {"done": 4000, FAILED: 0, CANCELLED: 2000}[(await limited.jobs.get(job.id)).state]
        assert await left(limited, ann) == (10_000 - charged, 0)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 12_000)),
        st.tuples(st.just("settle"), st.sampled_from((0.0, 0.25, 0.5, 1.0))),
        st.tuples(st.just("day"), st.just(1)),
        st.tuples(st.just("allow"), st.sampled_from((0, 3000, 10_000, 20_000))),
        st.tuples(st.just("grant"), st.integers(-5000, 8000)),
    ),
    max_size=25,
)


class History:
    """A user who goes through steps, in the store and in the model."""

    def __init__(self, database, files, user, clock):
        self.database, self.files, self.user, self.clock = database, files, user, clock
        self.books = Books()
        self.jobs = []

    @property
    def store(self):
        """Return the store under the current policy."""
        return Store.of(self.database, self.files, Policy(tiers={"": Tier(credits=self.books.allowance)}))

    async def step(self, what, value):
        """Take a step and assert that the store and the model agree."""
        if what == "ask":
            new = new_job(self.user, credits=value)
            try:
                self.jobs.extend(await self.store.jobs.accept([new]))
            except NotAllowed:
                assert not self.books.hold(new.id, value)
            else:
                assert self.books.hold(new.id, value)
        elif what == "settle" and self.jobs:
            await self.settle(self.jobs.pop(0), value)
        elif what == "day":
            self.books.day += value
            self.clock[0] = NOON + self.books.day * DAY
        elif what == "allow":
            self.books.allowance = value
        elif what == "grant":
            self.books.grant(value)
            assert (await self.store.ledger.grant(self.user, value)).extra == self.books.extra
        assert await left(self.store, self.user) == (self.books.left, self.books.extra)

    async def settle(self, job, share):
        """Settle a job for a share of its credits."""
        charged = int(job.credits * share)
        async with self.database.write() as session:
            assert await ledger.settle(session, job.id, charged)
            assert not await ledger.settle(session, job.id, 0)
        self.books.settle(job.id, charged)


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 100), ("postgresql", 25)] if ALL else [("sqlite", 30), ("postgresql", 8)])
def test_any_history_is_exact(kind, examples, tmp_path, clock):
    """Whatever is requested, settled, granted and allowed over days, a user can spend what the model says, and the books are right."""

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(taken=steps)
    def live(taken):
        clock[0] = NOON
        loop.run(through(taken))

    async def through(taken):
        history = History(opened.database, opened.files, await user_of(opened, f"p{next(numbers)}"), clock)
        for what, value in taken:
            await history.step(what, value)

    numbers = iter(range(10**9))
    with emptied(kind, tmp_path) as url, asyncio.Runner() as loop:
        opened = Store.of(Database(url), None)
        try:
            live()
        finally:
            loop.run(opened.database.__aexit__(None, None, None))

"""Member quotas: no user can use more in a channel per day than its moderators allow, however they request."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from bot.core.errors import NotAllowed
from bot.core.values import MessageRef, UserRef
from bot.generation.resolve import CREDITS
from bot.store.billing import ledger, usage
from bot.store.billing.ledger import Balance
from bot.store.jobs import jobs
from bot.store.tables.core import CountedRow, CreditAccountRow, JobRow, MembershipRow
from bot.store.users.users import MODERATOR, OPERATOR
from inference.contract.errors import Problem
from tests.bot.store.linked import HERE, agreed, count, two
from tests.stores import accepted, books_are_right, new_job, under, user_of, whole

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that a test can set, as a list of one moment."""
    moment = [NOON]
    for module in (usage, jobs, ledger, usage):
        monkeypatch.setattr(module, "now", lambda: moment[0])
    return moment


@pytest.fixture
async def shared(store, clock):
    """Return a store where the operator limits nothing, and one channel gives each member ten credits a day."""
    assert clock
    await store.settings.change(HERE, {CREDITS: 10.0})
    return store


async def left(store, user):
    """Return a user's remaining credits in that channel today, in thousandths."""
    return (await store.portions.left(user, HERE)).left


async def refused(store, user, credits, **more):
    """Return the facts of the refusal of a request that is too expensive."""
    with pytest.raises(NotAllowed) as denied:
        await accepted(store, user, credits=credits, **more)
    assert denied.value.problem.key == "denied-credits-here"
    return denied.value.problem.facts


async def begun(store, user, credits):
    """Return a job that was accepted and claimed."""
    await accepted(store, user, credits=credits)
    return await store.attempts.claim("me")


async def test_each_member_has_a_portion(shared):
    """Each member has their own quota; other channels have no limit, and no accounts are created."""
    ann, bob = await user_of(shared), await user_of(shared, "bob")
    await accepted(shared, ann, credits=7000)
    assert await refused(shared, ann, 3001) == {"cost": 3.1, "left": 3.0, "most": 10.0}
    assert await refused(shared, bob, 10_001) == {"cost": 10.1, "left": 10.0, "most": 10.0}
    await accepted(shared, ann, credits=9000, channel="elsewhere")
    await accepted(shared, ann, credits=3000)
    assert await shared.portions.left(ann, HERE) == Balance(0, 0, 10_000)
    assert (await left(shared, bob), len(await shared.jobs.open_of(ann))) == (10_000, 3)
    async with shared.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(CreditAccountRow)) == 0


async def test_only_who_runs_easel_has_no_portion(shared):
    """Moderators are limited like all members; the operator is not."""
    for role, is_limited in ((MODERATOR, True), (OPERATOR, False)):
        user = await user_of(shared, role)
        await shared.people.appoint(user, role=role)
        assert (await shared.portions.left(user, HERE)).allowance == (10_000 if is_limited else None)
        if is_limited:
            await refused(shared, user, 11_000)
        else:
            await accepted(shared, user, credits=11_000)


async def test_several_are_accepted_together_or_not_at_all(shared):
    """If several prompts together are too expensive, none is stored; a free request is always accepted."""
    ann = await user_of(shared)
    with pytest.raises(NotAllowed):
        await shared.jobs.accept([new_job(ann, credits=4000) for _ in range(3)])
    assert (await shared.jobs.open_of(ann), await left(shared, ann)) == ((), 10_000)
    await shared.jobs.accept([new_job(ann, credits=4000), new_job(ann, credits=6000)])
    await accepted(shared, ann, credits=0)
    assert await left(shared, ann) == 0


async def test_what_comes_back_was_not_used(shared):
    """A cancelled, failed or stopped job counts only for the credits it used."""
    ann = await user_of(shared)
    waits = await accepted(shared, ann, credits=10_000)
    await refused(shared, ann, 1)
    assert await shared.jobs.cancel(waits.id)
    assert await left(shared, ann) == 10_000
    assert await shared.attempts.fail(await begun(shared, ann, 10_000), Problem("memory-spent"))
    assert await left(shared, ann) == 10_000
    job = await begun(shared, ann, 8000)
    await shared.jobs.cancel(job.id)
    # Its usage is not known yet.
    assert await left(shared, ann) == 2000
    await shared.attempts.stopped(job, 0.25)
    assert await left(shared, ann) == 8000
    assert await shared.attempts.finish(await begun(shared, ann, 8000), [whole()], 1.0)
    assert await refused(shared, ann, 1) == {"cost": 0.1, "left": 0.0, "most": 10.0}


async def test_a_day_begins_at_the_operators_midnight(shared, clock):
    """The next day every member has a full quota again, and a job of yesterday retried today counts today."""
    ann = await user_of(shared)
    job = await begun(shared, ann, 10_000)
    assert await shared.attempts.fail(job, Problem("memory-spent"))
    await accepted(shared, ann, credits=10_000)
    clock[0] = NOON + DAY
    assert await left(shared, ann) == 10_000
    assert await shared.jobs.retry(job.id)
    assert await left(shared, ann) == 0
    await refused(shared, ann, 1)


async def test_a_second_try_needs_a_portion_too(shared):
    """A failed job cannot be retried if the quota has been used for something else; the job does not change."""
    ann = await user_of(shared)
    job = await begun(shared, ann, 6000)
    assert await shared.attempts.fail(job, Problem("memory-spent"))
    await accepted(shared, ann, credits=6000)
    with pytest.raises(NotAllowed, match="denied-credits-here"):
        await shared.jobs.retry(job.id)
    assert await left(shared, ann) == 4000
    assert not (await shared.jobs.get(job.id)).is_open


async def test_it_counts_from_midnight_whenever_it_is_settled(store, clock):
    """Usage before a quota was set counts too, and after the quota is reset nothing is limited."""
    ann = await user_of(store)
    await accepted(store, ann, credits=7000)
    assert (await store.portions.left(ann, HERE)).allowance is None
    await store.settings.change(HERE, {CREDITS: 2.5})
    assert await store.portions.left(ann, HERE) == Balance(0, 0, 2500)
    assert await refused(store, ann, 1) == {"cost": 0.1, "left": 0.0, "most": 2.5}
    await store.settings.change(HERE, {}, [CREDITS])
    await accepted(store, ann, credits=90_000)
    assert clock


async def test_the_operators_limits_stay_above(store):
    """A quota above the operator's allowance gives no more credits, a lower quota applies as well, and the books stay right."""
    limited = under(store, 3000)
    await store.settings.change(HERE, {CREDITS: 10.0})
    ann = await user_of(store)
    with pytest.raises(NotAllowed, match="denied-credits-day"):
        await accepted(limited, ann, credits=4000)
    await store.settings.change(HERE, {CREDITS: 1.0})
    await refused(limited, ann, 2000)
    await accepted(limited, ann, credits=1000)
    assert ((await limited.ledger.balance(ann)).left, await left(limited, ann)) == (2000, 0)
    assert await books_are_right(limited)


async def test_a_race_for_a_portion_admits_exactly_as_many_as_there_are(store):
    """Of twenty concurrent requests of a member with a limit of five, five are accepted, and later no more than were freed."""
    await store.settings.change(HERE, {CREDITS: 5.0})
    for number in range(3):
        ann = await user_of(store, f"ann {number}")
        asked = [store.jobs.accept([new_job(ann, credits=1000)]) for _ in range(20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [one.problem.key for one in answers if not isinstance(one, tuple)] == ["denied-credits-here"] * 15
        ids = [one[0].id for one in answers if isinstance(one, tuple)]
        again = [store.jobs.accept([new_job(ann, credits=1000)]) for _ in range(10)]
        await asyncio.gather(*again[:5], *(store.jobs.cancel(one) for one in ids[:2]), *again[5:], return_exceptions=True)
        async with store.database.read() as session:
            held = select(func.sum(func.coalesce(JobRow.charged, JobRow.credits))).where(JobRow.person_id == ann)
            assert 3000 <= await session.scalar(held) <= 5000


async def test_two_who_become_one_have_one_portion(shared):
    """After linking, the usage of both accounts counts together, and requests above the quota are refused."""
    ann, eve = await two(shared)
    await accepted(shared, ann, credits=4000)
    await accepted(shared, eve, credits=5000)
    assert await agreed(shared, ann, eve)
    assert await left(shared, ann) == 1000
    await refused(shared, ann, 2000)


async def test_joining_and_parting_in_a_circle_gives_nothing(shared, clock):
    """Unlinking carries the shared usage along, however often, until the day is over."""
    ann, eve = await two(shared)
    await accepted(shared, ann, credits=10_000)
    assert await agreed(shared, ann, eve)
    for _ in range(2):
        new = await shared.linking.part(ann, [UserRef("telegram", "eve")])
        assert (await left(shared, ann), await left(shared, new)) == (0, 0)
        await refused(shared, new, 1)
        assert await agreed(shared, ann, new)
        assert await left(shared, ann) == 0
    clock[0] = NOON + DAY
    assert await left(shared, ann) == 10_000
    new = await shared.linking.part(ann, [UserRef("telegram", "eve")])
    await accepted(shared, new, credits=10_000)


async def test_what_counted_for_both_counts_once_when_they_are_one_again(store, clock):
    """Linking, unlinking and linking again leaves the real usage, in the channel and of the daily allowance, whichever account is kept."""
    limited = under(store, 20_000)
    await limited.settings.change(HERE, {CREDITS: 10.0})
    ann, eve = await two(limited)
    await accepted(limited, ann, credits=1000)
    for used, kept in ((1000, "ann"), (3000, "eve"), (6000, "ann")):
        one, other = (ann, eve) if kept == "ann" else (eve, ann)
        assert await agreed(limited, one, other)
        assert (await left(limited, one), (await limited.ledger.balance(one)).left) == (10_000 - used, 20_000 - used)
        new = await limited.linking.part(one, [UserRef("telegram", "eve") if kept == "ann" else UserRef("discord", "ann")])
        ann, eve = (one, new) if kept == "ann" else (new, one)
        assert {await left(limited, user) for user in (ann, eve)} == {10_000 - used}
        # The separate usage of each counts only for that user, until they are linked again.
        await accepted(limited, ann, credits=1000 if used == 1000 else 2000)
        await accepted(limited, eve, credits=1000)
    assert await books_are_right(limited)
    assert clock


async def test_what_came_back_since_they_parted_counts_for_nobody(shared):
    """A request cancelled after unlinking counts as unused for both, once they are linked again."""
    ann, eve = await two(shared)
    assert await agreed(shared, ann, eve)
    job = await accepted(shared, ann, credits=4000)
    new = await shared.linking.part(ann, [UserRef("telegram", "eve")])
    assert await shared.jobs.cancel(job.id)
    await accepted(shared, ann, credits=3000)
    assert (await left(shared, ann), await left(shared, new)) == (7000, 6000)
    assert await agreed(shared, new, ann)
    assert await left(shared, new) == 7000


async def test_who_is_forgotten_has_no_new_day(store, clock):
    """A deleted user who comes back with either account has used the same credits today, and tomorrow no record of them is left."""
    limited = under(store, 20_000)
    await limited.settings.change(HERE, {CREDITS: 10.0})
    ann, eve = await two(limited)
    await accepted(limited, ann, credits=4000)
    await limited.attempts.finish(await limited.attempts.claim("me"), [whole()], 1.0)
    await accepted(limited, eve, credits=1000)
    assert await agreed(limited, ann, eve)
    await limited.attempts.claim("me")
    await limited.rights.forget(ann)
    # Repeated deletion makes the usage neither less nor more.
    await limited.rights.forget(await user_of(limited, "ann", "discord"))
    ann, eve = await two(limited)
    for user in (ann, eve):
        assert (await left(limited, user), (await limited.ledger.balance(user)).left) == (5000, 15_000)
        assert (await refused(limited, user, 5001))["left"] == 5.0
    assert await agreed(limited, eve, ann)
    assert (await left(limited, eve), (await limited.ledger.balance(eve)).left) == (5000, 15_000)
    assert await books_are_right(limited)
    await limited.rights.forget(eve)
    clock[0] = NOON + DAY
    await limited.rights.sweep()
    assert await count(limited, CountedRow) == 0
    assert [await left(limited, user) for user in await two(limited)] == [10_000, 10_000]


async def test_what_was_used_moves_with_the_place(shared, clock):
    """If a channel's id changes, and a user was there under the new id before, the carried-over usage counts there."""
    old, new = HERE, MessageRef("web", "there")
    ann, eve = await two(shared)
    await accepted(shared, ann, credits=3000)
    assert await agreed(shared, ann, eve)
    bob = await shared.linking.part(ann, [UserRef("telegram", "eve")])
    for user in (ann, bob):
        await accepted(shared, user, credits=1000, channel="there")
    channels = [await shared.people.channel(one) for one in (old, new)]
    async with shared.database.write() as session:
        session.add(MembershipRow(person_id=bob, place_id=channels[1], used=500, day=NOON.date().isoformat()))
    await shared.channels.moved(old, new, lambda message: message)
    assert [(await shared.portions.left(user, new)).left for user in (ann, bob)] == [6000, 5500]
    assert await agreed(shared, bob, ann)
    assert (await shared.portions.left(bob, new)).left == 4500
    assert clock


async def test_what_both_brought_along_adds_up(shared, clock):
    """After two users who were unlinked before are linked, the carried-over usage of both counts, but only of the same day."""
    ann, eve = await two(shared)
    channel = await shared.people.channel(HERE)
    async with shared.database.write() as session:
        for user, used, day in ((ann, 2000, "2026-11-21"), (eve, 3000, "2026-11-21")):
            session.add(MembershipRow(person_id=user, place_id=channel, used=used, day=day))
    assert await agreed(shared, ann, eve)
    assert (await left(shared, ann), len(clock)) == (5000, 1)
    clock[0] = NOON + DAY
    assert await left(shared, ann) == 10_000

"""Merging two users: all data of both is kept, and nothing is counted twice."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from bot.core.values import UserRef
from bot.presets.template import Body
from bot.store.billing.ledger import HOLD, REFUND
from bot.store.database import now
from bot.store.jobs.job import PAUSED, RUNNING, WAITING
from bot.store.tables.core import AccountRow, Base, FavouriteRow, JobRow, LedgerRow, MembershipRow, SettingRow, TurnRow, UserRow
from bot.store.tables.sharing import ShareRow
from bot.store.users.merging import MOVED, PAIRED, RULED
from bot.store.users.users import OPERATOR
from tests.bot.store.linked import HERE, agreed, count, holds_nothing_of, two
from tests.stores import accepted, books_are_right, change_person, done, new_job, under, user_of, whole


@pytest.fixture
def limited(store):
    """Return a store where every user has ten credits a day."""
    return under(store, 10_000)


def test_every_table_has_a_rule():
    """Every table that refers to users has a rule for merging."""
    naming = {table.name for table in Base.metadata.sorted_tables if any(key.column.table.name == "person" for key in table.foreign_keys)}
    assert naming == {row.__tablename__ for row in (*MOVED, *(row for row, _ in PAIRED))} | set(RULED)


async def test_a_day_is_not_doubled(limited):
    """The usage of both counts against one allowance, even if it is more than a day has, and granted credits are all kept."""
    ann, eve = await two(limited)
    await accepted(limited, ann, credits=7000)
    job = await accepted(limited, eve, credits=6000)
    await limited.ledger.grant(eve, 400)
    assert await agreed(limited, ann, eve)
    assert await books_are_right(limited)
    balance = await limited.ledger.balance(ann)
    assert (balance.left, balance.extra) == (0, 400)
    await limited.jobs.cancel(job.id)
    assert (await limited.ledger.balance(ann)).left == 3000
    assert await books_are_right(limited)


async def test_books_that_one_of_them_has(limited):
    """A user without charges adds nothing, and a user who merges into them brings all charges along."""
    ann, eve = await two(limited)
    await accepted(limited, eve, credits=2500)
    assert await agreed(limited, ann, eve)
    assert (await limited.ledger.balance(ann)).left == 7500
    bob = await user_of(limited, "bob")
    assert await agreed(limited, ann, bob)
    assert (await limited.ledger.balance(ann)).left == 7500
    assert await books_are_right(limited)


async def test_what_is_being_painted_is_painted_on(limited):
    """A job that runs while its user is linked finishes for the merged user: pictures, credits and queue state."""
    ann, eve = await two(limited)
    (job,) = await limited.jobs.accept([new_job(eve, credits=0)], "a runner")
    waiting = await accepted(limited, eve, credits=4000)
    claimed = await limited.attempts.claim("b")
    assert (claimed.id, claimed.user) == (waiting.id, eve)
    assert await agreed(limited, ann, eve)

    assert await limited.attempts.beat("a runner", [job.id]) == {job.id}
    assert await limited.attempts.finish(job, [whole()], 3.0)
    assert await limited.attempts.finish(claimed, [], 1.0)

    assert len(await limited.finding.own(ann, "", 1, 1000)) == 1
    assert (await limited.jobs.get(job.id)).user == ann
    assert (await limited.ledger.balance(ann)).left == 10_000
    async with limited.database.read() as session:
        sums = select(func.sum(LedgerRow.amount)).where(LedgerRow.job_id == waiting.id, LedgerRow.kind.in_((HOLD, REFUND)))
        assert await session.scalar(sums) == 0
        assert [row.person_id for row in await session.scalars(select(TurnRow))] == [ann]
    assert await books_are_right(limited)


async def test_what_was_cancelled_in_work_is_settled(limited):
    """The usage of an attempt cancelled before the link is charged to the merged user."""
    ann, eve = await two(limited)
    await accepted(limited, eve, credits=4000)
    job = await limited.attempts.claim("b")
    await limited.jobs.cancel(job.id)
    assert await agreed(limited, ann, eve)
    await limited.attempts.stopped(job, 0.5)
    assert (await limited.ledger.balance(ann)).left == 8000
    assert await books_are_right(limited)


async def test_one_line_of_two(store):
    """The queued jobs of both form one queue in order of arrival, and its virtual finish is the sum of both."""
    ann, eve = await two(store)
    jobs = [await accepted(store, user, cost=4.0) for user in (ann, eve, ann, eve, eve)]
    async with store.database.write() as session:
        await session.execute(update(TurnRow).where(TurnRow.person_id == ann).values(tag=5.0))
        await session.execute(update(TurnRow).where(TurnRow.person_id == eve).values(tag=7.0, waiting=True))
        # Two platforms may deliver requests in the very same microsecond.
        await session.execute(update(JobRow).where(JobRow.id == jobs[1].id).values(rank=jobs[0].rank))
    assert await agreed(store, ann, eve)
    line = await store.jobs.open_of(ann)
    assert {job.id for job in line[:2]} == {job.id for job in jobs[:2]}
    assert [job.id for job in line[2:]] == [job.id for job in jobs[2:]]
    assert len({job.rank for job in line}) == 5
    (stand,) = await store.line.stands()
    assert (stand.user, stand.tag, stand.jobs) == (ann, 12.0, 5)
    claimed = [(await store.attempts.claim("me")).user for _ in range(5)]
    assert claimed == [ann] * 5


async def test_a_key_of_both_means_two_requests(store):
    """If two platforms use the same key, both requests stay, and the kept user's key still finds its request."""
    ann, eve = await two(store)
    one, other = await accepted(store, ann, key="m1"), await accepted(store, eve, key="m1")
    second = await accepted(store, eve, key="m2")
    assert await agreed(store, ann, eve)
    assert {job.id for job in await store.jobs.open_of(ann)} == {one.id, other.id, second.id}
    assert (await accepted(store, ann, key="m1")).id == one.id
    assert (await accepted(store, ann, key="m2")).id == second.id


async def test_what_both_have_is_there_once(store):
    """Votes, reports, favourites and memberships of both for the same object become one, and vote counts follow."""
    ann, eve = await two(store)
    bob = await user_of(store, "bob")
    shares = [await store.boards.share(HERE, bob, words, "{}") for words in ("a", "b")]
    other = (await store.boards.share(HERE, bob, "c", json.dumps({"prompt": "c"}))).id
    share = shares[0].id
    for user in (ann, eve, bob):
        await store.boards.vote(share, user)
    await store.boards.vote(other, eve)
    for user in (ann, eve):
        await store.boards.report(share, user, f"said by {user}")
    (picture,) = await done(store, bob)
    async with store.database.write() as session:
        for user, folder in ((ann, "boats"), (eve, "ships")):
            await session.execute(insert(FavouriteRow).values(person_id=user, picture_id=picture.id, folder=folder))
    assert await agreed(store, ann, eve)
    assert ((await store.boards.get(share)).votes, (await store.boards.get(other)).votes) == (2, 1)
    ((_, reasons),) = await store.boards.reported(shares[0].board, 5)
    assert reasons == (f"said by {ann}",)
    async with store.database.read() as session:
        (favourite,) = await session.scalars(select(FavouriteRow))
    assert (favourite.person_id, favourite.folder) == (ann, "boats")
    assert await holds_nothing_of(store, eve)


async def test_presets_stand_on_one_shelf(store):
    """Presets of both belong to one user; a preset whose name is taken gets a number, and its versions stay."""
    ann, eve = await two(store)
    for user, steps in ((ann, 11), (eve, 22)):
        for name in ("Poster", f"of-{steps}"):
            await store.presets.save(user, name, Body(settings={"steps": steps}))
    await store.presets.save(eve, "poster-2", Body(settings={"steps": 3}))
    await store.presets.save(eve, "Poster", Body(settings={"steps": 23}))
    assert await agreed(store, ann, eve)
    own = {one.name: one for one in await store.presets.of_person(ann)}
    assert sorted(own) == ["Poster", "Poster-2", "of-11", "of-22", "poster-2-2"]
    assert (own["Poster-2"].head, own["Poster-2"].shelf) == (2, ann)
    assert (await store.presets.own(ann, "poster")).id == own["Poster"].id


async def test_presets_on_boards_are_told_apart(store):
    """Of two presets with one name both remain, in their scopes and with different names by which they are found."""
    ann, eve = await two(store)
    for user, words in ((ann, "a cat"), (eve, "a dog")):
        for name in ("poster", "card"):
            await store.presets.save(user, name, Body(prompt=words), tags=["wall"])
    await store.presets.show(await store.presets.own(ann, "poster"), HERE)
    await store.presets.show(await store.presets.own(eve, "card"), HERE)
    assert await agreed(store, ann, eve)
    own = {one.name: one for one in await store.presets.of_person(ann)}
    assert {name: one.body.prompt for name, one in own.items()} == {
        "poster": "a cat",
        "poster-2": "a dog",
        "card": "a cat",
        "card-2": "a dog",
    }
    board = await store.boards.of(HERE)
    assert {name for name, one in own.items() if one.shelf == board} == {"poster", "card-2"}
    for name, one in own.items():
        assert (await store.presets.own(ann, name)).id == one.id
    reader = await store.presets.reader(ann, HERE)
    assert [one.name for one in await store.presets.listed(reader, "poster 2 wall", 0, 1)] == ["poster-2"]
    await store.presets.hide(own["card-2"].id)
    assert (await store.presets.own(ann, "card-2")).shelf == ann


async def test_a_name_is_the_same_however_its_letters_are_written(store):
    """A default preset whose name changes its letters under case folding still refers to the same preset."""
    ann, eve = await two(store)
    name = "\u0390\u03b4\u03c1\u03b1"
    meant = await store.presets.save(eve, name, Body(prompt="of Eve"))
    await store.settings.change(eve, {"preset": name})
    await store.presets.save(ann, name, Body(prompt="of Ann"))
    assert await agreed(store, ann, eve)
    assert (await store.settings.of(ann, HERE)).user == {"preset": f"{name}-2#{meant.id}"}
    assert (await store.presets.own(ann, f"{name}-2")).id == meant.id


@pytest.mark.parametrize("reference", ["mine", "Mine", "mine#{}"])
async def test_a_settled_preset_is_still_the_one_that_was_meant(store, reference):
    """A default preset still refers to the same preset if that has a new name after the link."""
    ann, eve = await two(store)
    await store.presets.save(ann, "mine", Body(prompt="of Ann"))
    meant = await store.presets.save(eve, "mine", Body(prompt="of Eve"))
    await store.settings.change(eve, {"preset": reference.format(meant.id), "steps": 5})
    assert await agreed(store, ann, eve)
    settled = (await store.settings.of(ann, HERE)).user
    assert settled == {"preset": f"mine-2#{meant.id}", "steps": 5}
    found = await store.presets.find(settled["preset"], await store.presets.reader(ann, HERE))
    assert found.body.prompt == "of Eve"


async def test_settings_of_who_agrees_win(store):
    """Defaults set by one of them are kept; if both set a value, the code owner's is used."""
    ann, eve = await two(store)
    await store.settings.change(ann, {"steps": 11})
    await store.settings.change(eve, {"steps": 22, "guidance": 3.0})
    assert await agreed(store, ann, eve)
    assert (await store.settings.of(ann, HERE)).user == {"steps": 11, "guidance": 3.0}
    bob = await user_of(store, "bob")
    assert await agreed(store, bob, ann)
    assert (await store.settings.of(bob, HERE)).user == {"steps": 11, "guidance": 3.0}
    assert await count(store, SettingRow) == 1


async def test_a_link_raises_nobody(store):
    """Role and tier are those of the code's owner; the requester's are dropped."""
    ann, eve = await two(store)
    await store.people.appoint(eve, role=OPERATOR, tier="gold")
    assert await agreed(store, ann, eve)
    joined = await store.people.find(UserRef("telegram", "eve"))
    assert (joined.id, joined.role, joined.tier) == (ann, "", "")


@pytest.mark.parametrize("who", ["maker", "asker"])
async def test_whoever_is_held_back_stays_so(store, who):
    """Linking does not evade a pause by a moderator, for the jobs of either account."""
    ann, eve = await two(store)
    jobs = [await accepted(store, user) for user in (ann, eve)]
    await store.line.pause_person(ann if who == "maker" else eve, paused=True)
    assert await agreed(store, ann, eve)
    assert [(await store.jobs.get(job.id)).state for job in jobs] == [PAUSED, PAUSED]
    assert (await accepted(store, ann)).state == PAUSED
    assert await store.attempts.claim("me") is None
    await store.line.pause_person(ann, paused=False)
    assert len([await store.attempts.claim("me") for _ in range(3)]) == 3


async def test_whoever_is_held_back_in_a_place_stays_so(store):
    """A user paused in one channel under one account is paused there under both, and nowhere else."""
    ann, eve = await two(store)
    here, there = await accepted(store, ann, channel="here"), await accepted(store, ann, channel="there")
    await store.line.pause_member(ann, HERE, paused=False)
    await store.line.pause_member(eve, HERE, paused=True)
    assert await agreed(store, ann, eve)
    assert [(await store.jobs.get(job.id)).state for job in (here, there)] == [PAUSED, WAITING]
    assert await count(store, MembershipRow) == 1


async def test_tokens_and_acts_come_along(store):
    """A token opens the page for the merged user, and the audit log names that user."""
    ann = await user_of(store, "ann", "discord")
    secret = await store.tokens.create("Eve")
    eve = (await store.tokens.holder(secret)).id
    await store.audit.note(eve, "pause", user=eve)
    assert await agreed(store, ann, eve)
    assert (await store.tokens.holder(secret)).id == ann
    (act,) = await store.audit.latest(1)
    assert (act.actor, act.user) == (ann, ann)
    assert (await store.tokens.holder(await store.tokens.create("Eve"))).id == ann


async def test_all_of_one_person_is_given_and_forgotten(store):
    """After a link both accounts have one export with all data, and one deletion removes everything."""
    ann, eve = await two(store)
    for user in (ann, eve):
        await done(store, user, "a boat")
    assert await agreed(store, ann, eve)
    rows = await store.rights.rows(ann)
    assert (len(rows["identity"]), len(rows["picture"])) == (2, 2)
    await store.rights.forget(ann)
    assert (await count(store, UserRow), await count(store, JobRow)) == (0, 0)
    # Both accounts are recognised as deleted if a backup is restored.
    async with store.database.write() as session:
        await session.execute(insert(UserRow).values(id="back", name="Eve"))
        await session.execute(insert(AccountRow).values(platform="telegram", id="eve", person_id="back", created=now() - timedelta(days=1)))
    assert [one.id for one in await store.rights.returned()] == ["back"]


async def test_whoever_came_back_and_is_joined_stays(store):
    """A user who was deleted, came back and was linked to an older account is not treated as restored from a backup."""
    ann, eve = await two(store)
    await change_person(store, ann, created=now() - timedelta(days=9))
    await store.rights.forget(eve)
    eve = await user_of(store, "eve", "telegram")
    assert await agreed(store, ann, eve)
    assert await store.rights.returned() == ()


async def test_requests_that_arrive_meanwhile_are_kept_or_refused(limited):
    """Requests made at the very moment of the link belong to the merged user or are refused, without a deadlock."""
    ann, eve = await two(limited)
    await limited.linking.ask(await limited.linking.make(ann), eve)
    kept = []

    async def ask(user):
        for _ in range(12):
            try:
                kept.append((await accepted(limited, user, credits=100)).id)
            except Exception:
                # The user has been merged in the meantime, so the database refuses the row.
                assert user == eve
                return

    async def paint():
        for _ in range(12):
            if (job := await limited.attempts.claim("me")) is not None:
                assert await limited.attempts.finish(job, [whole()], 1.0)

    async with asyncio.timeout(60):
        joins = (limited.linking.join(ann, eve) for _ in range(5))
        *joined, _, _, _, _ = await asyncio.gather(*joins, ask(ann), ask(eve), paint(), limited.boards.share(HERE, ann, "a", "{}"))
    assert sum(joined) == 1
    async with limited.database.read() as session:
        assert set(await session.scalars(select(JobRow.id))) == set(kept)
        assert set(await session.scalars(select(JobRow.person_id))) == {ann}
        assert set(await session.scalars(select(ShareRow.person_id))) == {ann}
        assert await session.scalar(select(func.count()).where(JobRow.state == RUNNING)) == 0
    assert (await limited.ledger.balance(ann)).left == 10_000 - 100 * len(kept)
    assert await books_are_right(limited)

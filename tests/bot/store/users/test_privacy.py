"""Personal data: users can export all of it, and all of it is deleted with them."""

import asyncio
import hashlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from bot.core.values import MessageRef, UserRef
from bot.presets.template import Body
from bot.store.database import now
from bot.store.jobs.job import RUNNING
from bot.store.store import Store
from bot.store.tables.core import (
    AccountRow,
    Base,
    ChannelRow,
    CountedRow,
    FavouriteRow,
    InboxRow,
    JobRow,
    LedgerRow,
    MembershipRow,
    TombstoneRow,
    UserRow,
)
from bot.store.users.privacy import RULES
from inference.contract.errors import Problem
from inference.contract.provenance import Provenance
from tests.stores import accepted, books_are_right, done, init, new_job, on_board, painted, png, under, user_of

#: Tables whose rows are deleted with a user, together with rows that belong to them.
OWNED = ("person", "job", "picture", "preset", "share")

#: Texts and names of Ann only.
SECRETS = ("Ann Example", "ann-4711", "a purple secret", "--ann-line", "ann-key")


@pytest.fixture
def strict(store):
    """Return a store where every user and every channel has credits."""
    return under(store, 100_000, channel=100_000)


async def everything_of(store, name="Ann Example", id="ann-4711", words="a purple secret", colours=("purple", "plum", "pink")):
    """Create rows of a user in every table; return the user's id and the files that only they use."""
    holder = await store.tokens.holder(await store.tokens.create(name))
    user = holder.id
    await store.people.introduce(UserRef("web", id, name), holder)
    await store.people.introduce(UserRef("telegram", f"{id}00", name), holder)
    file, thumbnail, source = [await store.files.put(png(one)) for one in colours]
    more = {"credits": 1000, "line": f"--{id.partition('-')[0]}-line", "params": json.dumps({"prompt": words})}
    shown = await done(store, user, words, [painted(file=file, thumbnail=thumbnail)], key=f"{id.partition('-')[0]}-key", **more)
    await store.handles.keep("telegram", {picture.id: f"handle of {picture.id}" for picture in shown})
    await accepted(store, user, words, inputs=init(source), channel=id, **more)
    await accepted(store, user, words, channel="group", **more)
    (job,) = await store.jobs.accept([new_job(user, words, **more)], "a runner")
    await store.attempts.fail(job, Problem("memory-spent", {"stage": "decode"}))
    (job,) = await store.jobs.accept([new_job(user, words, **more)], "a runner")
    assert await store.attempts.finish(job, [], 1.0, Provenance(dtype="float32"))
    await store.settings.change(user, {"negative": words})
    await store.audit.note(user, "pause", user=user, channel=await store.people.channel(job.address), facts={"jobs": 3})
    await shared_by(store, user, shown[0].id, words)
    body = json.dumps({"message": {"from": {"id": f"{id}00"}, "text": words}}).encode()
    await store.inbox.take("telegram", [(name[:3], body)])
    async with store.database.write() as session:
        channel = await session.scalar(select(ChannelRow.id).where(ChannelRow.key == "group"))
        await session.execute(insert(MembershipRow).values(person_id=user, place_id=channel))
        await session.execute(insert(CountedRow).values(use="a use", person_id=user, amount=0, day="2026-01-01"))
    return user, {file, thumbnail, source}


async def shared_by(store, user, picture, words):
    """Save a preset and a favourite, use all functions of a board, and leave a link code open."""
    await store.presets.save(user, "poster", Body(prompt=words))
    share = await store.boards.share(MessageRef("web", "group"), user, words, json.dumps({"prompt": words}), picture=picture)
    await store.boards.vote(share.id, user)
    await store.boards.report(share.id, user, words)
    await store.linking.make(user)
    await store.digests.want(await store.people.channel(MessageRef("telegram", f"{user}00")), "", user)
    async with store.database.write() as session:
        await session.execute(insert(FavouriteRow).values(person_id=user, picture_id=picture, folder=words))


async def dump(store):
    """Return the whole contents of the database as one text."""
    async with store.database.read() as session:
        rows = [tuple(row) for table in Base.metadata.sorted_tables for row in await session.execute(select(table))]
    return repr(rows)


async def count(store, table):
    """Return the number of rows of a table."""
    async with store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def keys(store):
    """Return the keys of all files."""
    return {key async for some in store.files.listed() for key in some}


def test_every_table_has_a_rule():
    """Every table has a rule: what in it is personal data, and what happens to that."""
    assert set(RULES) == set(Base.metadata.tables)


def test_rules_agree_with_the_tables():
    """Rows deleted with a user are deleted by the database itself, wherever the deletion comes from."""
    for table in Base.metadata.sorted_tables:
        fates = {key.ondelete for column in table.columns for key in column.foreign_keys if key.column.table.name in OWNED}
        if RULES[table.name].fate == "goes" and table.name not in ("person", "place"):
            assert "CASCADE" in fates, table.name
        if RULES[table.name].fate == "stays":
            assert not fates, table.name
        assert RULES[table.name].why


async def test_all_that_is_kept_is_given(strict):
    """The export has the rows of every table with data of the user, readable, without secrets or data of others."""
    user, files = await everything_of(strict)
    # No random id has so long a name in it.
    await everything_of(strict, "Bartholomew", "bartholomew-1", "a green frog", ("green", "lime", "olive"))

    rows = await strict.rights.rows(user)
    told = json.dumps(rows)

    assert set(rows) == set(RULES)
    assert {name for name, found in rows.items() if found} == {name for name, rule in RULES.items() if rule.fate != "stays"}
    assert all(secret in told for secret in SECRETS)
    assert "bartholomew" not in told.lower()
    assert "frog" not in told
    assert rows["job"][0]["request"]["prompt"]
    assert [job["proof"]["painted"]["dtype"] for job in rows["job"] if job["proof"]] == ["float32"]
    assert any(job["problem"] == {"key": "memory-spent", "facts": {"stage": "decode"}} for job in rows["job"])
    assert not {"digest", "runner"} & {column for found in rows.values() for row in found for column in row}
    assert set(await strict.rights.files(user)) == files


async def test_nothing_is_left_of_who_is_forgotten(strict):
    """After a deletion no text and no file of the user is left in any table, and others keep all of theirs."""
    await everything_of(strict, "Bob", "bob-1", "a green frog", ("green", "lime", "olive"))
    before, bobs_files = await dump(strict), await keys(strict)
    user, files = await everything_of(strict)

    forgotten = await strict.rights.forget(user)

    assert (forgotten.jobs, forgotten.pictures, forgotten.files) == (5, 1, len(files))
    after = await dump(strict)
    assert not [secret for secret in SECRETS if secret in after]
    assert await keys(strict) == bobs_files
    assert all(word in after for word in ("Bob", "bob-1", "a green frog"))
    assert len(await strict.jobs.open_of((await strict.people.find(UserRef("web", "bob-1"))).id)) == 2
    assert after.count("bob-1") == before.count("bob-1")
    assert all(not found for name, found in (await strict.rights.rows(user)).items() if name != "audit")
    assert await books_are_right(strict)


async def test_the_credits_of_a_group_come_back(strict):
    """Credits that a group's account holds for the open jobs of a deleted user are returned to it."""
    user = await user_of(strict)
    await strict.jobs.accept([new_job(user, credits=5000, channel="group")], "a runner")
    await accepted(strict, await user_of(strict, "bob"), credits=1000, channel="group")

    await strict.rights.forget(user)

    assert await books_are_right(strict)
    async with strict.database.read() as session:
        held = -(await session.scalar(select(func.sum(LedgerRow.amount)).where(LedgerRow.kind.in_(("hold", "refund")))))
    # Bob's own hold, once in his account and once in the group's.
    assert held == 2000


async def test_what_is_being_painted_stops(store):
    """A process that runs a job of a deleted user is told that the job is no longer its own, and stores nothing."""
    user = await user_of(store)
    (job,) = await store.jobs.accept([new_job(user)], "a runner")
    assert job.state == RUNNING

    await store.rights.forget(user)

    assert await store.attempts.beat("a runner", [job.id]) == frozenset()
    assert not await store.attempts.finish(job, [painted()], 1.0)
    await store.attempts.stopped(job, 1.0)
    assert await count(store, JobRow) == 0


async def test_places_of_others_stay(store):
    """A group with other users stays, and so does a paused group; the user's private chat is deleted."""
    ann, bob = await user_of(store, "ann"), await user_of(store, "bob")
    for user, channel in ((ann, "ann"), (ann, "group"), (bob, "group"), (ann, "held")):
        await accepted(store, user, channel=channel)
    await store.line.pause_place("web", "held", paused=True)
    await store.line.pause_place("web", "ann", paused=True)

    await store.rights.forget(ann)

    async with store.database.read() as session:
        assert sorted(await session.scalars(select(ChannelRow.key))) == ["group", "held"]
    assert len(await store.jobs.open_of(bob)) == 1


async def test_what_a_group_shares_outlives_who_painted_in_it(strict):
    """After a user is deleted, the board of the group, its rules, digest and credits stay; of the likes one is gone."""
    ann, bob = await user_of(strict, "ann"), await user_of(strict, "bob")
    groups = [MessageRef("web", name) for name in ("sharing", "ruled", "told", "lent")]
    await accepted(under(strict, channel=5000), ann, address=groups[3], credits=100)
    for channel in groups[:3]:
        await accepted(strict, ann, address=channel)
    await on_board(strict, ann, MessageRef("web", "ann"))
    _, code = await on_board(strict, bob, groups[0])
    for user in (ann, bob):
        await strict.boards.vote(code, user)
    await strict.settings.change(groups[1], {"steps": 9})
    await strict.digests.want(await strict.people.channel(groups[2]), "", None)

    await strict.rights.forget(ann)

    async with strict.database.read() as session:
        assert sorted(await session.scalars(select(ChannelRow.key))) == ["lent", "ruled", "sharing", "told"]
    assert (await strict.presets.own(bob, "calm")).shelf == await strict.boards.of(groups[0])
    assert (await strict.boards.get(code)).votes == 1
    assert (await strict.settings.of(bob, groups[1])).channel == {"steps": 9}
    assert await strict.digests.of(groups[2]) is not None
    assert await strict.boards.of(MessageRef("web", "ann")) is None
    assert await books_are_right(strict)


async def test_letters_to_one_of_several_bots_are_found(store):
    """An update that names a user is found under each bot of their platform, and the export leaves out the process that handles it."""
    ann = (await store.people.user(UserRef("telegram", "4711", "Ann"))).id
    await store.inbox.take("telegram:7000000001", [("1", b'{"from":4711}')], "computer/1")
    await store.inbox.take("telegrams", [("2", b'{"from":4711}')])
    (inbox_update,) = (await store.rights.rows(ann))["inbox"]
    assert inbox_update["body"] == '{"from":4711}'
    assert "runner" not in inbox_update
    await store.rights.forget(ann)
    assert await store.inbox.open("telegram:7000000001") == ()
    assert len(await store.inbox.open("telegrams")) == 1


async def test_files_that_others_need_stay(store):
    """A file that another user's picture or request also uses stays."""
    ann, bob = await user_of(store, "ann"), await user_of(store, "bob")
    shared, source, own = [await store.files.put(png(colour)) for colour in ("red", "green", "blue")]
    await done(store, ann, pictures=[painted(0, file=shared, thumbnail=own), painted(1, file=source, thumbnail=own)])
    await done(store, bob, pictures=[painted(file=shared, thumbnail=shared)])
    await accepted(store, bob, inputs=init(source))

    assert (await store.rights.forget(ann)).files == 1
    assert await keys(store) == {shared, source}


async def test_letters_that_name_somebody_else_stay(store):
    """Only updates of the user's own platforms that contain their id as a word are emptied; others stay open."""
    user = (await store.people.user(UserRef("telegram", "4711", "Ann"))).id
    inbox_updates = [("1", b'{"from":4711}'), ("2", b'{"from":47110}'), ("3", b'{"from":14711}'), ("4", b'{"from":"x-4711"}')]
    await store.inbox.take("telegram", inbox_updates)
    await store.inbox.take("discord", [("1", b'{"from":4711}')])

    await store.rights.forget(user)

    assert [inbox_update.update for inbox_update in await store.inbox.open("telegram")] == ["2", "3", "4"]
    assert len(await store.inbox.open("discord")) == 1
    async with store.database.read() as session:
        emptied = await session.scalars(select(InboxRow.body).where(InboxRow.platform == "telegram", InboxRow.done.is_not(None)))
        assert list(emptied) == [b""]


async def test_much_is_forgotten_in_batches(store, monkeypatch):
    """A long history is deleted in several transactions, completely."""
    monkeypatch.setattr("bot.store.users.privacy._BATCH", 3)
    user = await user_of(store)
    await store.jobs.accept([new_job(user) for _ in range(10)])

    assert (await store.rights.forget(user)).jobs == 10
    assert await count(store, JobRow) == await count(store, UserRow) == 0


async def test_who_is_not_there_is_forgotten_already(store):
    """Deleting a user twice, or an unknown user, has no effect."""
    user = await user_of(store)
    await store.rights.forget(user)

    forgotten = await store.rights.forget(user)

    assert (forgotten.jobs, forgotten.pictures, forgotten.files) == (0, 0, 0)


async def test_who_paints_on_while_forgotten_leaves_nothing(store):
    """Requests that arrive while their user is deleted are refused or deleted too, and block no others."""
    ann, bob = await user_of(store, "ann"), await user_of(store, "bob")

    async def ask(user, channel):
        for _ in range(15):
            try:
                await accepted(store, user, channel=channel)
            except Exception:
                # The user is gone, so the database refuses the row.
                assert user == ann
                return

    async with asyncio.timeout(60):
        await asyncio.gather(ask(ann, "group"), ask(bob, "group"), store.rights.forget(ann), ask(ann, "ann"))
    await store.rights.forget(ann)

    assert len(await store.jobs.open_of(bob)) == 15
    assert await store.people.find(UserRef("web", "ann")) is None
    async with store.database.read() as session:
        assert set(await session.scalars(select(JobRow.person_id))) == {bob}


async def restored(store, user, id, created):
    """Insert a user as a backup would restore them."""
    async with store.database.write() as session:
        await session.execute(insert(UserRow).values(id=user, name="Ann", created=created))
        await session.execute(insert(AccountRow).values(platform="web", id=id, person_id=user, created=created))


@pytest.mark.parametrize("with_tombstones", [True, False], ids=["tombstones in the backup", "tombstones beside the pictures"])
async def test_a_restored_backup_is_cleaned_again(store, with_tombstones):
    """A user deleted after a backup is found in the restored backup, even if its tables know nothing of the deletion."""
    user, bob = await user_of(store), await user_of(store, "bob")
    await store.rights.forget(user)
    if not with_tombstones:
        async with store.database.write() as session:
            await session.execute(Base.metadata.tables["tombstone"].delete())
    await restored(store, user, "ann", now() - timedelta(days=3))

    assert [one.id for one in await store.rights.returned()] == [user]
    assert await count(store, TombstoneRow) == 1
    await store.rights.forget(user)
    assert await store.rights.returned() == ()
    assert (await store.people.find(UserRef("web", "bob"))).id == bob


async def test_who_comes_back_by_themselves_stays(store):
    """A deleted user who comes back is a new user, and cleaning a backup does not touch them."""
    await store.rights.forget(await user_of(store))
    again = await user_of(store)

    assert await store.rights.returned() == ()
    await store.rights.forget(again)
    async with store.database.read() as session:
        (tombstone,) = await session.scalars(select(TombstoneRow))
    assert tombstone.digest == hashlib.sha256(b"web:ann").hexdigest()
    assert now() - tombstone.at < timedelta(minutes=1)


async def test_tombstones_name_nobody(store):
    """The records of deleted users, in the tables and beside the pictures, contain no id of any platform."""
    await store.rights.forget((await store.people.user(UserRef("telegram", "47114711", "Ann"))).id)

    assert "47114711" not in await dump(store)
    (name, words) = (await store.files.notes("forgotten")).popitem()
    assert "47114711" not in name + words


async def test_it_works_with_pictures_elsewhere(database):
    """Deletion also works if the pictures are in an object store."""
    from bot.store.images.blobs import BlobStore

    store = Store.of(database, BlobStore(f"memory://{id(database)}"))
    user, files = await everything_of(store)
    assert (await store.rights.forget(user)).files == len(files)
    assert await keys(store) == set()
    await restored(store, user, "ann-4711", now() - timedelta(days=3))
    async with database.write() as session:
        await session.execute(update(UserRow).values(name="Ann"))
    assert [one.id for one in await store.rights.returned()] == [user]

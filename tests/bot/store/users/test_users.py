"""Users, channels and tokens."""

import asyncio
import os
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import func, make_url, select

from bot.core.errors import BadInput
from bot.core.limits import Policy
from bot.core.values import MessageRef, UserRef
from bot.store.database import Database
from bot.store.jobs.job import PAUSED, WAITING
from bot.store.tables.core import AccountRow, Base, ChannelRow, TokenRow, UserRow
from bot.store.users.users import Users
from tests.stores import SERVER, accepted, on_board, user_of


async def count(store, table):
    """Return the number of rows of a table."""
    async with store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def test_somebody_is_one_person(store):
    """Twenty concurrent first messages create one user, and a known user is found again by the same account only."""
    caller = UserRef("web", "1", "Ann")
    assert await store.people.find(caller) is None
    people = await asyncio.gather(*(store.people.user(caller) for _ in range(20)))
    assert len(set(people)) == 1
    assert people[0].name == "Ann"
    renamed = await store.people.user(UserRef("web", "1", "Anna"))
    assert (renamed.id, renamed.name) == (people[0].id, "Anna")
    assert await store.people.find(caller) == renamed


async def test_a_name_is_no_identity(store):
    """A name that looks like an account id finds no user, so no user can pose as another by their name."""
    ann = await store.people.user(UserRef("web", "1", "telegram:12345"))
    assert await store.people.named("telegram:12345") == ()
    assert [one.id for one in await store.people.named("web:1")] == [ann.id]
    bob = await store.people.user(UserRef("web", "2", "Bob"))
    assert await store.people.named("bOB") == await store.people.named(bob.id) == (bob,)


@pytest.mark.parametrize("reference", ["JÖRG", "jörg", "Jörg"])
async def test_names_have_no_case_whatever_the_server_speaks(store, reference):
    """A name is found in any case, no other user's is, and a wildcard of the database stands for itself."""
    joerg, _ = [(await store.people.user(UserRef("web", name, name))).id for name in ("JÖrG", "JÜrG")]
    assert [one.id for one in await store.people.named(reference)] == [joerg]
    assert await store.people.named("j_rg") == await store.people.named("J%") == await store.people.named("Jo\u0308rgen") == ()


async def test_names_have_no_case_where_the_server_knows_no_letters():
    """A PostgreSQL with locale C, which knows only English capitals, finds names like any other."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    name, server = f"test_{uuid4().hex}", make_url(os.environ[SERVER])
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        try:
            async with Database(server.set(database=name).render_as_string(hide_password=False)) as database:
                async with database.connect() as bare:
                    await bare.run_sync(Base.metadata.create_all)
                people = Users(database, Policy())
                joerg = await people.user(UserRef("web", "1", "JÖRG"))
                assert await people.named("Jörg") == (joerg,)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_two_platforms_do_not_share_an_identity(store):
    """The same id on another platform is another user."""
    caller = UserRef("web", "1", "Ann")
    people = [await store.people.user(caller)]
    assert (await store.people.user(UserRef("other", "1", "Ann"))).id != people[0].id
    assert await count(store, UserRow) == await count(store, AccountRow) == 2


async def test_a_language_is_remembered_as_said_last(store):
    """The language that a platform reports is kept until it reports another; a user's choice overrides it until it is reset."""
    ann = await store.people.user(UserRef("web", "1", "Ann", language="de-AT"))
    assert ann.speaks() == "de-AT"
    assert (await store.people.user(UserRef("web", "1"))).speaks() == "de-AT"
    assert (await store.people.user(UserRef("web", "1", language="es"))).speaks() == "es"
    await store.people.address_in(ann.id, "en")
    assert (await store.people.user(UserRef("web", "1", language="de"))).speaks() == "en"
    await store.people.address_in(ann.id, "")
    known = await store.people.find(UserRef("web", "1"))
    assert (known.name, known.speaks()) == ("Ann", "de")


async def test_a_locale_is_short(store):
    """An invalid locale is stored no longer than a locale is."""
    assert len((await store.people.user(UserRef("web", "1", language="x" * 5_000))).locale) < 100


async def test_a_place_is_one_place(store):
    """Concurrent first messages of several users in a new channel create one channel."""
    people = [await user_of(store, str(number)) for number in range(10)]
    await asyncio.gather(*(accepted(store, user, channel="new") for user in people))
    await accepted(store, people[0], channel="other")
    assert await count(store, ChannelRow) == 2


async def test_a_token_lets_its_person_in(store):
    """A token opens the page for one user until it is revoked, and the secret itself is not stored."""
    secret = await store.tokens.create("Ann")
    second = await store.tokens.create("Ann")
    other = await store.tokens.create("Bob")
    ann = await store.tokens.holder(secret)
    assert ann == await store.tokens.holder(second)
    assert ann.name == "Ann"
    assert (await store.tokens.holder(other)).id != ann.id
    for wrong in ("", secret[:-1], secret.swapcase(), "' OR 1=1 --", "\0", "\ud800"):
        assert await store.tokens.holder(wrong) is None
    async with store.database.read() as session:
        assert not any(secret in digest for digest in await session.scalars(select(TokenRow.digest)))
    assert await store.tokens.revoke("Ann") == 2
    assert await store.tokens.revoke("Ann") == 0
    assert await store.tokens.holder(secret) is None
    assert (await store.tokens.holder(other)).name == "Bob"
    assert await store.tokens.holder(await store.tokens.create("Ann")) == ann


async def test_a_name_is_one_person_however_many_tokens_are_made_at_once(store):
    """Ten concurrent first tokens of one name belong to one user, and a token without a name is refused."""
    secrets = await asyncio.gather(*(store.tokens.create("Ann") for _ in range(10)))
    assert len({await store.tokens.holder(secret) for secret in secrets}) == 1
    assert len(set(secrets)) == 10
    assert await count(store, UserRow) == 1
    with pytest.raises(BadInput, match="input-token-name"):
        await store.tokens.create(" ")


async def test_a_place_that_moved_calls_its_messages_otherwise(store):
    """All data of a moved channel belongs to the new channel with the new message ids, and a second move changes nothing."""
    ann = await user_of(store)
    old, new = MessageRef("web", "old", "7"), MessageRef("web", "new", "8")
    first, second = await accepted(store, ann, address=old), await accepted(store, ann, "a boat", address=new)
    for _ in range(2):
        await store.channels.moved(old, new, lambda message: f"{message}, there")
    assert (await store.jobs.get(first.id)).address == MessageRef("web", "new", "7, there")
    assert (await store.jobs.get(second.id)).address == new
    await store.channels.moved(MessageRef("web", "nowhere"), new, lambda _: "lost")
    third = await accepted(store, ann, "a tree", address=MessageRef("web", "alone", "9"))
    await store.channels.moved(third.address, MessageRef("web", "free"), lambda _: "")
    assert (await store.jobs.get(third.id)).address == MessageRef("web", "free")


@pytest.mark.parametrize("known", [False, True])
async def test_a_place_that_moved_keeps_what_it_shared_and_settled(store, known):
    """Board, rules and paused members move to a channel id that was used before, and settings made there since then are kept."""
    ann, eve = await user_of(store), await user_of(store, "eve")
    old, new = MessageRef("web", "old"), MessageRef("web", "new")
    await accepted(store, ann, address=old)
    preset, _ = await on_board(store, ann, old)
    await store.settings.change(old, {"steps": 9, "guidance": 3.0})
    await store.line.pause_member(eve, old, paused=True)
    await accepted(store, eve, address=new)
    if known:
        await store.settings.change(new, {"steps": 7})
        await store.boards.share(new, ann, "a blue star", '{"prompt": "a blue star"}')
    for _ in range(2):
        await store.channels.moved(old, new, lambda message: message)
    board = await store.boards.of(new)
    words = {one.words for one in await store.boards.page([board], "new", 0, 9)}
    assert words == {"a blue {prompt}", "a red circle", *(["a blue star"] if known else [])}
    assert (await store.presets.own(ann, preset)).shelf == board
    assert (await store.settings.of(ann, new)).channel == {"steps": 7 if known else 9, "guidance": 3.0}
    assert (await accepted(store, eve, address=new)).state == PAUSED
    assert (await accepted(store, ann, address=new)).state == WAITING


async def test_a_place_that_is_held_back_stays_so_where_it_moves(store):
    """A new channel id does not evade a pause of the channel."""
    ann = await user_of(store)
    old, new = MessageRef("web", "old"), MessageRef("web", "new")
    await store.line.pause_place("web", "old", paused=True)
    await accepted(store, ann, address=new)
    await store.channels.moved(old, new, lambda message: message)
    assert (await accepted(store, ann, address=new)).state == PAUSED

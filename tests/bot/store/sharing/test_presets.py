"""Stored presets: each name of a user is one preset, however many saves run at the same time."""

import asyncio
from contextlib import contextmanager

import pytest
from sqlalchemy import event, func, select

from bot.core.values import MessageRef
from bot.presets.template import Body, key_of
from bot.store.sharing.preset import New
from bot.store.sharing.preset_names import free_name
from bot.store.tables.sharing import PresetVersionRow
from tests.stores import user_of
from tests.stores import usual_server as server

__all__ = ["server"]

HERE = MessageRef("web", "here")


def new(name, words, **more):
    """Return a preset to save."""
    return New(name=name, body=Body(prompt=words), **more)


async def words_of(store, user):
    """Return the prompts of a user's presets, by name."""
    return {one.name: one.body.prompt for one in await store.presets.of_person(user)}


@contextmanager
def statements(store):
    """Record the statements that a database receives."""
    asked, engine = [], store.database.engine.sync_engine

    def note(_connection, _cursor, statement, *_more):
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("calm", (), "calm"),
        ("calm", ("calm",), "calm-2"),
        ("Calm", ("calm", "calm-2", "calm-4"), "Calm-3"),
        ("a" * 32, ("a" * 32,), "a" * 30 + "-2"),
        ("a" * 32, ("a" * 32, *(f"{'a' * (31 - len(str(one)))}-{one}" for one in range(2, 1000))), "a" * 27 + "-1000"),
    ],
)
def test_a_taken_name_gets_a_number(name, taken, free):
    """A taken name gets the first free number, and is still a valid preset name."""
    assert free_name(name, taken) == free
    assert key_of(free) == free.casefold()


async def test_many_are_kept_in_few_questions(store):
    """Saving three hundred presets needs about as many queries as saving three, whatever their names."""
    ann = await user_of(store)
    with statements(store) as few:
        await store.presets.save_all(ann, [new("same", f"cat {number}") for number in range(3)])
    with statements(store) as many:
        await store.presets.save_all(ann, [new("same", f"dog {number}") for number in range(300)])
    assert len(many) <= len(few) + 2
    kept = await words_of(store, ann)
    assert (len(kept), kept["same"], kept["same-4"], kept["same-303"]) == (303, "cat 0", "dog 0", "dog 299")
    reader = await store.presets.reader(ann, HERE)
    assert [one.name for one in await store.presets.listed(reader, "303", 0, 5)] == ["same-303"]


async def test_what_comes_in_twice_is_there_once(store):
    """Importing a file again changes nothing, a different preset under a taken name gets a number, and an archived preset returns."""
    ann = await user_of(store)
    some = [new("calm", "a cat", tags=("Blue",)), new("calm", "a dog"), new("calm", "a dog"), new("loud", "a bird")]
    for _ in range(3):
        await store.presets.save_all(ann, some)
    assert await words_of(store, ann) == {"calm": "a cat", "calm-2": "a dog", "loud": "a bird"}
    assert {one.version for one in await store.presets.of_person(ann)} == {1}
    assert (await store.presets.own(ann, "calm")).tags == ("blue",)
    archived = await store.presets.own(ann, "loud")
    await store.presets.archive(archived.id)
    await store.presets.save_all(ann, [new("loud", "a song")])
    again = await store.presets.own(ann, "loud")
    assert (again.id, again.version, again.archived, again.body.prompt) == (archived.id, 2, False, "a song")
    await store.presets.save_all(ann, [])


async def test_what_comes_in_at_once_is_all_there(store):
    """Files imported at the same moment, while presets are also saved by hand, are all kept, each name once."""
    ann = await user_of(store)
    files = [[new(f"n{number}", f"{file} {number}") for number in range(5)] for file in ("a", "b", "c")]
    saves = [store.presets.save(ann, "n0", Body(prompt=f"by hand {number}")) for number in range(5)]
    await asyncio.gather(*(store.presets.save_all(ann, file) for file in files), *saves)
    presets = await store.presets.of_person(ann)
    assert len({key_of(one.name) for one in presets}) == len(presets)
    async with store.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(PresetVersionRow)) == 20
    assert sum(one.head for one in presets) == 20


async def test_versions_are_counted_one_by_one(store):
    """Ten concurrent saves of one name make one preset with ten versions; tags and picture stay unless new values are given."""
    ann = await user_of(store)
    await store.presets.save(ann, "calm", Body(prompt="first"), tags=["Blue", "blue", "sea"])
    await asyncio.gather(*(store.presets.save(ann, "CALM", Body(prompt=f"{number}")) for number in range(9)))
    (one,) = await store.presets.of_person(ann)
    assert (one.name, one.head, one.tags) == ("calm", 10, ("blue", "sea"))
    assert {(await store.presets.get(one.id, version)).version for version in range(1, 11)} == set(range(1, 11))
    assert (await store.presets.save(ann, "calm", Body(prompt="last"), tags=[])).tags == ()

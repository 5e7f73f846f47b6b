"""Search for pictures and presets on both databases: the results, their order, and who can see them."""

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text, update

from bot.core.values import MessageRef
from bot.presets.template import Body
from bot.store import schema
from bot.store.database import Database, now
from bot.store.images import search, search_terms
from bot.store.images.search import SearchQuery
from bot.store.sharing.presets import Reader
from bot.store.store import Store
from bot.store.tables import search_index
from bot.store.tables.core import PictureRow
from bot.store.tables.sharing import PresetRow
from bot.store.users import privacy_sqlite
from tests.stores import ALL, done, new_job, painted, request_of, some, user_of

HERE = MessageRef("web", "here")


def words_of(found):
    """Return the prompts of found pictures."""
    return [one.words for one in found.pictures]


async def seek(store, user, words="", page=1, most=50, **more):
    """Return the search results among a user's own pictures."""
    sought = {"people": (user,), "here": HERE, "words": search_terms.words_of(words), **more}
    return await store.finding.pictures(SearchQuery(user=user, **sought), page, most)


async def with_model(store, user, words, model, preset=None, seed=7):
    """Store a picture made by a model with a preset."""
    params = f'{{"prompt": "x", "preset": "{preset}"}}' if preset else "{}"
    job = new_job(user, words, request=request_of(words, model=model), params=params)
    (job,) = await store.jobs.accept([job], "a runner")
    assert await store.attempts.finish(job, [painted(seed and 0)], 1.0)


async def test_filters_are_met_together(store):
    """Words, model, preset and seed each narrow the search, alone and together."""
    ann = await user_of(store)
    await with_model(store, ann, "a red circle", "demo", "Poster@3#abc")
    await with_model(store, ann, "a red square", "demo")
    await with_model(store, ann, "a red star", "SD 1.5/base")
    assert words_of(await seek(store, ann, "red", model="DEMO")) == ["a red square", "a red circle"]
    assert words_of(await seek(store, ann, model="sd 1.5/base")) == ["a red star"]
    assert words_of(await seek(store, ann, preset="poster")) == ["a red circle"]
    assert words_of(await seek(store, ann, preset="post")) == []
    assert words_of(await seek(store, ann, "square", preset="poster")) == []
    assert len(words_of(await seek(store, ann, seed=2**32 - 1))) == 3
    assert words_of(await seek(store, ann, "star", seed=2**32 - 1)) == ["a red star"]
    assert words_of(await seek(store, ann, seed=7)) == []


@pytest.mark.parametrize("words", ["", "red"])
async def test_before_a_moment(store, words):
    """The filter `before` finds only pictures from before that moment, with and without words."""
    ann, middle = await user_of(store), now() - timedelta(days=7)
    for number, days in enumerate((9, 8, 6, 5)):
        (picture,) = await done(store, ann, f"red {number}")
        async with store.database.write() as session:
            await session.execute(update(PictureRow).where(PictureRow.id == picture.id).values(created=now() - timedelta(days=days)))
    assert words_of(await seek(store, ann, words, before=middle)) == ["red 1", "red 0"]
    assert (await seek(store, ann, words, before=middle)).count == 2


@pytest.mark.parametrize("words", ["", "red"])
async def test_others_are_seen_where_they_painted(store, words):
    """Other users' pictures are found only in the channel where they were made."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    for channel, what in (("here", "a red boat"), ("bob", "a red secret")):
        await done(store, bob, what, channel=channel)
    await done(store, ann, "a red hat", channel="ann")
    assert words_of(await seek(store, ann, words, people=(bob,))) == ["a red boat"]
    assert words_of(await seek(store, ann, words, people=(bob, ann))) == ["a red hat", "a red boat"]
    assert words_of(await seek(store, ann, words, people=(bob,), here=MessageRef("telegram", "here"))) == []
    assert words_of(await seek(store, bob, words)) == ["a red secret", "a red boat"]
    assert words_of(await seek(store, ann, words)) == ["a red hat"]


@pytest.mark.parametrize("words", ["", "red"])
async def test_favourites_by_folder(store, words):
    """A user's favourites are found by mark and folder, newest first, as long as they can see them; marks of others do not count."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    (first,) = await done(store, ann, "red one")
    (theirs,) = await done(store, bob, "red two")
    (elsewhere,) = await done(store, bob, "red three", channel="bob")
    await done(store, ann, "red four")
    for picture, folder in ((first, "best"), (theirs, ""), (elsewhere, "best")):
        await store.favourites.mark(ann, picture.id, folder)
    await store.favourites.mark(bob, elsewhere.id, "own")
    assert words_of(await seek(store, ann, words, people=(), marked=True)) == ["red two", "red one"]
    assert words_of(await seek(store, ann, words, people=(), marked=True, folder="best")) == ["red one"]
    assert words_of(await seek(store, bob, words, people=(), marked=True)) == ["red three"]
    assert await store.finding.folders(ann, 9) == ("best",)
    await store.favourites.mark(ann, theirs.id, "best")
    assert await store.favourites.folder(ann, theirs.id) == "best"
    await store.favourites.unmark(ann, theirs.id)
    assert await store.favourites.folder(ann, theirs.id) is None


async def test_counting_ends_somewhere(store, monkeypatch):
    """Counting stops at a limit and reports more; the pages continue beyond it with each picture once."""
    monkeypatch.setattr(search, "MOST_COUNTED", 5)
    monkeypatch.setattr(search, "_LATEST", 7)
    ann = await user_of(store)
    for number in range(3):
        await done(store, ann, f"red {number}", [painted(index) for index in range(4)])
    for words in ("", "red"):
        pages = [await seek(store, ann, words, page, 5) for page in (1, 2, 3, 4)]
        assert [len(one.pictures) for one in pages] == [5, 5, 2, 0]
        assert {(one.count, one.more) for one in pages} == {(5, True)}
        shown = [(one.words, one.index) for page in pages for one in page.pictures]
        assert shown == [(f"red {number}", index) for number in (2, 1, 0) for index in (3, 2, 1, 0)]
    assert ((await seek(store, ann, "2")).count, (await seek(store, ann, "2")).more) == (4, False)


async def test_what_is_deleted_or_given_away_is_found_accordingly(store):
    """A deleted picture is not found any more, and a picture with a new owner is found only by that owner."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    (first,), (second,) = await done(store, ann, "red one"), await done(store, ann, "red two")
    await store.pictures.delete(first.id)
    assert words_of(await seek(store, ann, "red")) == ["red two"]
    async with store.database.write() as session:
        await session.execute(update(PictureRow).where(PictureRow.id == second.id).values(person_id=bob))
    assert words_of(await seek(store, ann, "red")) == []
    assert words_of(await seek(store, bob, "red")) == ["red two"]
    await store.rights.forget(bob)
    assert await consistent(store)


async def consistent(store):
    """Return whether SQLite's indexes contain the same words as the tables."""
    if store.database.is_sqlite:
        async with store.database.write() as session:
            for table in ("picture", "preset"):
                await session.execute(text(f"INSERT INTO {table}_search ({table}_search, rank) VALUES ('integrity-check', 1)"))
                rows = await session.scalar(text(f"SELECT count(*) FROM {table}"))
                assert await session.scalar(text(f"SELECT count(*) FROM {table}_number")) == rows
    return True


@pytest.mark.parametrize("pages", some([1, 400], 2))
async def test_no_word_is_left_in_the_file(store, monkeypatch, pages):
    """After a user is deleted no word of theirs is left in the file or beside it, even if the index is merged in tiny steps."""
    if not store.database.is_sqlite:
        pytest.skip("the files of PostgreSQL are its own")
    monkeypatch.setattr(privacy_sqlite, "_PAGES_AT_ONCE", pages)
    bob, merged = await user_of(store, "bob"), []
    event.listen(store.database.engine.sync_engine, "before_cursor_execute", lambda *given: merged.append("'merge'" in given[2]))
    for name in ("ann", "eve", "zoe"):
        ann = await user_of(store, name)
        for number in range(60 if ALL else 20):
            await done(store, bob, f"a plain boat {number}")
            await done(store, ann, f"a zyxwvut{number} qqjxk{number}")
        kept = await store.presets.save(ann, "vqzzkx", Body(prompt="a wkkzzq poster"), tags=["jjqqvv"])
        await store.presets.save(ann, "vqzzkx", Body(prompt="a wqqzzk poster"))
        await store.presets.used([kept.id])
        secrets = (b"zyxwvut", b"qqjxk", b"vqzzkx", b"wkkzzq", b"wqqzzk", b"jjqqvv")
        assert all(any(secret in data for data in files_of(store)) for secret in secrets)
        merged.clear()
        await store.rights.forget(ann)
        assert not [secret for secret in secrets for data in files_of(store) if secret[1:] in data]
        # If SQLite can wipe deleted data itself, an index is rebuilt once, and never again.
        assert any(merged) is (name == "ann" or sqlite3.sqlite_version_info < privacy_sqlite._WIPES)
    assert len((await seek(store, bob, "boat")).pictures) == 50
    assert await consistent(store)


async def test_an_older_sqlite_reads_on(store, monkeypatch):
    """A file whose indexes a newer SQLite wiped is made readable by an older SQLite at its start, and all pictures are found."""
    if not store.database.is_sqlite:
        pytest.skip("PostgreSQL has an index of its own")
    ann, bob = await user_of(store), await user_of(store, "bob")
    for user in (ann, bob):
        await done(store, user, "a red circle")
        await store.presets.save(user, "calm", Body(prompt="a calm {prompt}"))
    await store.rights.forget(ann)
    async with store.database.write() as session:
        for table in ("picture", "preset"):
            await session.execute(text(f"INSERT OR REPLACE INTO {table}_search_config VALUES ('secure-delete', 1), ('version', 5)"))
    monkeypatch.setattr("bot.store.users.privacy_sqlite._WIPES", (99, 0, 0))
    async with Database(store.database.url) as again:
        await schema.prepare(again)
        older = Store.of(again, store.files)
        await done(older, bob, "a blue circle")
        assert words_of(await seek(older, bob, "circle")) == ["a blue circle", "a red circle"]
        assert [one.name for one in await older.presets.listed(Reader(bob), "calm", 0, 1)] == ["calm"]
        await older.rights.forget(bob)
        assert await consistent(older)


def files_of(store):
    """Return the contents of a SQLite database's files."""
    from pathlib import Path

    file = Path(store.database.name)
    return [one.read_bytes() for one in file.parent.glob(f"{file.name}*")]


async def test_names_of_presets_are_completed(store):
    """Completed names come in order, the nearest scope first, each once; archived and invisible presets are left out."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    for user, name in ((ann, "Poster"), (ann, "post-card"), (ann, "boat"), (bob, "Posh"), (bob, "postal"), (bob, "poster")):
        kept = await store.presets.save(user, name, Body(prompt="x"))
        if name in ("Posh", "poster"):
            await store.presets.show(kept, None)
    reader = Reader(ann)
    assert await store.presets.complete(reader, "PoS", 9) == ("post-card", "Poster", "Posh", "poster")
    assert await store.presets.complete(reader, "poster", 9) == ("Poster", "poster")
    assert await store.presets.complete(reader, "pos", 1) == ("post-card",)
    assert await store.presets.complete(reader, "%", 9) == await store.presets.complete(reader, "x", 9) == ()
    await store.presets.archive((await store.presets.own(ann, "post-card")).id)
    assert await store.presets.complete(reader, "post", 9) == ("Poster", "poster")


@pytest.mark.parametrize("most_ranked", [500, 1])
async def test_presets_are_found_by_their_words(store, monkeypatch, most_ranked):
    """Name, tags and prompt are searched, the last word as a prefix, and only visible presets are found."""
    monkeypatch.setattr("bot.store.sharing.preset_search._MOST_RANKED", most_ranked)
    ann, bob = await user_of(store), await user_of(store, "bob")
    await store.presets.save(ann, "noir", Body(prompt="a {title} at night"), tags=["Films"])
    hidden = await store.presets.save(bob, "secret", Body(prompt="a night of his own"))
    reader = Reader(ann)

    async def listed(words):
        # Built-in presets have no id.
        return [one.name for one in await store.presets.listed(reader, words, 0, 2) if one.id]

    assert await listed("night") == await listed("film") == await listed("NOI") == await listed("nights fil") == ["noir"]
    assert await listed("day") == []
    await store.presets.show(hidden, None)
    await store.presets.used([hidden.id])
    assert (await listed("night"))[0] == "secret"
    await store.presets.save(ann, "noir", Body(prompt="a day"))
    assert await listed("day") == ["noir"]
    assert await listed("night") == ["secret"]
    assert await consistent(store)


async def test_the_index_is_used(store):
    """A search with words uses the word index, and completing a name uses the index of scopes and names."""
    if not store.database.is_sqlite:
        pytest.skip("PostgreSQL plans by how much there is; the benchmark measures it")
    question, given = search._question(SearchQuery(user="ann", people=("ann",), words=("red",)), is_sqlite=True)
    async with store.database.read() as session:
        asked = search._asked("EXPLAIN QUERY PLAN " + question.format(order=f" ORDER BY {search._BY_NUMBER} LIMIT 3"), given)
        plan = [row[3] for row in await session.execute(asked)]
        prefix = "EXPLAIN QUERY PLAN SELECT name FROM preset WHERE shelf = 'a' AND key >= 'b' AND key < 'c' ORDER BY key"
        shelf = [row[3] for row in await session.execute(text(prefix))]
    assert plan[0].startswith("SCAN picture_search VIRTUAL TABLE")
    assert not [step for step in (*plan, *shelf) if "TEMP B-TREE" in step]
    assert "uq_preset_shelf_key" in shelf[0] or "autoindex_preset" in shelf[0]


async def test_what_search_needs_is_missed(store):
    """If parts of the search are missing in a database, each of them is named."""
    from tests.bot.store.test_schema import change

    assert await schema.differences(store.database) == ()
    if store.database.is_sqlite:
        await change(store.database, "DROP TRIGGER picture_search_gone", "DROP TABLE preset_search")
        assert set(await schema.differences(store.database)) == {"picture_search_gone", "preset_search"}
    else:
        await change(store.database, "DROP INDEX picture_search", "DROP INDEX preset_prefix")
        assert set(await schema.differences(store.database)) == {"picture_search", "preset_prefix"}


async def objects(database):
    """Return the schema objects of the search as the database reports them."""
    if database.is_sqlite:
        names = [name for table in ("picture", "preset") for name in search_index._names(table)]
        wanted = f"SELECT name, sql FROM sqlite_master WHERE name IN ({', '.join(map(repr, names))})"
    else:
        wanted = "SELECT indexname, split_part(indexdef, 'USING', 2) FROM pg_indexes WHERE schemaname = ANY(current_schemas(false))"
        wanted += f" AND indexname IN {search_index.NAMES}"
    async with database.read() as session:
        return {(name, sql) for name, sql in await session.execute(text(wanted))}


async def test_an_upgrade_fills_the_index(url):
    """After an upgrade, older rows are in the index, and its objects equal those of a new database."""
    from tests.bot.store.test_schema import fill, rows_of_the_sharing_revision

    async with Database(url) as database:
        await schema.upgrade(database, "2026_11_22_sharing")
        await fill(database, rows_of_the_sharing_revision())
        await schema.upgrade(database)
        store = Store.of(database, None)
        assert (await seek(store, "ann", "circle")).count > 10
        assert [one.id for one in (await seek(store, "bob", "red", people=("ann", "bob", "eve"), preset="poster")).pictures] == ["pj20"]
        assert [one.name for one in await store.presets.listed(Reader("bob"), "bare", 0, 1)] == ["bare"]
        assert [one.name for one in await store.presets.listed(Reader("ann"), "night poster", 0, 1)] == ["Poster"]
        assert await consistent(store)
        upgraded = await objects(database)
        await schema.downgrade(database, "base")
        assert await objects(database) == set()
        await schema.upgrade(database)
        assert await objects(database) == upgraded


async def test_terms_are_kept_with_the_row(store):
    """A picture's terms are its words and its tags, whatever process generated it."""
    ann = await user_of(store)
    await with_model(store, ann, "Two Red Circles", "demo", "poster@1")
    async with store.database.read() as session:
        assert await session.scalar(select(PictureRow.terms)) == f"two red circle =demo #{2**32 - 1} +poster"
        assert (await session.scalars(select(PresetRow))).all() == []

"""Preset search on both databases: found, listed and completed the same way, whatever is typed."""

import pytest

from bot.presets.template import Body
from bot.store.sharing.presets import Reader
from tests.stores import done, user_of


@pytest.mark.parametrize("version", ["99999999999999999999", "9" * 5_000, "2", "x", "-1", "٣"])
async def test_versions_that_there_are_not(store, version):
    """A version that a preset does not have finds nothing, however many digits it has."""
    ann = await user_of(store)
    await store.presets.save(ann, "poster", Body(prompt="a poster"))
    assert await store.presets.find(f"poster@{version}", Reader(ann)) is None


@pytest.mark.parametrize("typed", ["bold", "𝐛𝐨𝐥𝐝", "BOLD", "tel", "𝐁𝐎𝐋𝐃"])
async def test_letters_of_any_make_are_letters(store, typed):
    """Mathematical bold letters and ligature signs are found by plain letters, and the other way round."""
    ann = await user_of(store)
    (picture,) = await done(store, ann, "𝐁𝐨𝐥𝐝 ℡")
    (plain,) = await done(store, ann, "a bold tel")
    assert {one.id for one in await store.finding.own(ann, typed, 1, 9)} == {picture.id, plain.id}


async def test_one_and_several_find_each_other(store):
    """A typed word, complete or not, finds its singular and its plural."""
    ann = await user_of(store)
    for words in ("a movie", "two movies", "a house", "houses", "a cityscape", "cities"):
        await done(store, ann, words)

    async def found(typed):
        return {one.words for one in await store.finding.own(ann, typed, 1, 9)}

    for typed in ("mov", "movi", "movie", "movies"):
        assert await found(typed) == {"a movie", "two movies"}
    for typed in ("hous", "house", "houses"):
        assert await found(typed) == {"a house", "houses"}
    assert await found("city") == {"a cityscape", "cities"}
    assert await found("cities") == {"cities"}


@pytest.mark.parametrize("words", ["", "circle", "circ"])
async def test_of_many_the_newest_are_ranked(store, monkeypatch, words):
    """If there are too many presets, both databases rank the same newest presets, and give them in one order on all pages."""
    monkeypatch.setattr("bot.store.sharing.preset_search._MOST_RANKED", 5)
    ann, bob = await user_of(store), await user_of(store, "bob")
    made = []
    for number, name in enumerate(("a", "B", "c-d", "ca", "Ä", "z", "y", "x")):
        made.append(await store.presets.save(ann if number % 2 else bob, name, Body(prompt="a red circle")))
        await store.presets.show(made[-1], None)
        await store.presets.used([made[-1].id] * (number % 3))
    pages = [await store.presets.listed(Reader(ann), words, first, 2) for first in (0, 2, 4)]
    listed = [one.name for page in pages for one in page if one.id]
    assert listed == ["z", "x", "Ä", "ca", "y"]

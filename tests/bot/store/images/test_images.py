"""Finished pictures: history and deletion."""

import asyncio

import pytest

from tests.stores import accepted, done, init, painted, user_of
from tests.stores import usual_server as server

__all__ = ["server"]


async def found(store, user, words, page=1, most=50):
    """Return the prompts of the pictures that a search finds."""
    pictures = await store.finding.own(user, words, page, most)
    assert len(await store.finding.own(user, words, 1, 1000)) >= len(pictures)
    return [one.words for one in pictures]


async def test_pictures_come_back_whole(store):
    """A picture keeps its file, size and seed, however large the seed, and belongs to its job and user."""
    ann = await user_of(store)
    first, second = await done(store, ann, "a cat", (painted(0), painted(1, file="c" * 64 + ".png")))
    assert await store.pictures.get(first.id) == first
    assert (first.words, first.user, first.index, first.seed, first.bytes) == ("a cat", ann, 0, 2**32 - 1, 70)
    assert (second.index, second.file) == (1, "c" * 64 + ".png")
    assert await store.pictures.get("nothing\0") is None
    assert await store.pictures.holder(second.file) == (second,)
    assert set(await store.pictures.holder(first.thumbnail)) == {first, second}
    assert await store.pictures.of_jobs([]) == {}


async def test_history_is_searched_by_words(store):
    """Every word has to match, in any order and case; the newest picture comes first, and other users' pictures never appear."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    for words in ("a red circle", "a Red square", "an ÄPFEL pie"):
        await done(store, ann, words)
    await done(store, bob, "a red triangle")
    assert await found(store, ann, "") == ["an ÄPFEL pie", "a Red square", "a red circle"]
    assert await found(store, ann, "RED") == ["a Red square", "a red circle"]
    assert await found(store, ann, "circle  red") == ["a red circle"]
    assert await found(store, ann, "äpfel") == ["an ÄPFEL pie"]
    assert await found(store, ann, "red circle blue") == []
    assert await found(store, ann, "red circ") == ["a red circle"]
    for length in (3, 4, 5):
        assert await found(store, ann, "squares"[:length]) == ["a Red square"]
        assert await found(store, ann, "squares"[:length] + "z") == []
    assert await found(store, ann, "circ red") == await found(store, ann, "ci") == []
    assert await found(store, bob, "circle") == []


@pytest.mark.parametrize(
    "words", ["100%", "a_b", "it's", '"quoted"', "back\\slash", "[a-z]*", "x'); DROP TABLE picture; --", "é\N{SNOWMAN}", "@ann ^public"]
)
async def test_signs_mean_nothing(store, words):
    """Whatever signs a search contains, it searches for the words between them: it finds its own prompt, and none without these words."""
    ann = await user_of(store)
    for one in (words, "plain text"):
        await done(store, ann, one)
    assert await found(store, ann, words) == [words]


@pytest.mark.parametrize("words", ["/", "%", "* OR *", '"', "'"])
async def test_signs_alone_find_nothing(store, words):
    """A search without words finds nothing, rather than everything."""
    ann = await user_of(store)
    await done(store, ann, f"a red circle {words}")
    assert await found(store, ann, words.replace("OR", "")) == []


async def test_odd_searches_find_what_they_can(store):
    """NUL, lone surrogates, very many words and very long words raise nothing."""
    ann = await user_of(store)
    await done(store, ann, "a red circle")
    assert await found(store, ann, "re\0d") == ["a red circle"]
    assert await found(store, ann, "\ud800") == []
    assert await found(store, ann, "red " * 5000) == ["a red circle"]
    assert await found(store, ann, "red " + " ".join(map(str, range(5000)))) == []
    assert await found(store, ann, "x" * 40_000) == []


async def test_pages_hold_each_picture_once(store):
    """The pages show every picture once, newest first, and then nothing."""
    ann = await user_of(store)
    for number in range(3):
        await done(store, ann, str(number), (painted(0), painted(1), painted(2)))
    pages = [await store.finding.own(ann, "", page, 4) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [4, 4, 1, 0]
    assert [(one.words, one.index) for page in pages for one in page] == [(words, index) for words in "210" for index in (2, 1, 0)]
    assert len(await store.finding.own(ann, "", 1, 1000)) == 9


async def test_deleting_gives_back_only_files_that_nobody_needs(store):
    """A file is deleted with the last picture that shows it, unless a job starts from it."""
    ann = await user_of(store)
    one, two, source = ("1" * 64 + ".png", "2" * 64 + ".png", "3" * 64 + ".png")
    first, twin, started, lone = await done(
        store,
        ann,
        pictures=(
            painted(0, file=one, thumbnail=two),
            painted(1, file=one, thumbnail=two),
            painted(2, file=source, thumbnail="4" * 64 + ".jpg"),
            painted(3, file="5" * 64 + ".png", thumbnail="5" * 64 + ".png"),
        ),
    )
    await accepted(store, ann, inputs=init(source))
    assert await store.pictures.delete(first.id) == ()
    assert await store.pictures.delete(first.id) == ()
    assert await store.pictures.get(first.id) is None
    assert set(await store.pictures.delete(twin.id)) == {one, two}
    assert await store.pictures.delete(started.id) == ("4" * 64 + ".jpg",)
    assert await store.pictures.delete(lone.id) == ("5" * 64 + ".png",)
    assert len(await store.finding.own(ann, "", 1, 1000)) == 0


async def test_two_deletes_at_once_lose_no_file(store):
    """However the deletions of two pictures with one content overlap, one of them returns its files."""
    ann = await user_of(store)
    for _ in range(5):
        pictures = await done(store, ann, pictures=(painted(0), painted(1)))
        given = await asyncio.gather(*(store.pictures.delete(one.id) for one in pictures))
        assert {file for files in given for file in files} == {pictures[0].file, pictures[0].thumbnail}

"""Preset lists and files: pages, names and tags in every language, and files that can be imported again."""

import json
import unicodedata

import pytest

from bot.core.values import Invocation, MessageRef, UserRef
from bot.framework.reply import Fact
from bot.store.sharing.presets import shipped
from tests.talk import PLATFORM, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def told(reply):
    """Return the facts of a reply by name."""
    return {one.name: one.told for one in reply.facts}


@pytest.mark.parametrize("kept", [0, 14, 15, 19, 20, 21, 33, 40])
async def test_the_list_ends_with_what_easel_brings(bot, kept):
    """However many presets users have saved, the pages show each of them and each built-in preset exactly once."""
    for number in range(kept):
        await bot.say(f"/preset save dots-{number:02} a red circle")
    reply = await bot.say("/preset list")
    listed = [one.name for one in reply.facts]
    while reply.buttons:
        reply = await bot.press(reply.buttons[0])
        listed += [one.name for one in reply.facts]
    assert sorted(listed) == sorted([*(f"dots-{number:02}" for number in range(kept)), *shipped()])
    beyond = await bot.say(f"/preset list --page {len(listed) // 20 + 2}")
    assert (beyond.facts, "There is no page" in beyond.text) == ((), True)


async def test_a_name_stands_in_the_list_once(bot):
    """A saved preset replaces a built-in preset of the same name in the list, because the name no longer refers to the latter."""
    await bot.say("/preset save Poster a red circle")
    assert [one.name.casefold() for one in (await bot.say("/preset list")).facts].count("poster") == 1
    assert [one.said.casefold() for one in (await bot.say("/preset use")).buttons].count("poster") == 1
    assert told(await bot.say("/preset list", "bob"))["poster"]


@pytest.mark.parametrize("words", ["circle", "red circle " * 6])
async def test_the_list_of_words_goes_on(bot, words):
    """A search has further pages too: by a button, or by a line to type if the words are too long for a button."""
    for number in range(25):
        await bot.say(f"/preset save dots-{number:02} a red circle")
    reply = await bot.say(f"/preset list {words}")
    assert len(reply.facts) == 20
    line = f"/preset list {words.strip()} --page 2"
    assert bool(reply.buttons) != (line in reply.text)
    last = await (bot.press(reply.buttons[0]) if reply.buttons else bot.say(line))
    assert len({one.name for one in (*reply.facts, *last.facts)}) == 25


@pytest.mark.parametrize("name", ["für", "हिन्दी", "Việt"])
async def test_names_keep_their_accents(bot, name):
    """A name in any language is kept, and is the same name however a keyboard encodes its accents."""
    parts = unicodedata.normalize("NFD", name)
    await bot.say(f"/preset save {parts} a red circle")
    assert list(told(await bot.say("/preset list circle"))) == [unicodedata.normalize("NFC", name)]
    for written in (name, parts, name.upper()):
        assert (await bot.job(await bot.say(f"/preset use {written}"))).request.prompt.text == "a red circle"
    param, who, where = bot.app.commands["preset_use"].param("preset"), UserRef(PLATFORM, "ada"), MessageRef(PLATFORM, "studio")
    assert await bot.app.complete(param, parts, who, where) == (name,)


async def test_a_tag_of_two_words_is_one(bot):
    """Only commas separate tags, and tags survive export and import."""
    await bot.say("/preset save calm a blue {prompt} --tags Oil painting, Fu\u0308r Ann, , blue")
    assert told(await bot.say("/preset show calm"))["tags"] == "oil-painting, für-ann, blue"
    (file,) = (await bot.say("/preset export")).files
    await bot.app.handle(imported(file.data, "eve"))
    assert told(await bot.say("/preset show calm", "eve"))["tags"] == "oil-painting, für-ann, blue"
    assert list(told(await bot.say("/preset list painting", "eve"))) == ["calm"]


async def test_the_same_file_changes_nothing(bot):
    """Importing the same file again creates no preset and no version."""
    await bot.say("/preset save calm a blue {prompt} --tags sea")
    await bot.say("/preset save house a house --steps 9")
    (file,) = (await bot.say("/preset export")).files
    for _ in range(2):
        for who in ("ada", "eve"):
            assert "2 presets" in (await bot.app.handle(imported(file.data, who))).text
    for who in ("ada", "eve"):
        for name in ("calm", "house"):
            assert "version 1" in (await bot.say(f"/preset show {name}", who)).text
        assert {"calm", "house"} == {one for one in told(await bot.say("/preset list", who)) if one not in shipped()}


async def test_halves_of_characters_stop_nothing(bot):
    """A file with characters that cannot be stored is imported without them."""
    rows = [{"name": "a", "prompt": "a \udfff circle", "tags": ["\ud800x"]}, {"name": "b", "prompt": "c", "settings": {"model": "\ud800"}}]
    data = json.dumps({"easel_presets": 1, "presets": [*rows, {"name": "c", "prompt": "a star"}]}).encode()
    reply = await bot.app.handle(imported(data, "ada"))
    "".join(one.told for one in (*reply.facts, Fact("", reply.text))).encode()
    assert {"a", "c"} <= set(told(await bot.say("/preset list")))


def imported(data, who):
    """Return the invocation that imports a file."""
    where = MessageRef(PLATFORM, "studio")
    return Invocation(command="preset_import", given={"file": data}, caller=UserRef(PLATFORM, who, who.title()), address=where)

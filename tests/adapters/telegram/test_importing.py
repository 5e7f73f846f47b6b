"""Preset files on Telegram: sent with the command, or replied to with it."""

import json

import pytest

from tests.adapters.telegram.chat import words_of
from tests.stores import init_of

FILE = json.dumps([{"name": "keepsake", "prompt": "a blue {prompt}", "negative_prompt": ""}]).encode()


@pytest.mark.parametrize("name", ["sdxl_styles.json", "styles"])
async def test_a_file_that_is_answered(chat, name):
    """The command as a reply to a file imports the file, whatever its name."""
    ann, dm = await chat.started()
    sent = await ann.document(dm, FILE, name)
    said = await ann.say(dm, "/preset_import", reply_to=sent)
    assert words_of(await chat.answer(dm, said)) == "1 preset imported."
    await ann.say(dm, "/preset_use keepsake circle")
    assert (await chat.job((await chat.pictures(dm))[0])).request.prompt.text == "a blue circle"


async def test_a_file_is_for_the_command_alone(chat):
    """A file is ignored by commands that do not read one: it is neither imported nor used as a source."""
    ann, dm = await chat.started()
    sent = await ann.document(dm, FILE, "styles.json")
    said = await ann.document(dm, FILE, "styles.json", caption="/preset_list keepsake")
    assert "No preset has" in words_of(await chat.answer(dm, said))
    await ann.say(dm, "/imagine a red circle", reply_to=sent)
    assert init_of(await chat.job((await chat.pictures(dm))[0])) is None


async def test_nothing_to_take_in(chat):
    """Without a file, the command says what it needs."""
    ann, dm = await chat.started()
    said = await ann.say(dm, "/preset_import")
    assert "Attach one preset file" in words_of(await chat.answer(dm, said))


async def test_in_a_group_it_is_taken_in_privately(chat):
    """After an import in a group, only the sender is told and owns the presets."""
    ann, _ = await chat.started()
    bob = chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.document(group, FILE, "styles.json", caption="/preset_import")
    await chat.telegram.until(lambda: any("imported" in words_of(one) for one in chat.answers(ann.dm())))
    assert chat.answers(group) == []
    said = await bob.say(group, "/preset_use keepsake circle")
    assert "There is no preset keepsake" in words_of(await chat.answer(group, said))

"""Presets on Discord that need input: an ephemeral button opens a form with the given values."""

import pytest

from tests.adapters.discord.chat import read, told

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Characters with a meaning in command lines, in the prompt grammar and on Discord.
VALUE = 'The "Last": {one|two}\n--steps 3 **(x)**'


async def opened(chat, user, way):
    """Press the button that opens the form, and return the interaction."""
    asked = await user.click(way, "Fill in…")
    await chat.discord.until(lambda: asked.modal)
    return asked


def fields(asked):
    """Return the values of a form's fields by label."""
    return {one["label"]: one["component"].get("value") or "" for one in asked.modal["components"]}


async def test_a_command_that_lacks_a_slot(chat):
    """The button is ephemeral; the form has the preset's name and the given values, and submits the text unchanged."""
    channel, ann, _ = chat.channel()
    await told(await ann.use(channel, "preset save", name="placard", prompt="a placard of {title}, {colour=red}, {prompt}"))
    use = await ann.use(channel, "preset use", preset="placard", words="at night", steps=7)
    way = await told(use)
    assert read(way) == "placard"
    asked = await opened(chat, ann, way)
    assert asked.modal["title"] == "placard"
    assert fields(asked) == {"Title": "", "Colour": "red", "Prompt": "at night"}
    await ann.submit(asked, {"slot_1": VALUE, "slot_2": "blue", "words": "at night"})
    (shown,) = await chat.pictures(channel)
    request = (await chat.job(shown)).request
    words = "".join(one.text for part in request.prompt.parts for one in part)
    assert (words, request.steps) == (f"a placard of {VALUE}, blue, at night", 7)
    assert [one for one in channel.messages if not one.is_ephemeral] == [shown]


async def test_a_message_that_lacks_a_slot(chat):
    """A request by message gets a public button, whose form has the given values; other users find no preset there."""
    channel, ann, bob = chat.channel()
    await told(await ann.use(channel, "preset save", name="banner", prompt="a banner of {title}, {prompt}"))
    await ann.say(channel, "<@BOT> /preset use banner at dawn")
    way = await chat.discord.until(lambda: next((one for one in channel.messages if one.buttons() and not one.is_ephemeral), None))
    asked = await opened(chat, ann, way)
    assert fields(asked) == {"Title": "", "Prompt": "at dawn"}
    theirs = await bob.click(way, "Fill in…")
    assert "There is no preset" in read(await told(theirs))
    await ann.submit(asked, {"slot_1": "cat", "words": "at dawn"})
    (shown,) = await chat.pictures(channel)
    assert (await chat.job(shown)).request.prompt.text == "a banner of cat, at dawn"


async def test_a_command_without_a_preset(chat):
    """Without a preset name, the public presets of the channel are offered, and a preset with empty slots opens its form at once."""
    channel, ann, _ = chat.channel()
    await told(await ann.use(channel, "preset save", name="hushed", prompt="a hushed circle"))
    use = await ann.use(channel, "preset use")
    offered = await chat.discord.until(lambda: use.message if use.message and use.message.buttons() else None)
    labels = [label for label, _, _ in offered.buttons()]
    assert "poster" in labels
    assert "hushed" not in labels
    asked = await ann.click(offered, "poster")
    await chat.discord.until(lambda: asked.modal)
    await ann.submit(asked, {"slot_1": "cat", "words": ""})
    (shown,) = await chat.pictures(channel)
    assert (await chat.job(shown)).request.prompt.text == "a poster of cat, bold shapes, flat colours"

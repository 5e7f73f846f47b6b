"""Preset files on Discord: attached to the command, to a message with it, or to the message it replies to."""

import json

import pytest

from tests.adapters.discord.chat import read, told
from tests.stores import init_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = json.dumps([{"name": "keepsake", "prompt": "a blue {prompt}", "negative_prompt": ""}]).encode()

CAME = "1 preset imported."


async def test_an_attached_file(chat):
    """A preset file is imported from the command, a message or the replied-to message, and the confirmation is private."""
    channel, ann, bob = chat.channel()
    assert read(await told(await ann.use(channel, "preset import", file=("styles.json", FILE)))) == CAME
    sent = await bob.say(channel, "look", files=[("styles.json", FILE)])
    for user, more in ((ann, {"files": [("styles.json", FILE)]}), (bob, {"reply_to": sent})):
        await user.say(channel, "<@BOT> /preset import", **more)
        await chat.discord.until(lambda user=user: any(read(one) == CAME for one in user.dm().messages))
    assert [one for one in channel.messages if one.author is chat.discord.bot and not one.is_ephemeral] == []


async def test_a_file_is_for_the_command_alone(chat):
    """A file that no command reads is not used as a source."""
    channel, ann, _ = chat.channel()
    await ann.say(channel, "<@BOT> a red circle", files=[("styles.json", FILE)])
    (shown,) = await chat.pictures(channel)
    assert init_of(await chat.job(shown)) is None

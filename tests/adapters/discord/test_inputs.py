"""Several pictures for one command on Discord: options, attachments of a message, and the replied-to message."""

import pytest

from bot.commands import COMMANDS
from tests.adapters.discord.chat import open_chat, quick, read
from tests.adapters.discord.chat import told as told_alone
from tests.adapters.web.chat import png
from tests.pairing import pair, told


@pytest.fixture
async def chat(tmp_path):
    """Yield a bot with a command that takes two pictures."""
    async with quick() as discord, open_chat(tmp_path, discord, (*COMMANDS, pair)) as found:
        yield found


async def said(chat, channel, words):
    """Wait until the bot has sent a message with these words."""
    await chat.discord.until(lambda: any(words in read(one) for one in channel.messages if one.author is chat.discord.bot))


async def test_each_picture_is_an_option(chat):
    """A slash command has an option for each picture, and each takes its own picture in any order."""
    channel, ann, _ = chat.channel()
    use = await ann.use(channel, "pair", mask=("mask.png", png("white")), image=("cat.png", png("red")))
    assert told(png("red"), png("white")) in read(await told_alone(use))
    use = await ann.use(channel, "pair", mask=("mask.png", png("white")))
    assert told(None, png("white")) in read(await told_alone(use))


async def test_pictures_of_a_message_and_of_the_one_that_it_answers(chat):
    """The picture of the replied-to message and the attachments fill the parameters in order; too many are refused."""
    _, ann, _ = chat.channel()
    dm = ann.dm()
    cat, mask = ("cat.png", png("red")), ("mask.png", png("white"))
    await ann.say(dm, "/pair", files=[cat, ("notes.txt", b"none"), mask])
    await said(chat, dm, told(png("red"), png("white")))
    photo = await ann.say(dm, "/pair", files=[("dog.png", png("blue"))])
    await said(chat, dm, told(png("blue"), None))
    await ann.say(dm, "/pair", files=[mask], reply_to=photo)
    await said(chat, dm, told(png("blue"), png("white")))
    await ann.say(dm, "/pair", files=[cat, mask, cat])
    await said(chat, dm, "/pair takes up to 2 pictures")

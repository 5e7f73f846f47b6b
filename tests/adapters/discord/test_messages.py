"""Messages to the bot: mentions, replies, direct messages, threads."""

import pytest

from bot.i18n.translate import text
from tests.adapters.discord.chat import read
from tests.adapters.web.chat import png
from tests.stores import init_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


def said(chat, channel):
    """Return the bot's messages in a channel."""
    return [one for one in channel.messages if one.author is chat.discord.bot]


async def test_a_mention_with_words(chat):
    """A mention with a prompt is a request, wherever the mention is in the message, and is answered in one message."""
    channel, ann, _ = chat.channel()
    for line in ("<@BOT> a red circle --steps 3", "a red circle <@BOT> --steps 3"):
        await ann.say(channel, line)
    shown = await chat.pictures(channel, 2)
    for one in shown:
        request = (await chat.job(one)).request
        assert (request.prompt.text, request.steps) == ("a red circle", 3)
    assert said(chat, channel) == shown


async def test_a_mention_without_words(chat):
    """A mention without a prompt is answered with what is missing."""
    channel, ann, _ = chat.channel()
    await ann.say(channel, "<@BOT>")
    await chat.discord.until(lambda: "The prompt is empty" in str([one.texts() for one in said(chat, channel)]))


async def test_private_commands_after_a_mention(chat):
    """A command can be written after a mention, and private answers are sent as direct messages."""
    channel, ann, _ = chat.channel()
    await ann.say(channel, "<@BOT> /queue")
    await chat.discord.until(lambda: "You have no queued or running jobs" in str([one.texts() for one in said(chat, ann.dm())]))
    assert said(chat, channel) == []


async def test_private_commands_of_who_takes_no_direct_messages(chat):
    """A user who accepts no direct messages is told so in the channel, without the private answer."""
    channel, *_ = chat.channel()
    eve = chat.discord.user("eve", dm_closed=True).join(channel.guild)
    await eve.say(channel, "<@BOT> /queue")
    await chat.discord.until(lambda: [read(one) for one in said(chat, channel)] == [text("discord-private")])


async def test_talk_among_people(chat):
    """Replies to the bot's pictures without an explicit mention, and mentions of everyone, are ignored."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle")
    (first,) = await chat.pictures(channel)
    await bob.say(channel, "lovely", reply_to=first)
    await bob.say(channel, "@everyone look")
    await bob.say(channel, "a green tree")
    await ann.say(channel, "<@BOT> a blue star")
    _, second = await chat.pictures(channel, 2)
    assert (await chat.job(second)).request.prompt.text == "a blue star"
    assert said(chat, channel) == [first, second]


async def test_a_reply_with_a_mention(chat):
    """A reply that mentions the bot uses the picture that it replies to as the source, whoever posted it."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle")
    (first,) = await chat.pictures(channel)
    await bob.say(channel, "<@BOT> a blue star --strength 0.4", reply_to=first)
    _, second = await chat.pictures(channel, 2)
    assert await chat.store.files.get(init_of(await chat.job(second))) == first.files[0].data
    photo = await ann.say(channel, "my cat", files=[("cat.png", png("yellow"))])
    await bob.say(channel, "<@BOT> a blue star --strength 0.4", reply_to=photo)
    third = (await chat.pictures(channel, 3))[2]
    assert await chat.store.files.get(init_of(await chat.job(third))) == png("yellow")


async def test_several_prompts_in_a_message(chat):
    """Each prompt of a message gets its own answer."""
    channel, ann, _ = chat.channel()
    await ann.say(channel, "<@BOT> a red circle || a blue star")
    shown = await chat.pictures(channel, 2)
    assert said(chat, channel) == shown


async def test_direct_messages(chat):
    """In direct messages no mention is needed, and commands work too."""
    ann = chat.discord.user("ann")
    await ann.say(ann.dm(), "a red circle")
    (first,) = await chat.pictures(ann.dm())
    use = await ann.use(ann.dm(), "imagine", prompt="a blue star")
    _, second = await chat.pictures(ann.dm(), 2)
    assert second is use.message
    assert said(chat, ann.dm()) == [first, second]


@pytest.mark.parametrize("kind", ["thread", "post"])
async def test_threads_and_posts(chat, kind):
    """In a thread or forum post, the bot answers messages and commands there."""
    channel, ann, _ = chat.channel()
    place = channel.thread("circles") if kind == "thread" else channel.guild.forum("pictures").post("circles")
    await ann.say(place, "<@BOT> a red circle")
    await chat.pictures(place)
    await ann.use(place, "imagine", prompt="a blue star")
    (_, second) = await chat.pictures(place, 2)
    await ann.click(second, "Again")
    await chat.pictures(place, 3)
    assert said(chat, channel) == []


async def test_a_place_where_it_may_not_write(chat):
    """A mention in a channel where the bot may not post is answered in a direct message."""
    channel, ann, _ = chat.channel()
    channel.deny("send_messages")
    await ann.say(channel, "<@BOT> a red circle")
    await chat.discord.until(lambda: "can't post" in str([one.texts() for one in said(chat, ann.dm())]))
    assert said(chat, channel) == []

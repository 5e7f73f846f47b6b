"""User text never has an effect as markup in the bot's messages."""

import re

import pytest

from tests.adapters.discord.chat import told

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = (
    "@everyone <@1> [x](http://x) # h1 ||s|| ```code``` <t:1> 1. - > http://a",
    "# h1\n## h2\n> quote\n- list\n1. one\n-# small\n**bold** __un der__ ~~gone~~ `code` <#1> <@&1> <:cat:1>",
)

#: Markup that only the bot adds: small print, and the labels of facts.
OWN = re.compile(r"^-# |\*\*[^*\n]*[^*\n\\]\*\*", re.MULTILINE)


def harmful(text):
    """Return the active markup in a text of the bot, except its own."""
    left = re.sub(r"\\[^0-9A-Za-z\s]", "", OWN.sub("", text))
    return re.findall(r"[\\*_~`|>#<@\[\]()+-]|https?:|^\s*\d+\.", left, re.MULTILINE)


def texts(channel):
    """Return the texts of all versions of the bot's messages in a channel."""
    messages = [one for one in channel.every_message if one.author.is_bot]
    return [text for one in messages for version in (*one.edits, one) for text in version.texts()]


async def asked(ann, channel, words):
    """Use these words in every command that repeats user text, and finally as the prompt of a message."""
    for use in (
        await ann.use(channel, "imagine", prompt=words),
        await ann.use(channel, "imagine", prompt="a circle", size=words[:20]),
        await ann.use(channel, "imagine", prompt="a circle", model=words[:60]),
        await ann.use(channel, "explain", prompt=words),
        await ann.use(channel, "history", words=words),
        await ann.use(channel, "cancel", job=words[:30]),
        await ann.use(channel, "help", command=words[:40]),
        await ann.use(channel, "queue"),
    ):
        await told(use)
    await ann.say(channel, f"<@BOT> a circle --wrong {words}")
    await ann.say(channel, f"<@BOT> {words}")


@pytest.mark.parametrize("words", HOSTILE)
async def test_words_have_no_effect(chat, words):
    """In all versions of all messages, user text creates no mention, link, heading, list, quote or code."""
    channel, ann, _ = chat.channel()
    chat.painter.may.clear()
    try:
        await asked(ann, channel, words)
    finally:
        chat.painter.may.set()
    count = 2 * len([one for one in words.split("||") if one.strip()])
    for shown in await chat.pictures(channel, count):
        await told(await ann.menu(channel, "Info", shown))
    await told(await ann.use(channel, "history"))
    assert len(texts(channel)) > count
    for text in texts(channel):
        assert not harmful(text), text


async def test_nobody_is_mentioned(chat):
    """Every message and every edit is sent with mentions disabled."""
    channel, ann, _ = chat.channel()
    await ann.say(channel, "<@BOT> @everyone")
    await ann.use(channel, "imagine", prompt="@everyone")
    await chat.pictures(channel, 2)
    await told(await ann.use(channel, "help"))
    bodies = [one.body.get("data", one.body) for one in chat.discord.requests if isinstance(one.body, dict)]
    saying = [one for one in bodies if "components" in one and "title" not in one]
    assert saying
    assert all(one.get("allowed_mentions", {}).get("parse") == [] for one in saying)

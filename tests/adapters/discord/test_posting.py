"""Posts that no command requested, on Discord: without mentions, and with the correct delivery outcome."""

import asyncio
from types import SimpleNamespace

import pytest
import pytest_asyncio

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.discord.api import SentMessage
from adapters.discord.render import STEPS
from adapters.registry import REGISTRY
from bot.app import App
from bot.core.values import MessageRef
from bot.framework.reply import Fact, Reply
from bot.generation.resolve import ModelCatalog
from bot.i18n.translate import text
from bot.jobs.delivery import Later, Refused, Sent, Unknown
from bot.views import job_card
from tests.adapters.discord.chat import configured, open_chat, quick, read, told
from tests.adapters.discord.stage import Hasty
from tests.emulators.discord.library import discord as library

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEWS = Reply(text="This came by itself", facts=(Fact("1", "hello @everyone and <@123> **you**"),))


@pytest_asyncio.fixture(loop_scope="module")
async def faulty(chat):
    """Yield a bot whose library retries without pauses; afterwards all faults are removed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library.http, "asyncio", Hasty())
        yield chat
    chat.discord.api.faults.clear()


async def shown(chat, channel, user, count=2):
    """Return a reply with the pictures of a job in a channel."""
    await user.use(channel, "imagine", prompt="a red circle", count=count, size="64x64", steps=1)
    (message,) = await chat.pictures(channel)
    job = await chat.job(message)
    pictures = (await chat.store.pictures.of_jobs([job.id]))[job.id]
    return Reply(text=NEWS.text, facts=NEWS.facts, pictures=tuple(job_card.shown(one) for one in pictures))


def place_of(channel):
    """Return the address of a channel."""
    return MessageRef("discord", str(channel.id))


async def test_words_and_pictures_in_a_message_of_their_own(chat):
    """A post to a channel or thread is one message with small pictures, and mentions nobody."""
    channel, ann, _ = chat.channel()
    news = await shown(chat, channel, ann)
    for place in (channel, channel.thread("A thread")):
        outcome = await chat.adapter.post(place_of(place), news, f"news{channel.id}")
        message = place.messages[-1]
        assert outcome == Sent(str(message.id))
        assert "hello @everyone" in read(message)
        assert len(message.files) == 2
        asked = [one for one in chat.discord.requests if one.method == "POST" and one.path.endswith(f"/channels/{channel.id}/messages")]
        assert asked[-1].status == 200


async def test_the_same_is_said_once(chat):
    """A second post with the same key within minutes returns the first message."""
    channel, _, _ = chat.channel()
    first, second = [await chat.adapter.post(place_of(channel), NEWS, "one key") for _ in range(2)]
    assert first == second
    assert len(channel.messages) == 1


async def test_where_only_commands_are_nothing_is_promised(chat):
    """In a server without the bot, which could not post there, a digest is refused with an explanation and not stored."""
    channel = chat.discord.guild("Elsewhere", has_bot=False).channel("general")
    ann = chat.discord.user("ann").join(channel.guild, permissions="manage_messages")
    assert text("denied-digest") in read(await told(await ann.use(channel, "digest", switch="on")))
    assert await chat.store.digests.of(place_of(channel)) is None


async def test_a_closed_channel(chat):
    """A post to a channel where the bot may not write, or that does not exist, is refused for good."""
    channel, _, _ = chat.channel()
    channel.deny("send_messages")
    assert isinstance(await chat.adapter.post(place_of(channel), NEWS, "news"), Refused)
    assert isinstance(await chat.adapter.post(MessageRef("discord", "1"), NEWS, "news"), Refused)


@pytest.mark.parametrize(
    ("kind", "kinds", "unsure"),
    [((400, 50035), Unknown, None), (500, Later, True), ("cloudflare", Later, False), ("timeout-after-success", Later, True)],
)
async def test_refusals(faulty, kind, kinds, unsure):
    """A post that was surely not sent may be retried; any other failure has an unsure or unknown outcome, but is not a refusal."""
    channel, _, _ = faulty.channel()
    faulty.discord.fault("POST", f"/channels/{channel.id}/messages", kind, times=9)
    outcome = await asyncio.wait_for(faulty.adapter.post(place_of(channel), NEWS, "news"), 60)
    assert isinstance(outcome, kinds)
    assert getattr(outcome, "unsure", None) is unsure


@pytest.mark.parametrize(("times", "count"), [(2, 1), (9, 0)])
async def test_what_is_too_large_becomes_smaller(faulty, times, count):
    """A picture that Discord refuses as too large is sent smaller, and finally only the text is sent."""
    channel, ann, _ = faulty.channel()
    news = await shown(faulty, channel, ann, 1)
    faulty.discord.fault("POST", f"/channels/{channel.id}/messages", (413, 40005), times=min(times, STEPS - 1))
    outcome = await asyncio.wait_for(faulty.adapter.post(place_of(channel), news, "news"), 60)
    message = channel.messages[-1]
    assert outcome == Sent(message.id)
    assert [one.filename.endswith(".webp") for one in message.files] == [True] * count
    assert "hello @everyone" in read(message)


async def test_a_servers_own_limit_is_kept(chat):
    """If a server's file limit is lower, pictures are made to fit it before they are sent."""
    channel, ann, _ = chat.channel()
    news = await shown(chat, channel, ann, 1)
    (picture,) = channel.messages[-1].files
    address = SentMessage(user=1, limit=len(picture.data) - 1).address(int(channel.id))
    assert isinstance(await chat.adapter.post(address, news, "news"), Sent)
    assert [len(one.data) < len(picture.data) for one in channel.messages[-1].files] == [True]


async def test_where_painting_is_not_allowed_it_is_words_alone(tmp_path):
    """If generation is limited to age-restricted channels, posts elsewhere have no pictures, except in direct messages."""
    async with quick() as discord, open_chat(tmp_path, discord, age_restricted=True) as chat:
        grown, ann, _ = chat.channel("grown", nsfw=True)
        small, _, _ = chat.channel("small")
        news = await shown(chat, grown, ann)
        for channel, count in ((grown, 2), (small, 0)):
            assert isinstance(await chat.adapter.post(place_of(channel), news, f"news{channel.id}"), Sent)
            assert len(channel.messages[-1].files) == count
        home = SentMessage(user=int(ann.id), home=int(ann.dm().id)).address(int(ann.dm().id))
        assert isinstance(await chat.adapter.post(home, news, "news"), Sent)
        assert len(ann.dm().messages[-1].files) == 2


async def test_without_a_connection_it_is_for_later(tmp_path):
    """Before the first connection, a post is deferred."""
    settings = configured(tmp_path, SimpleNamespace(token="not.a.token", api_base="http://127.0.0.1:9/api/v10"))
    async with opened(settings) as store:
        app = App((), store, ModelCatalog(catalogue(settings).models, "demo"))
        adapter = REGISTRY["discord"](Bot(settings, app, None, None))
        assert await adapter.post(MessageRef("discord", "1"), NEWS, "news") == Later("not connected")

"""Threads and posts: the rules of their channel apply in them, while a private thread is a channel of its own."""

import pytest

from adapters.discord.api import channel_of
from bot.core.values import MessageRef
from bot.framework.reply import Reply
from bot.i18n.translate import text
from bot.jobs.delivery import Sent
from tests.adapters.discord.chat import told

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOO_MANY = "steps can be at most 6"


async def ruled(chat, kind):
    """Return a thread in a channel with covered pictures and a limit on steps, a moderator of it and another member."""
    channel, ann, bob = chat.channel()
    place = channel.thread("circles") if kind == "thread" else channel.guild.forum("pictures").post("circles")
    ann.join(channel.guild, permissions="manage_messages")
    there = channel if kind == "thread" else place.parent.post("about")
    for given in ({"cover": "on"}, {"most": "steps=6"}):
        await told(await ann.use(there, "rules", **given))
    return place, ann, bob


def said(use):
    """Return the text of an ephemeral message, unmodified."""
    return " ".join(use.texts())


@pytest.mark.parametrize("kind", ["thread", "post"])
async def test_what_holds_in_a_channel_holds_in_its_threads(chat, kind):
    """The channel's rules apply in its threads to commands, mentions and buttons, and the pictures are posted in the thread."""
    place, _, bob = await ruled(chat, kind)
    await bob.use(place, "imagine", prompt="a red circle", size="64x64")
    await bob.say(place, "<@BOT> a blue star --size 64x64")
    first, _ = await chat.pictures(place, 2)
    await bob.click(first, "Again")
    shown = await chat.pictures(place, 3)
    assert [one.covered() for one in shown] == [[True]] * 3
    for one in shown:
        job = await chat.job(one)
        assert job.request.steps <= 6
        assert job.address.channel == place.parent.id
        assert channel_of(job.address) == int(place.id)
    assert TOO_MANY in said(await told(await bob.use(place, "imagine", prompt="a red circle", steps=7)))
    assert await chat.pictures(place, 3) == shown


async def test_a_thread_has_the_presets_and_the_history_of_its_channel(chat):
    """Shared presets of a channel are suggested and usable in its threads, and jobs of a thread are in the channel's history."""
    channel, ann, bob = chat.channel()
    await told(await ann.use(channel, "preset save", name="fjord", prompt="a blue {prompt}"))
    await told(await ann.use(channel, "preset share", preset="fjord"))
    thread = channel.thread("boats")
    assert [one["name"] for one in await bob.complete(thread, "preset show", "preset", "fjo")] == ["fjord"]
    await bob.use(thread, "preset use", preset="fjord", words="boat", size="64x64")
    (shown,) = await chat.pictures(thread)
    assert [one.id for one in await chat.store.jobs.of_channel(MessageRef("discord", channel.id), 9)] == [(await chat.job(shown)).id]
    assert "fjord" in said(await told(await bob.use(thread, "preset list")))


async def test_a_thread_is_looked_after_by_who_looks_after_its_channel(chat):
    """A moderator can set the channel's rules from a thread, while the creator of the thread cannot."""
    channel, ann, bob = chat.channel()
    ann.join(channel.guild, permissions="manage_messages")
    thread = channel.thread("circles", owner=bob)
    assert text("denied-moderators") in said(await told(await bob.use(thread, "rules", cover="on")))
    await told(await ann.use(thread, "rules", cover="on"))
    await bob.use(channel, "imagine", prompt="a red circle", size="64x64")
    (shown,) = await chat.pictures(channel)
    assert shown.covered() == [True]


async def test_a_thread_that_was_opened_before_the_connection(chat):
    """A message in an unknown thread is assigned to its channel by a request; if that fails, nothing is generated."""
    place, _, bob = await ruled(chat, "thread")
    client = chat.adapter._connection.client
    client.get_channel(int(place.id)).guild._remove_thread(client.get_channel(int(place.id)))
    await bob.say(place, "<@BOT> a red circle --size 64x64")
    (shown,) = await chat.pictures(place)
    assert shown.covered() == [True]
    chat.discord.fault("GET", f"/channels/{place.id}", (403, 50001))
    await bob.say(place, "<@BOT> a red circle --size 64x64")
    await chat.discord.until(lambda: text("discord-no-answer") in str([one.texts() for one in bob.dm().messages]))
    assert await chat.pictures(place) == [shown]


async def test_a_private_thread_is_a_place_of_its_own(chat):
    """Jobs of a private thread are not in its channel's history, because not every member may see the thread."""
    place, _, bob = await ruled(chat, "thread")
    hidden = place.parent.thread("us", private=True)
    await bob.use(hidden, "imagine", prompt="a red circle", size="64x64")
    await bob.say(hidden, "<@BOT> a blue star --size 64x64")
    shown = await chat.pictures(hidden, 2)
    assert {(await chat.job(one)).address.channel for one in shown} == {hidden.id}
    assert await chat.store.jobs.of_channel(MessageRef("discord", place.parent.id), 9) == ()


async def test_what_nobody_asked_for_is_said_in_the_thread_too(chat):
    """A digest switched on in a thread is that of the channel, and is posted in the thread."""
    channel, ann, _ = chat.channel()
    ann.join(channel.guild, permissions="manage_messages")
    thread = channel.thread("news")
    await told(await ann.use(thread, "digest", switch="on"))
    wanted = await chat.store.digests.of(MessageRef("discord", channel.id))
    outcome = await chat.adapter.post(wanted.address, Reply(text="This came by itself"), "news")
    assert outcome == Sent(thread.messages[-1].id)
    assert channel.messages == []

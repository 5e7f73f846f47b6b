"""Results whose original response can no longer be edited: delivered late, elsewhere, or not at all."""

from itertools import product

import pytest
import pytest_asyncio

from adapters.discord import adapter as adapting
from adapters.discord import api as posts
from adapters.discord import replies
from bot.i18n.translate import text
from bot.store.jobs.outbox import GAVE_UP, SENT
from tests.adapters.discord.chat import UNHURRIED, Painter
from tests.adapters.discord.stage import SMALL, WORDS, named, some, staged
from tests.emulators.discord import server

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: In seconds: longer than a token lives, and almost as long.
LATE, ALMOST = 16 * 60.0, 14.2 * 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory):
    # The time of the result matters here, and not its content.
    async with staged(Painter(), tmp_path_factory.mktemp("bot")) as stage:
        yield stage


@pytest.fixture
def stage(standing):
    yield standing
    standing.gate.open()
    standing.discord.api.faults.clear()
    standing.discord.clock(ack=UNHURRIED)


async def asked(stage, user, channel):
    """Request a picture whose job does not start; return the interaction and its job when its card is shown."""
    stage.gate.close()
    use = await user.use(channel, "imagine", prompt="a red circle", **SMALL)
    return use, await stage.begun(use)


async def said(stage, user, channel):
    """Request a picture by a message, so that the card is a message of the bot; return its job."""
    stage.gate.close()
    await user.say(channel, f"<@BOT> a red circle {WORDS}")
    await stage.discord.until(lambda: any(one.buttons() for one in channel.messages))
    return (await stage.jobs(channel))[0]


async def in_history(stage, user, channel):
    """Check that a user's history has exactly one picture."""
    use = await user.use(channel, "history")
    await stage.discord.until(lambda: use.message and use.message.files)
    assert len(use.message.files) == 1


async def test_a_token_that_dies_by_the_clock(stage, monkeypatch):
    """A job that outlives its interaction token is delivered once as a message in the channel, and its card is deleted."""
    stage.discord.clock(ack=UNHURRIED, token=2.0)
    for module in (posts, replies, posts):
        monkeypatch.setattr(module, "TOKEN_SECONDS", 2)
    for module in (posts, adapting):
        monkeypatch.setattr(module, "TOKEN_MARGIN", 0.2)
    channel, ann = stage.scene("ann")
    use, job = await asked(stage, ann, channel)
    card = use.message
    await stage.discord.until(lambda: server.time.monotonic() - use.began > 2.0)
    stage.gate.open()
    message = await stage.once(job, channel, ann.dm())
    assert message.channel is channel
    assert message is not card
    assert card.is_deleted


@pytest.mark.parametrize(("kind", "is_long"), some(product(["timeout-after-success", "reset", 503, "cloudflare"], [False, True]), 3))
async def test_late_and_not_heard_of(stage, monkeypatch, kind, is_long):
    """A late result is shown once, even if the response to sending it was lost, however long ago that was."""
    channel, ann = stage.scene("ann")
    use, job = await asked(stage, ann, channel)
    stage.later(LATE)
    if is_long:
        monkeypatch.setattr(server, "NONCE_SECONDS", 0)
    fault = stage.discord.fault("POST", f"/channels/{channel.id}/messages$", kind)
    stage.gate.open()
    message = await stage.once(job, channel, ann.dm())
    assert fault.hits
    assert channel.messages == [message]
    assert use.message is None


@pytest.mark.parametrize("kind", some(["timeout-after-success", "reset", 500, 503, "cloudflare"], 2))
async def test_a_card_that_does_not_go(stage, kind):
    """The card of a late result is deleted, even if that fails at first."""
    channel, ann = stage.scene("ann")
    _, job = await asked(stage, ann, channel)
    stage.later(LATE)
    fault = stage.discord.fault("DELETE", f"/channels/{channel.id}/messages/", kind, times=2)
    stage.gate.open()
    message = await stage.once(job, channel, ann.dm())
    assert fault.hits
    assert channel.messages == [message]


async def test_what_is_said_at_the_last_moment(stage):
    """Shortly before the token expires, the card says that the picture will be in a new message, and keeps saying so."""
    channel, ann = stage.scene("ann")
    use, job = await asked(stage, ann, channel)
    assert text("discord-below") not in "".join(use.message.texts())
    stage.later(ALMOST)
    await stage.discord.until(lambda: text("discord-below") in "".join(use.message.texts()))
    stage.later(LATE)
    await stage.dispatcher.show(job)
    await stage.discord.until(lambda: stage.discord.requests[-1].path.startswith(f"/channels/{channel.id}/messages/"))
    assert text("discord-below") in "".join(use.message.texts())
    stage.gate.open()
    message = await stage.once(job, channel, ann.dm())
    assert text("discord-below") not in "".join(message.texts())


async def test_a_press_opens_a_card_again(stage):
    """After the token has expired, a press on the card's Cancel button updates the card itself."""
    channel, ann = stage.scene("ann")
    use, job = await asked(stage, ann, channel)
    stage.later(LATE)
    await ann.click(use.message, "Cancel")
    assert (await stage.told(job)).state == SENT
    assert channel.messages == [use.message]
    assert not any(wire.startswith("cancel:") for _, wire, _ in use.message.buttons())


async def test_a_guest(stage):
    """For a user-installed bot, a timely result is shown in its card, and a late one is sent as a direct message."""
    channel = stage.discord.guild("theirs", has_bot=False).channel("general")
    ann = stage.discord.user("ann")
    use, first = await asked(stage, ann, channel)
    stage.gate.open()
    assert await stage.once(first, channel, ann.dm()) is use.message
    _, second = await asked(stage, ann, channel)
    stage.later(LATE)
    stage.gate.open()
    assert (await stage.told(second)).state == SENT
    (message,), _ = await stage.shows(second, channel, ann.dm())
    assert message.channel is ann.dm()


async def test_a_guest_at_the_last_moment(stage):
    """For a user-installed bot, the card is completed until shortly before its token expires."""
    channel = stage.discord.guild("theirs", has_bot=False).channel("general")
    ann = stage.discord.user("ann")
    use, job = await asked(stage, ann, channel)
    stage.later(ALMOST)
    stage.gate.open()
    assert await stage.once(job, channel, ann.dm()) is use.message


async def test_a_guest_that_was_not_heard(stage):
    """If the bot can neither edit nor read its messages, an answer whose response was lost is not sent again."""
    channel = stage.discord.guild("theirs", has_bot=False).channel("general")
    ann = stage.discord.user("ann")
    use, job = await asked(stage, ann, channel)
    stage.discord.delete_message(use.message)
    fault = stage.discord.fault("POST", "/webhooks/", "timeout-after-success")
    stage.gate.open()
    assert (await stage.told(job)).state == "unknown"
    full, _ = await stage.shows(job, channel, ann.dm())
    assert fault.hits
    assert len(full) == 1


def archived(_stage, channel):
    """The thread was archived and locked."""
    channel.change(is_archived=True, is_locked=True)


def denied(_stage, channel):
    """The bot may no longer send messages there."""
    channel.deny("send_messages", "send_messages_in_threads")


def hidden(_stage, channel):
    """The bot no longer sees the channel."""
    channel.deny("view_channel")


def no_files(_stage, channel):
    """The bot may no longer attach files."""
    channel.deny("attach_files")


def removed(_stage, channel):
    """The bot was removed from the server."""
    channel.guild.has_bot = False


def deleted(stage, channel):
    """The channel was deleted."""
    del stage.discord.channels[channel.id]


CLOSED = (archived, denied, hidden, no_files, removed, deleted)


@pytest.mark.parametrize(
    ("close", "is_dm_closed", "kind"), some(product(CLOSED, [False, True], [None, "timeout-after-success"]), 3), ids=named
)
async def test_a_place_that_closes(stage, monkeypatch, close, is_dm_closed, kind):
    """A result that cannot be shown in its channel is sent once as a direct message, or, if that is refused, is in the history only."""
    channel, ann = stage.scene("ann")
    place = channel.thread("a thread")
    _, job = await asked(stage, ann, place)
    stage.later(LATE)
    close(stage, place)
    ann.dm_closed = is_dm_closed
    if kind:
        monkeypatch.setattr(server, "NONCE_SECONDS", 0)
        stage.discord.fault("POST", f"/channels/{ann.dm().id}/messages$", kind)
    stage.gate.open()
    told = await stage.told(job)
    full, _ = await stage.shows(job, place, ann.dm())
    assert told.state == (GAVE_UP if is_dm_closed else SENT)
    assert [one.channel for one in full] == ([] if is_dm_closed else [ann.dm()])
    await in_history(stage, ann, stage.scene("bob")[0])


@pytest.mark.parametrize("close", some([archived, hidden, no_files, removed, deleted], 2), ids=named)
async def test_a_place_that_closes_to_words(stage, close):
    """The same holds for a request by message, whose card was never edited with a token."""
    channel, ann = stage.scene("ann")
    place = channel.thread("a thread")
    job = await said(stage, ann, place)
    close(stage, place)
    stage.gate.open()
    assert (await stage.told(job)).state == SENT
    (message,), _ = await stage.shows(job, place, ann.dm())
    assert message.channel is ann.dm()


async def test_an_old_thread(stage):
    """In an archived thread, the result reopens the thread, and its card is replaced."""
    channel, ann = stage.scene("ann")
    place = channel.thread("a thread")
    job = await said(stage, ann, place)
    place.change(is_archived=True)
    stage.gate.open()
    message = await stage.once(job, place, ann.dm())
    assert message.channel is place
    assert not place.is_archived

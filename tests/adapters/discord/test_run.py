"""`easel run` with only a Discord token: a separate process and an emulated Discord over sockets."""

from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.adapters.discord.stage import SMALL
from tests.emulators.discord import Discord
from tests.running import Easel

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A job that runs long enough to act in the meantime.
LONG = {"steps": 60, "count": 6}


@asynccontextmanager
async def running(discord, folder, **settings):
    """Yield a connected process."""
    easel = Easel(folder, DISCORD__TOKEN=discord.token, DISCORD__API_BASE=discord.api_base, **settings)
    easel.start()
    try:
        await discord.until(lambda: discord.commands, 90.0)
        await discord.ready(90.0)
        yield easel
    finally:
        if easel.is_running:
            assert await easel.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def discord(tmp_path_factory):
    async with Discord() as started, running(started, tmp_path_factory.mktemp("easel")):
        yield started
        assert started.rejected == []


@pytest.fixture
def people(discord):
    """Return a channel in each of two servers, and three users: two in the first, one in the second."""
    first, second = discord.guild("first"), discord.guild("second")
    ann, bob, cat = (discord.user(name).join(guild) for name, guild in (("ann", first), ("bob", first), ("cat", second)))
    return first.channel("general"), second.channel("general"), ann, bob, cat


def labels(message):
    """Return the labels of a message's buttons."""
    return [label for label, _, _ in message.buttons()]


def seen_by_all(channel):
    """Return the number of pictures in each public message of a channel."""
    return [len(one.files) for one in channel.messages if not one.is_ephemeral]


def is_done(use):
    """Return the message of an interaction when its picture is there."""
    return use.message if use.message and "Again" in labels(use.message) and use.message.files else None


async def test_its_commands_are_known(discord):
    """Commands, help and context menus are registered once at startup."""
    names = {one["name"] for one in discord.commands}
    assert {"imagine", "help", "history", "queue", "cancel", "quota", "Use as source", "Again", "Info"} <= names
    assert discord.puts == 1


async def test_everybody_gets_their_own(discord, people):
    """Three concurrent requests in two servers each get their own picture in their channel, with progress."""
    here, there, ann, bob, cat = people
    words = {ann: "a large red circle", bob: "a blue star", cat: "a green tree"}
    channels = {ann: here, bob: here, cat: there}
    uses = {who: await who.use(channels[who], "imagine", prompt=said, **LONG) for who, said in words.items()}
    for who, use in uses.items():
        message = await discord.until(lambda use=use: is_done(use), 90.0)
        assert message.channel is channels[who]
        assert words[who] in message.texts()[0]
        assert message.files[0].data.startswith(b"\x89PNG")
        assert any("step" in text for edit in message.edits for text in edit.texts())
    assert len({use.message.files[0].data for use in uses.values()}) == 3
    assert (len(here.messages), len(there.messages)) == (2, 1)


async def test_its_buttons(discord, people):
    """Info answers in private, Again and Edit… generate in new messages, and Delete removes the picture."""
    here, _, ann, *_ = people
    use = await ann.use(here, "imagine", prompt="a large red circle", seed=7, **SMALL)
    message = await discord.until(lambda: is_done(use))
    info = await ann.click(message, "Info")
    await discord.until(lambda: info.followups)
    assert info.followups[0].is_ephemeral
    assert "7" in "".join(info.followups[0].texts())
    again = await ann.click(message, "Again")
    assert await discord.until(lambda: is_done(again)) is not message
    edit = await ann.click(message, "Edit…")
    await discord.until(lambda: edit.modal)
    sent = await ann.submit(edit, {"prompt": "a blue star"})
    assert "a blue star" in (await discord.until(lambda: is_done(sent))).texts()[0]
    await ann.click(message, "Delete")
    await discord.until(lambda: not message.files)
    assert seen_by_all(here) == [0, 1, 1]


async def test_it_can_be_cancelled(discord, people):
    """The requester can cancel a running job, which is shown at once, and nothing follows."""
    here, _, ann, bob, _ = people
    use = await ann.use(here, "imagine", prompt="a green tree", **LONG)
    await discord.until(lambda: use.message and any("step" in text for text in use.message.texts()))
    refused = await bob.click(use.message, "Cancel")
    await discord.until(lambda: refused.followups)
    assert "Cancel" in labels(use.message)
    await ann.click(use.message, "Cancel")
    await discord.until(lambda: "Cancel" not in labels(use.message))
    after = await ann.use(here, "imagine", prompt="a blue star", **SMALL)
    await discord.until(lambda: is_done(after))
    assert not use.message.files


async def test_it_suggests(people):
    """Options are completed while they are typed."""
    here, _, ann, *_ = people
    assert await ann.complete(here, "imagine", "model", "de", prompt="x") == [{"name": "demo", "value": "demo"}]
    assert await ann.complete(here, "imagine", "scheduler", "eul", prompt="x")


async def test_it_hears_words(discord, people):
    """A mention or a direct message gets a picture."""
    here, _, ann, *_ = people
    for channel, said in ((here, "<@BOT> a blue star"), (ann.dm(), "a green tree")):
        await ann.say(channel, f"{said} --size 64x64 --steps 2 --scheduler euler")
        await discord.until(lambda channel=channel: channel.messages[-1].files)


async def test_killed_between_acceptance_and_result(tmp_path):
    """After a kill, an accepted job is completed once in the same message, older buttons work, and no token is logged."""
    async with Discord() as discord:
        guild = discord.guild("first")
        channel, ann = guild.channel("general"), discord.user("ann").join(guild)
        async with running(discord, tmp_path, LOG__LEVEL="debug") as before:
            old = await ann.use(channel, "imagine", prompt="a blue star", **SMALL)
            await discord.until(lambda: is_done(old), 60.0)
            use = await ann.use(channel, "imagine", prompt="a large red circle", **LONG)
            card = await discord.until(lambda: use.message and any("step" in text for text in use.message.texts()) and use.message)
            before.kill()
        await discord.until(lambda: not discord.gateway.sockets)
        assert not is_done(use)
        async with running(discord, tmp_path, LOG__LEVEL="debug") as after:
            assert await discord.until(lambda: is_done(use), 90.0) is card
            await check_old_buttons(discord, ann, old.message)
        assert seen_by_all(channel) == [1, LONG["count"], 1]
        assert discord.puts == 1
        assert discord.rejected == []
        for said in (before.said, after.said):
            assert "debug" in said
            assert not [secret for secret in (discord.token, *(one.token for one in discord.uses)) if secret in said]


async def check_old_buttons(discord, user, message):
    """Check that the buttons of a message from an earlier process work."""
    info = await user.click(message, "Info")
    await discord.until(lambda: info.followups)
    edit = await user.click(message, "Edit…")
    await discord.until(lambda: edit.modal)
    again = await user.click(message, "Again")
    await discord.until(lambda: is_done(again))

"""Startup and surroundings on Discord: shards, commands, servers without the bot, age-restricted channels."""

import pytest

from bot.commands import COMMANDS
from bot.i18n.translate import text
from tests.adapters.discord.chat import open_chat, quick, read, told


@pytest.fixture
async def discord():
    """Yield an emulated Discord without a bot."""
    async with quick() as opened:
        yield opened


async def test_commands_are_told_once(discord, tmp_path):
    """Commands are registered at the first start, not at the next one, and again when one of them has changed."""
    for told_before, commands in ((1, COMMANDS), (1, COMMANDS), (2, COMMANDS[:-1]), (2, COMMANDS[:-1])):
        async with open_chat(tmp_path, discord, commands):
            assert discord.puts == told_before
    assert "help" not in [one["name"] for one in discord.commands]


async def test_commands_are_told_later(discord, tmp_path):
    """If Discord refuses the commands, the bot works anyway, and they are registered with the next connection."""
    discord.fault("PUT", "/commands", (403, 20012))
    async with open_chat(tmp_path, discord) as chat:
        assert discord.puts == 0
        ann = discord.user("ann")
        await ann.say(ann.dm(), "a red circle")
        await chat.pictures(ann.dm())
    async with open_chat(tmp_path, discord):
        assert discord.puts == 1


async def test_a_form_that_was_open_while_the_bot_started_anew(discord, tmp_path):
    """A form can be submitted to a bot that was restarted after showing it."""
    async with open_chat(tmp_path, discord) as chat:
        channel, ann, _ = chat.channel()
        await ann.use(channel, "imagine", prompt="a red circle")
        (shown,) = await chat.pictures(channel)
        asked = await ann.click(shown, "Edit…")
        await asked.answered()
    async with open_chat(tmp_path, discord) as chat:
        await ann.submit(asked, {"prompt": "a blue star"})
        _, changed = await chat.pictures(channel, 2)
        assert (await chat.job(changed)).request.prompt.text == "a blue star"


@pytest.mark.parametrize("line", ["", "painting"])
async def test_presence(discord, tmp_path, line):
    """The presence shows the configured text, and nothing by default."""
    async with open_chat(tmp_path, discord, presence=line):
        (session,) = discord.gateway.sessions.values()
        assert [session.presence["game"]["state"]] == [line] if line else session.presence is None


async def test_shards(tmp_path):
    """With two shards, the servers of both and direct messages are served."""
    async with quick(shards=2) as discord, open_chat(tmp_path, discord, shards=2) as chat:
        assert {one.shard for one in discord.gateway.sessions.values()} == {0, 1}
        channels = {}
        while len(channels) < 2:
            channel, ann, _ = chat.channel()
            channels[(int(channel.guild.id) >> 22) % 2] = channel, ann
        for channel, ann in channels.values():
            await ann.say(channel, "<@BOT> a red circle")
            await chat.pictures(channel)
            await ann.use(channel, "imagine", prompt="a blue star")
            await chat.pictures(channel, 2)
        await ann.say(ann.dm(), "a green tree")
        await chat.pictures(ann.dm())


async def test_a_server_without_the_bot(discord, tmp_path):
    """A user-installed bot answers only through interactions, and needs no permission in the channel."""
    async with open_chat(tmp_path, discord) as chat:
        channel = discord.guild("Elsewhere", has_bot=False).channel("general")
        ann = discord.user("ann")
        use = await ann.use(channel, "imagine", prompt="a red circle || a blue star")
        first, second = await chat.pictures(channel, 2)
        assert first is use.message
        assert use.followups == [second]
        await ann.click(second, "Again")
        await chat.pictures(channel, 3)
        press = await ann.click(first, "Delete")
        await discord.until(lambda: not first.files)
        assert press.followups == []
        assert [one for one in discord.requests if channel.id in one.path] == []


async def test_only_for_the_restricted(discord, tmp_path):
    """If generation is limited to age-restricted channels, commands are marked as such, and messages and buttons check the channel."""
    async with open_chat(tmp_path, discord, age_restricted=True) as chat:
        names = {one["name"] for one in discord.commands if one.get("nsfw")}
        assert {"imagine", "again", "vary"} <= names
        assert names.isdisjoint({"queue", "help", "history", "cancel"})
        channel, ann, _ = chat.channel()
        await ann.say(channel, "<@BOT> a red circle")
        await ann.say(ann.dm(), "a red circle")
        for place in (channel, ann.dm()):
            await discord.until(lambda place=place: text("discord-age") in read(place.messages[-1]))
        restricted = channel.guild.channel("after dark", nsfw=True)
        await ann.say(restricted, "<@BOT> a red circle")
        (shown,) = await chat.pictures(restricted)
        await ann.say(restricted.thread("later"), "<@BOT> a blue star")
        await chat.pictures(channel.guild.threads[0])
        restricted.change(is_nsfw=False)
        assert text("discord-age") in read(await told(await ann.click(shown, "Again")))
        assert await chat.pictures(restricted) == [shown]

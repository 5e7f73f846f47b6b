"""What users see of their groups in direct messages with the bot, and nowhere else."""

import pytest

from tests.adapters.discord.chat import read, told

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: The prompt shared on the board of a server.
WORDS = "a red circle on a blue ground"


async def shared(chat, name):
    """Share a preset and a prompt as one user in a server that another user has also used; return both users."""
    channel, ann, bob = chat.channel()
    for user in (ann, bob):
        await user.use(channel, "imagine", prompt="a red circle")
    await chat.pictures(channel, 2)
    await told(await ann.use(channel, "preset save", name=name, prompt="a blue {prompt}"))
    await told(await ann.use(channel, "preset share", preset=name))
    await told(await ann.use(channel, "share", prompt=WORDS))
    return ann, bob


async def names(user, channel, typed):
    """Return the presets suggested to a user for a prefix."""
    return [one["name"] for one in await user.complete(channel, "preset show", "preset", typed)]


async def board(user, channel):
    """Return the board as shown to a user."""
    return read(await told(await user.use(channel, "board")))


async def test_a_member_sees_in_private_what_their_groups_share(chat):
    """In direct messages, users see and can use the boards and presets of servers in which they have made requests."""
    ann, bob = await shared(chat, "harbour")
    for user in (ann, bob):
        assert await names(user, user.dm(), "harb") == ["harbour"]
        assert WORDS in await board(user, user.dm())
    await bob.use(bob.dm(), "preset use", preset="harbour", words="boat")
    (shown,) = await chat.pictures(bob.dm())
    assert (await chat.job(shown)).request.prompt.text == "a blue boat"
    await bob.say(bob.dm(), "/preset use harbour ship")
    assert (await chat.job((await chat.pictures(bob.dm(), 2))[1])).request.prompt.text == "a blue ship"
    await bob.click(shown, "Again")
    await chat.pictures(bob.dm(), 3)


async def test_a_stranger_sees_nothing_of_it(chat):
    """A user who has made no request in the server sees nothing of its board and presets."""
    await shared(chat, "lagoon")
    eve = chat.discord.user("eve")
    await eve.say(eve.dm(), "a red circle")
    await chat.pictures(eve.dm())
    assert await names(eve, eve.dm(), "lag") == []
    assert WORDS not in await board(eve, eve.dm())
    said = read(await told(await eve.use(eve.dm(), "preset show", preset="lagoon")))
    assert "There is no preset lagoon here" in said


async def test_where_others_read_along_nothing_is_private(chat):
    """In a group of users and in another server, members see only what all users there may see."""
    ann, bob = await shared(chat, "valley")
    eve = chat.discord.user("eve")
    for channel in (bob.group(ann, eve), chat.discord.guild("Elsewhere").channel("general")):
        assert await names(bob, channel, "vall") == []
        assert WORDS not in await board(bob, channel)

"""Digest subscriptions and contents: the board of a group, switched by its moderators, and in private chats all boards, for any user."""

import msgspec
import pytest

from bot.core.errors import NotAllowed
from bot.core.values import MessageRef, UserRef
from bot.i18n.translate import speaking
from bot.jobs.board_digests import BoardDigests
from bot.jobs.delivery import Later, Sent
from bot.store.sharing.digests import WEEK
from bot.views import board_digest
from tests.bot.store.sharing.test_digests import wanted
from tests.talk import PLATFORM, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


class Voice:
    """A platform that records its messages."""

    def __init__(self):
        self.said = []

    async def post(self, address, reply, key):
        """Record a message."""
        self.said.append((address.channel, reply))
        return Sent(key)


async def heard(bot, where="studio", user=None):
    """Return the digest that a channel gets when a week is over, or `None`."""
    await wanted(bot.store, MessageRef(PLATFORM, where), user, weeks=1.01)
    voice = Voice()
    assert await BoardDigests(bot.store, voice, [PLATFORM]).look() == len(voice.said)
    return next((reply for channel, reply in voice.said if channel == where), None)


def told(reply):
    """Return the text of a reply and its facts."""
    return " ".join([reply.text, *(one.told for one in reply.facts)])


async def shared(bot, words, who="ada", where="studio"):
    """Share a prompt and return its code."""
    return (await bot.say(f"/share --prompt {words}", who, where)).buttons[0].wire.partition(":")[2]


async def test_a_groups_is_for_who_looks_after_it(bot):
    """Everyone can see whether a group has the digest on; only its moderators can switch it, and the change is logged."""
    assert "is off" in (await bot.say("/digest", "eve")).text
    for line in ("/digest on", "/digest off"):
        with pytest.raises(NotAllowed):
            await bot.say(line, "eve")
    assert "is on" in (await bot.say("/digest on", "mod", moderates=True)).text
    one = await bot.store.digests.of(MessageRef(PLATFORM, "studio"))
    assert one.user is None
    assert f"{one.due:%Y-%m-%d %H:%M}" in (await bot.say("/digest", "eve")).text
    assert "is off" in (await bot.say("/digest --switch off", "mod", moderates=True)).text
    assert await bot.store.digests.of(MessageRef(PLATFORM, "studio")) is None
    assert [one.act for one in await bot.store.audit.latest(5)] == ["digest", "digest"]


async def test_in_private_everybody_subscribes(bot):
    """In a private chat any user can switch the digest for themselves, and the change is not logged."""
    assert "/digest on" in (await bot.say("/digest", "eve", "eve")).text
    assert "digest of your groups is on" in (await bot.say("/digest on", "eve", "eve")).text
    one = await bot.store.digests.of(MessageRef(PLATFORM, "eve"))
    assert one.user == (await bot.store.people.find(UserRef(PLATFORM, "eve"))).id
    with pytest.raises(NotAllowed):
        await bot.say("/digest off", "bob", "eve")
    await bot.say("/digest off", "eve", "eve")
    assert await bot.store.digests.of(MessageRef(PLATFORM, "eve")) is None
    assert not await bot.store.audit.latest(5)


async def test_who_speaks_as_a_group_is_not_alone_there(bot):
    """A chat in which the group itself is the sender, as its admins can do, still counts as a group."""
    await bot.say("/digest on", "studio", moderates=True)
    assert (await bot.store.digests.of(MessageRef(PLATFORM, "studio"))).user is None


async def test_a_week_is_told(bot):
    """A digest has the number of new items, the best with authors and codes, up to four pictures with buttons, and the board's button."""
    for number in range(6):
        _, (picture,) = await bot.painted(f"circle {number} --size 64x64 --seed {number}")
        await bot.press(f"share::{picture.id}")
    code = await shared(bot, "a red circle", "bob")
    await bot.say(f"/like {code}", "eve")
    reply = await heard(bot)
    assert "7 new items" in reply.text
    assert "These 5" in reply.text
    assert [one.name for one in reply.facts] == ["1", "2", "3", "4", "5"]
    assert reply.facts[0].told == f"a red circle · Bob · 1 like · used 0 times · {code}"
    assert [one.words for one in reply.pictures] == ["circle 5", "circle 4", "circle 3", "circle 2"]
    # Each picture is numbered by its line, whatever its index in its request was.
    assert [one.index for one in reply.pictures] == [1, 2, 3, 4]
    assert reply.pictures[0].buttons[0].wire.startswith("use:")
    assert "circle 5" in told(await bot.press(reply.buttons[0], "eve"))


async def test_nothing_new_is_not_told(bot):
    """A week without new items gives no digest, and the next digest covers only items after the last digest."""
    assert await heard(bot) is None
    code = await shared(bot, "a red circle")
    await bot.say(f"/remove {code}", "mod", moderates=True)
    assert await heard(bot) is None
    await shared(bot, "a blue star")
    assert "One new item" in (await heard(bot)).text
    await bot.store.digests.end(MessageRef(PLATFORM, "studio"))
    one = await wanted(bot.store, MessageRef(PLATFORM, "studio"))
    assert await board_digest.told(bot.store, one.next()) is None


async def test_more_than_a_week_is_not_called_one(bot):
    """After weeks in which Easel did not run, the digest names the date since which items are new."""
    await shared(bot, "a red circle")
    one = await wanted(bot.store, MessageRef(PLATFORM, "studio"), weeks=5.2)
    assert (await board_digest.told(bot.store, one.next())).text == f"One new item was shared since {one.told:%Y-%m-%d %H:%M} UTC."


async def test_what_is_shared_while_it_is_told_is_told_next(bot):
    """Items of the last minute, in which older items may still be uncommitted, are left to the next digest."""
    one = await wanted(bot.store, MessageRef(PLATFORM, "studio"), weeks=1.01)
    await shared(bot, "a red circle")
    first = one.next()
    assert await board_digest.told(bot.store, first) is None
    second = msgspec.structs.replace(first, since=first.told, told=first.told + WEEK)
    assert "a red circle" in told(await board_digest.told(bot.store, second))


async def test_presets_that_are_gone_are_not_told(bot):
    """Archived presets, and presets that are private again, are not in the digest."""
    for name in ("archived", "private", "open"):
        await bot.say(f"/preset save {name} an {name} {{prompt}}")
        await bot.say(f"/preset share {name}")
    await bot.say("/preset delete archived")
    await bot.say("/preset share private --off")
    reply = await heard(bot)
    assert "One new item" in reply.text
    assert "an open {prompt}" in told(reply)


async def test_in_private_all_of_ones_groups_are_told(bot):
    """A subscriber gets the boards of the channels in which they have made requests, and no others, and how to unsubscribe."""
    await shared(bot, "a red circle", "ada", "studio")
    await shared(bot, "a blue star", "ada", "attic")
    await shared(bot, "a green boat", "ada", "cellar")
    for where in ("studio", "attic"):
        await bot.say("/imagine a dog", "eve", where)
    eve = (await bot.store.people.find(UserRef(PLATFORM, "eve"))).id
    reply = await heard(bot, "eve", eve)
    assert sorted(one.told.partition(" · ")[0] for one in reply.facts) == ["a blue star", "a red circle"]
    assert "/digest off" in reply.text
    assert "a green boat" not in told(reply)


async def test_a_group_hears_of_its_own_board_alone(bot):
    """A group gets only its own board, whatever else the user who switched the digest on has seen."""
    await shared(bot, "a red circle", "mod", "studio")
    await shared(bot, "a blue star", "mod", "attic")
    await bot.say("/imagine a dog", "mod", "attic")
    reply = await heard(bot, "studio")
    assert "a red circle" in told(reply)
    assert "a blue star" not in told(reply)


async def test_it_is_in_the_language_of_the_place(bot):
    """A digest is in the language of the group or of the user, and otherwise in English."""
    await shared(bot, "a red circle")
    assert "One new item" in (await heard(bot)).text
    await bot.store.settings.change(MessageRef(PLATFORM, "studio"), {"language": "de"})
    assert "Diese Woche" in (await heard(bot)).text
    await bot.say("/imagine a dog", "eve")
    await bot.say("/settings --language es", "eve", "eve")
    eve = (await bot.store.people.find(UserRef(PLATFORM, "eve"))).id
    with speaking("de"):
        assert "Esta semana" in (await heard(bot, "eve", eve)).text


async def test_covered_pictures_are_covered_in_it(bot):
    """A picture is covered if the receiving channel covers pictures, or the channel whose board it is on."""
    _, (picture,) = await bot.painted("a red circle --size 64x64")
    await bot.press(f"share::{picture.id}")
    assert [one.covered for one in (await heard(bot)).pictures] == [False]
    ada = (await bot.store.people.find(UserRef(PLATFORM, "ada"))).id
    await bot.store.settings.change(MessageRef(PLATFORM, "studio"), {"cover": True})
    assert [one.covered for one in (await heard(bot)).pictures] == [True]
    assert [one.covered for one in (await heard(bot, "ada", ada)).pictures] == [True]


async def test_what_was_not_said_now_is_said_later(bot):
    """A digest is retried if its platform is away, but not if it may have been sent."""
    await shared(bot, "a red circle")

    class Away(Voice):
        """A platform that returns prepared outcomes."""

        def __init__(self, *outcomes):
            super().__init__()
            self.outcomes = list(outcomes)

        async def post(self, address, reply, key):
            """Record the message."""
            await super().post(address, reply, key)
            return self.outcomes.pop(0)

    for outcome, tries in ((Later("away"), 2), (Later("silent", unsure=True), 1)):
        await wanted(bot.store, MessageRef(PLATFORM, "studio"), weeks=1.01)
        voice = Away(outcome, Sent())
        telling = BoardDigests(bot.store, voice, [PLATFORM])
        assert [await telling.look(), await telling.look()] == [0, tries - 1]
        assert len(voice.said) == tries

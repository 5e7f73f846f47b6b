"""Digests as people ask for them and hear them: of a group's board, by who looks after it; in private of all boards, by anybody."""

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
    """Somebody to talk to the bot with."""
    async with talk(tmp_path) as open_one:
        yield open_one


class Voice:
    """A platform that remembers what it says."""

    def __init__(self):
        self.said = []

    async def post(self, address, reply, key):
        """Say it."""
        self.said.append((address.channel, reply))
        return Sent(key)


async def heard(bot, where="studio", user=None):
    """Return what a place is told when a week is over, or nothing."""
    await wanted(bot.store, MessageRef(PLATFORM, where), user, weeks=1.01)
    voice = Voice()
    assert await BoardDigests(bot.store, voice, [PLATFORM]).look() == len(voice.said)
    return next((reply for channel, reply in voice.said if channel == where), None)


def told(reply):
    """Return what a reply says, and the facts of it."""
    return " ".join([reply.text, *(one.told for one in reply.facts)])


async def shared(bot, words, who="ada", where="studio"):
    """Share a prompt and return its code."""
    return (await bot.say(f"/share --prompt {words}", who, where)).buttons[0].wire.partition(":")[2]


async def test_a_groups_is_for_who_looks_after_it(bot):
    """Everybody sees whether a group is told; who looks after it switches that, which is written down, and nobody else."""
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
    """In the conversation with the bot alone anybody switches it for themselves, and nothing of that is written down."""
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
    """A group that speaks itself, as those who look after it can have it do, is a group all the same."""
    await bot.say("/digest on", "studio", moderates=True)
    assert (await bot.store.digests.of(MessageRef(PLATFORM, "studio"))).user is None


async def test_a_week_is_told(bot):
    """How much is new, the best of it with who made it and its code, up to four pictures with what can be done with them, and the board."""
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
    # Each is called by the number of its line, whatever it was in its request.
    assert [one.index for one in reply.pictures] == [1, 2, 3, 4]
    assert reply.pictures[0].buttons[0].wire.startswith("use:")
    assert "circle 5" in told(await bot.press(reply.buttons[0], "eve"))


async def test_nothing_new_is_not_told(bot):
    """In a week without news nothing is said; nor of what was told, and the next week tells of that week alone."""
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
    """After weeks in which Easel did not run it is said since when things are new."""
    await shared(bot, "a red circle")
    one = await wanted(bot.store, MessageRef(PLATFORM, "studio"), weeks=5.2)
    assert (await board_digest.told(bot.store, one.next())).text == f"One new item was shared since {one.told:%Y-%m-%d %H:%M} UTC."


async def test_what_is_shared_while_it_is_told_is_told_next(bot):
    """What came in the last minute, when others may still be at sharing what is older, is left to the next digest, and is in that."""
    one = await wanted(bot.store, MessageRef(PLATFORM, "studio"), weeks=1.01)
    await shared(bot, "a red circle")
    first = one.next()
    assert await board_digest.told(bot.store, first) is None
    second = msgspec.structs.replace(first, since=first.told, told=first.told + WEEK)
    assert "a red circle" in told(await board_digest.told(bot.store, second))


async def test_presets_that_are_gone_are_not_told(bot):
    """A preset that was taken out of all lists, or that is its maker's alone again, is not told of."""
    for name in ("archived", "private", "open"):
        await bot.say(f"/preset save {name} an {name} {{prompt}}")
        await bot.say(f"/preset share {name}")
    await bot.say("/preset delete archived")
    await bot.say("/preset share private --off")
    reply = await heard(bot)
    assert "One new item" in reply.text
    assert "an open {prompt}" in told(reply)


async def test_in_private_all_of_ones_groups_are_told(bot):
    """A subscriber hears of the boards of the places where they have asked for something, and of no other; and how to end it."""
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
    """However much somebody who switched it on has seen elsewhere, a group is told of what is on its board."""
    await shared(bot, "a red circle", "mod", "studio")
    await shared(bot, "a blue star", "mod", "attic")
    await bot.say("/imagine a dog", "mod", "attic")
    reply = await heard(bot, "studio")
    assert "a red circle" in told(reply)
    assert "a blue star" not in told(reply)


async def test_it_is_in_the_language_of_the_place(bot):
    """A group is told in its own language, a person in theirs, everybody else in English."""
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
    """A picture is covered where the place that is told covers pictures, or the one whose board it is on."""
    _, (picture,) = await bot.painted("a red circle --size 64x64")
    await bot.press(f"share::{picture.id}")
    assert [one.covered for one in (await heard(bot)).pictures] == [False]
    ada = (await bot.store.people.find(UserRef(PLATFORM, "ada"))).id
    await bot.store.settings.change(MessageRef(PLATFORM, "studio"), {"cover": True})
    assert [one.covered for one in (await heard(bot)).pictures] == [True]
    assert [one.covered for one in (await heard(bot, "ada", ada)).pictures] == [True]


async def test_what_was_not_said_now_is_said_later(bot):
    """A platform that is away is asked again; one that may have said it is not."""
    await shared(bot, "a red circle")

    class Away(Voice):
        """A platform that says what becomes of it."""

        def __init__(self, *outcomes):
            super().__init__()
            self.outcomes = list(outcomes)

        async def post(self, address, reply, key):
            """Take note of it."""
            await super().post(address, reply, key)
            return self.outcomes.pop(0)

    for outcome, tries in ((Later("away"), 2), (Later("silent", unsure=True), 1)):
        await wanted(bot.store, MessageRef(PLATFORM, "studio"), weeks=1.01)
        voice = Away(outcome, Sent())
        telling = BoardDigests(bot.store, voice, [PLATFORM])
        assert [await telling.look(), await telling.look()] == [0, tries - 1]
        assert len(voice.said) == tries

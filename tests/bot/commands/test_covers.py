"""Covered pictures: if a channel or the operator requires covers, no picture is visible before the user presses on it."""

import pytest

from bot.core.errors import NotAllowed
from bot.core.values import MessageRef
from bot.framework.reply import Attachment, Reply, covered
from bot.i18n.translate import tell
from tests.talk import PLATFORM, talk

LINE = "a red circle --size 64x64"


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


@pytest.fixture
async def strict(tmp_path):
    """Return a chat with a bot that covers pictures everywhere."""
    async with talk(tmp_path, cover=True) as open_one:
        yield open_one


async def shown(bot, line, where="studio"):
    """Return for each picture in a reply, including files, whether it is covered."""
    reply = await bot.say(line, where=where)
    return [one.covered for one in (*reply.pictures, *reply.files)]


def told(reply):
    """Return the facts of a reply by name."""
    return {one.name: one.told for one in reply.facts}


async def test_a_place_covers_its_pictures(bot):
    """Once a moderator turns covers on, all pictures shown in the channel are covered, and elsewhere they are not."""
    _, (first,) = await bot.painted(LINE)
    _, (second,) = await bot.painted(LINE)
    await bot.say(f"/share --picture {first.id}")
    lines = (f"/info {first.id}", "/history", "/board", f"/compare {first.id} {second.id}", f"/original {first.id}")
    for line in lines:
        assert not any(await shown(bot, line)), line
    await bot.say("/rules --cover on", "mod", moderates=True)
    for line in lines:
        assert await shown(bot, line), line
        assert all(await shown(bot, line)), line
    assert not any(await shown(bot, "/history", where="elsewhere"))


async def test_a_board_is_covered_wherever_it_is_looked_at(bot):
    """Pictures on the board of such a channel are covered there, in its members' private chats, and in a group that joined the board."""
    _, (picture,) = await bot.painted(LINE)
    await bot.say(f"/share --picture {picture.id}")
    here, other = MessageRef(PLATFORM, "studio"), MessageRef(PLATFORM, "other")
    await bot.store.boards.join(await bot.store.boards.opened(here), await bot.store.boards.opened(other))
    assert await shown(bot, "/board", where="other") == [False]
    await bot.say("/rules --cover on", "mod", moderates=True)
    assert await shown(bot, "/board", where="other") == [True]
    assert await shown(bot, "/history", where="other") == [False]


async def test_a_preset_of_a_covered_board_is_covered(bot):
    """The picture of a preset is covered if its board is, also if its author views it elsewhere."""
    _, (picture,) = await bot.painted(LINE)
    await bot.say(f"/preset save calm --picture {picture.id}")
    await bot.say("/rules --cover on", "mod", moderates=True)
    assert await shown(bot, "/preset show calm", where="elsewhere") == [False]
    await bot.say("/preset share calm")
    assert await shown(bot, "/preset show calm", where="elsewhere") == [True]


async def test_the_rule_is_shown_and_taken_back(bot):
    """The rules of a channel show the cover rule while it is on, both ways turn it off, and both changes are logged."""
    for line in ("/rules --cover off", "/rules --without cover"):
        assert "hidden" in told(await bot.say("/rules --cover on", "mod", moderates=True))["pictures"]
        assert "pictures" in told(await bot.say("/rules"))
        assert not told(await bot.say(line, "mod", moderates=True))
        assert not told(await bot.say("/rules"))
    assert [(one.act, one.facts) for one in await bot.store.audit.latest(4)] == 4 * [("rules", {"names": "cover"})]


async def test_members_cover_nothing(bot):
    """A member who is not a moderator can turn covers neither on nor off."""
    for line in ("/rules --cover on", "/rules --cover off", "/rules --without cover"):
        with pytest.raises(NotAllowed):
            await bot.say(line)
    _, (picture,) = await bot.painted(LINE)
    assert not any(await shown(bot, f"/info {picture.id}"))


async def test_what_holds_everywhere_no_place_takes_back(strict):
    """If the operator covers pictures, they are covered in every channel; moderators are told so and cannot change it."""
    _, (picture,) = await strict.painted(LINE)
    for line in ("/rules --cover off", "/rules --without cover"):
        with pytest.raises(NotAllowed) as refused:
            await strict.say(line, "mod", moderates=True)
        assert "The operator" in tell(refused.value.problem)
    assert "the operator" in told(await strict.say("/rules"))["pictures"]
    await strict.say(f"/share --picture {picture.id}")
    assert await shown(strict, "/board") == [True]
    for where in ("studio", "elsewhere"):
        assert await shown(strict, f"/info {picture.id}", where) == [True]


async def test_a_form_shows_no_covered_picture(bot):
    """A picture already in a form is covered like all others in its channel."""
    _, (picture,) = await bot.painted(LINE)
    job = await bot.job(await bot.say(f"/vary {picture.id}"))
    for cover in ("off", "on"):
        await bot.say(f"/rules --cover {cover}", "mod", moderates=True)
        form = (await bot.say(f"/edit {job.id}")).form
        assert {one.covered for one in form.fields} == {cover == "on"}


def test_files_that_are_no_pictures_stay_as_they_are():
    """A file meant to be opened elsewhere is not covered, because it has nothing to press on."""
    reply = covered(Reply(files=(Attachment("compare.jpg", b""), Attachment("all.zip", b""))))
    assert [one.covered for one in reply.files] == [True, False]

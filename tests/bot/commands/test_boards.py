"""Boards: shared items are visible to the members of a group, usable anywhere by code, and managed by moderators."""

import asyncio

import pytest
from sqlalchemy import event

from bot.core.errors import BadInput, NotAllowed
from bot.core.values import MessageRef
from tests.stores import init_of
from tests.talk import PLATFORM, png, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def told(reply):
    """Return the text of a reply and its facts."""
    return " ".join([reply.text, *(one.told for one in reply.facts)])


async def shared(bot, line="/share --prompt a red circle --steps 5", who="ada", where="studio"):
    """Share an item and return its code."""
    return (await bot.say(line, who, where)).buttons[0].wire.partition(":")[2]


async def test_a_picture_is_shared_with_its_prompt(bot):
    """Everyone in a channel sees a picture on its board and who made it, and can generate a new picture with its settings."""
    _, (picture,) = await bot.painted("a red circle --steps 7 --size 64x64 --seed 5")
    await bot.press(f"share::{picture.id}")
    reply = await bot.say("/board", "eve")
    assert [one.file for one in reply.pictures] == [picture.file]
    assert "a red circle · Ada" in told(reply)
    again = await bot.job(await bot.press(reply.pictures[0].buttons[0], "eve"))
    assert (again.request.prompt.text, again.request.steps, again.request.width) == ("a red circle", 7, 64)
    assert again.request.seed != 5
    assert "used once" in told(await bot.say("/board"))


async def test_many_pictures_are_one_question(bot):
    """A page of the board needs no more queries for six pictures than for two."""
    asked, counts = [], []
    event.listen(bot.store.database.engine.sync_engine, "before_cursor_execute", lambda *_: asked.append(1))
    for number in range(6):
        _, (picture,) = await bot.painted(f"a red circle --size 64x64 --seed {number}")
        await bot.say(f"/share --picture {picture.id}")
        asked.clear()
        await bot.say("/board")
        counts.append(len(asked))
    assert counts[1] == counts[-1]


async def test_the_id_of_ones_own_picture_is_the_picture(bot):
    """`/share ID` shares the picture with that id and not the text of the id; the id of another user's picture is only text."""
    _, (picture,) = await bot.painted("a red circle")
    code = await shared(bot, f"/share {picture.id}")
    assert (await bot.store.boards.get(code)).picture == picture.id
    code = await shared(bot, f"/share {picture.id}", who="eve")
    assert (await bot.store.boards.get(code)).picture is None


async def test_what_is_shared_stays_in_its_place(bot):
    """A board is not visible in another channel, but its items can be used there by code."""
    code = await shared(bot)
    assert "a red circle" not in told(await bot.say("/board", "eve", "elsewhere"))
    job = await bot.job(await bot.say(f"/use {code} at night", "eve", "elsewhere"))
    assert job.request.prompt.text == "a red circle, at night"
    with pytest.raises(NotAllowed):
        await bot.say("/use nothing", "eve")


async def test_somebody_elses_source_is_not_handed_on(bot):
    """A shared image-to-image picture shares only its prompt, not its source."""
    job = await bot.job(await bot.say("a red circle --strength 0.5", pictures=(png(),)))
    claimed = await bot.store.attempts.claim("painter")
    assert claimed.id == job.id
    assert await bot.store.attempts.finish(claimed, [await bot._painted(claimed, 0)], 1.0)
    (picture,) = (await bot.store.pictures.of_jobs([job.id]))[job.id]
    code = await shared(bot, f"/share --picture {picture.id}")
    again = await bot.job(await bot.say(f"/use {code}", "eve"))
    assert init_of(again) is None


async def test_everybody_has_one_vote(bot):
    """Each user has one vote, a second like takes it back, and fifty likes at once count fifty."""
    code = await shared(bot)
    assert "1 like" in (await bot.say(f"/like {code}", "eve")).text
    assert "No likes" in (await bot.say(f"/like {code}", "eve")).text
    await asyncio.gather(*(bot.say(f"/like {code}", f"p{number}") for number in range(50)))
    assert (await bot.store.boards.get(code)).votes == 50
    await bot.say(f"/like {code}", "p7")
    assert (await bot.store.boards.get(code)).votes == 49


async def test_the_most_liked_comes_first(bot):
    """A board is sorted by newest, most used or most liked, with pinned items at the top."""
    codes = [await shared(bot, f"/share --prompt a {colour} circle") for colour in ("red", "blue", "green")]
    await bot.say(f"/like {codes[0]}")
    await bot.say(f"/use {codes[1]}")

    async def first(order):
        return (await bot.say(f"/board --order {order}")).facts[0].told

    assert "green" in await first("new")
    assert "blue" in await first("used")
    assert "red" in await first("liked")
    await bot.say(f"/pin {codes[2]}", "mod", moderates=True)
    assert "green" in await first("liked")
    await bot.say(f"/pin {codes[2]} --off", "mod", moderates=True)
    assert "red" in await first("liked")


async def test_moderators_look_after_their_own_board(bot):
    """Members can report an item; moderators of its channel see the report and remove the item, and other moderators cannot."""
    code = await shared(bot)
    await bot.say(f"/report {code} --reason rude", "eve")
    for line in (f"/remove {code}", f"/pin {code}", "/reports"):
        with pytest.raises(NotAllowed):
            await bot.say(line, "eve")
    await shared(bot, where="elsewhere", who="bob")
    with pytest.raises(NotAllowed):
        await bot.say(f"/remove {code}", "mod", "elsewhere", moderates=True)
    assert code in [one.name for one in (await bot.say("/reports", "mod", moderates=True)).facts]
    await bot.say(f"/remove {code}", "mod", moderates=True)
    assert "a red circle" not in told(await bot.say("/board"))
    with pytest.raises(NotAllowed):
        await bot.say(f"/use {code}", "eve")
    assert [one.act for one in await bot.store.audit.latest(1)] == ["remove"]


async def test_who_shared_takes_it_back(bot):
    """Users can remove their own items from the board without a moderator."""
    code = await shared(bot)
    await bot.say(f"/remove {code}")
    assert "The board is empty" in (await bot.say("/board")).text


async def test_a_shared_prompt_is_kept_as_a_preset(bot):
    """A shared prompt can be kept as a preset, and the copy of a preset names its author."""
    code = await shared(bot, "/share --prompt a {red|blue} circle")
    await bot.say(f"/keep {code} --name dots", "eve")
    assert (await bot.job(await bot.say("/preset use dots", "eve"))).request.prompt.text in ("a red circle", "a blue circle")
    await bot.say("/preset save calm a blue {prompt}")
    await bot.say("/preset share calm")
    (line,) = [one.told for one in (await bot.say("/board")).facts if "a blue {prompt}" in one.told]
    await bot.say(f"/keep {line.rpartition(' · ')[2]} --name wild", "eve")
    assert "calm by Ada" in told(await bot.say("/preset show wild", "eve"))
    await bot.say("/preset delete dots", "eve")
    assert "someone" not in (await bot.say("/preset fork calm --name dots", "eve")).text
    assert "calm by Ada" in told(await bot.say("/preset show dots", "eve"))
    for line in ("/preset fork calm --name wild", f"/keep {code} --name wild"):
        with pytest.raises(BadInput, match="input-preset-taken"):
            await bot.say(line, "eve")


async def link(bot, first, second):
    """Join the boards of two channels, as their moderators do."""
    code = (await bot.say("/group link", "mod", first, moderates=True)).text.split("/group link ")[1].split(" ")[0]
    answer = (await bot.say(f"/group link {code}", "boss", second, moderates=True)).text.split("/group link ")[1].split(" ")[0]
    return code, answer


async def test_two_groups_look_at_one_board(bot):
    """After both sides have agreed, both groups see all shared items and presets; of two presets with one name both remain."""
    for where, colour in (("studio", "red"), ("attic", "blue")):
        await bot.say(f"/preset save calm-{colour} a {colour} {{prompt}}", colour, where)
        await bot.say(f"/preset share calm-{colour}", colour, where)
        await bot.say("/preset save calm a {prompt}", colour, where)
        await bot.say("/preset share calm", colour, where)
        await shared(bot, f"/share --prompt a {colour} circle", colour, where)
    _, answer = await link(bot, "studio", "attic")
    assert "a blue circle" not in told(await bot.say("/board"))
    assert "one board" in (await bot.say(f"/group link {answer}", "mod", "studio", moderates=True)).text
    for where in ("studio", "attic"):
        said = told(await bot.say("/board", "eve", where))
        assert "a red circle" in said
        assert "a blue circle" in said
        listed = [one.name for one in (await bot.say("/preset list", "eve", where)).facts]
        assert {"calm", "calm-2", "calm-red", "calm-blue"} <= set(listed)


async def test_only_what_is_painted_was_used(bot):
    """A refused use, and a repeat under the same key, do not count as uses; each accepted use does."""
    code = await shared(bot, "/share --prompt a red circle --size 64x64")
    await bot.say("/rules --credits 0", "mod", moderates=True)
    for _ in range(3):
        with pytest.raises(NotAllowed, match="denied-credits"):
            await bot.say(f"/use {code}", "eve")
    assert (await bot.store.boards.get(code)).uses == 0
    await bot.say("/rules --without credits", "mod", moderates=True)
    for _ in range(2):
        await bot.say(f"/use {code}", "eve", key="one message")
    assert (await bot.store.boards.get(code)).uses == 1
    await bot.say(f"/use {code}", "eve")
    assert (await bot.store.boards.get(code)).uses == 2


async def test_codes_of_groups_are_used_once_and_where_they_belong(bot):
    """A code joins no boards if it was used, is entered in the wrong channel, or is entered by a user who is not a moderator."""
    code, answer = await link(bot, "studio", "attic")
    refused = [(code, "cellar", True), (answer, "cellar", True), (answer, "attic", True), ("nonsense", "studio", True)]
    for given, where, moderates in refused:
        with pytest.raises(BadInput):
            await bot.say(f"/group link {given}", "thief", where, moderates=moderates)
    with pytest.raises(NotAllowed):
        await bot.say(f"/group link {answer}", "member", "studio")
    await bot.say(f"/group link {answer}", "mod", "studio", moderates=True)
    with pytest.raises(BadInput):
        await bot.say(f"/group link {answer}", "mod", "studio", moderates=True)
    boards = {await bot.store.boards.of(MessageRef(PLATFORM, where)) for where in ("studio", "attic")}
    assert len(boards) == 1


async def test_in_private_all_of_ones_groups_are_seen(bot):
    """In a private chat, users see the boards of the channels in which they have made requests."""
    await shared(bot)
    await bot.say("/imagine a dog", "eve")
    assert "a red circle" in told(await bot.say("/board", "eve", "eve"))
    assert "a red circle" not in told(await bot.say("/board", "bob", "bob"))


async def test_moderators_see_why_something_was_reported(bot):
    """Moderators see the latest reason of each report but not the reporter, and a dismissed report disappears."""
    code = await shared(bot)
    for who, reason in (("eve", "rude"), ("eve", "rude\nwords"), ("bob", "off topic"), ("zoe", "off topic")):
        await bot.say(f"/report {code} --reason {reason}", who)
    await bot.say(f"/report {code}", "ida")
    said = told(await bot.say("/reports", "mod", moderates=True))
    assert "reported 4 times" in said
    assert "reasons: rude words; off topic" in said
    assert not [name for name in ("Eve", "Bob", "Zoe", "Ida") if name in said]
    assert "4 reports" in (await bot.say(f"/dismiss {code}", "mod", moderates=True)).text
    assert "There are no reports" in (await bot.say("/reports", "mod", moderates=True)).text
    assert "no reports" in (await bot.say(f"/dismiss {code}", "mod", moderates=True)).text
    assert "a red circle" in told(await bot.say("/board"))
    assert [one.act for one in await bot.store.audit.latest(1)] == ["dismiss"]


async def test_two_groups_are_parted_again(bot):
    """A channel that leaves a board has its own board, shared items stay on the old one, and open codes are void."""
    code, answer = await link(bot, "studio", "attic")
    assert "/group unlink" in (await bot.say(f"/group link {answer}", "mod", "studio", moderates=True)).text
    await shared(bot)
    code = (await bot.say("/group link", "mod", "attic", moderates=True)).text.split("/group link ")[1].split(" ")[0]
    with pytest.raises(NotAllowed):
        await bot.say("/group unlink", "eve", "attic")
    assert "its own board" in (await bot.say("/group unlink", "boss", "attic", moderates=True)).text
    assert "a red circle" in told(await bot.say("/board"))
    assert "The board is empty" in (await bot.say("/board", "eve", "attic")).text
    with pytest.raises(BadInput):
        await bot.say(f"/group link {code}", "thief", "cellar", moderates=True)
    for where in ("studio", "attic", "cellar"):
        with pytest.raises(BadInput, match="input-group-alone"):
            await bot.say("/group unlink", "mod", where, moderates=True)
    assert "group_unlink" in [one.act for one in await bot.store.audit.latest(3)]

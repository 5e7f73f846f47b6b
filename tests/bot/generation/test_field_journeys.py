"""A value given to a field arrives on every path: typed, as a default, in a preset, shared, repeated, changed."""

import pytest

from bot.generation.fields import CARRIED, CHANGEABLE, FIELDS, SETTABLE, GenerationParams, label
from tests.fields import PLAIN, example, flags, given
from tests.talk import talk

#: The fields that one line can set together, if there is a source picture.
ALL = tuple(name for name, one in FIELDS.items() if one.row.changeable and not one.is_image)

SMALL = "--steps 2 --size 64x64"


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


async def params(bot, reply):
    """Return the params of a reply's only job."""
    return GenerationParams.model_validate_json((await bot.job(reply)).params)


async def line(bot):
    """Return a line that gives a value to every field."""
    _, (picture,) = await bot.painted(f"/imagine a boat {SMALL}")
    return f"a boat --image {picture.id} {flags(*ALL)}"


def labels(reply):
    """Return the fields that a reply shows."""
    told = {fact.name for fact in reply.facts if fact.told}
    return {name for name, one in FIELDS.items() if one.row.fact and label(name) in told}


async def test_what_is_typed_is_painted_and_told(bot):
    """Every typed value is in the params and the request, and is shown by `explain` before and by `info` after."""
    said = await line(bot)
    facts = {name for name, one in FIELDS.items() if one.row.fact}
    assert labels(await bot.say(f"/explain {said}")) == facts
    job, pictures = await bot.painted(f"/imagine {said}")
    assert given(GenerationParams.model_validate_json(job.params), *ALL) == {*ALL}
    assert {name for name in ALL if str(FIELDS[name].value(job.request)) == str(example(name))} == {*ALL}
    assert labels(await bot.say(f"/info {pictures[0].id}")) == {name for name in facts if FIELDS[name].row.of_picture}


async def test_what_is_painted_again_keeps_its_values(bot):
    """`again` changes only the seed, repeating the same changes nothing, and a branch has all values of its picture."""
    job, pictures = await bot.painted(f"/imagine {await line(bot)}")
    after = await params(bot, await bot.say(f"/again {job.id}"))
    assert given(after, *ALL) == {*ALL} - {"seed"}
    same = await bot.job(await bot.say(f"/again {job.id} --same"))
    assert {name for name in ALL if FIELDS[name].value(same.request) != FIELDS[name].value(job.request)} == set()
    branched = await params(bot, await bot.say(f"/branch {pictures[0].id} --prompt a house"))
    assert given(branched, *ALL) == {*ALL} - {"count"}


@pytest.mark.parametrize("name", [name for name in CHANGEABLE if name in PLAIN])
@pytest.mark.parametrize("command", ["edit", "branch"])
async def test_a_request_can_be_changed(bot, command, name):
    """`edit` and `branch` accept a new value for each field."""
    job, pictures = await bot.painted(f"/imagine a boat {SMALL} --guidance 4")
    of = job.id if command == "edit" else pictures[0].id
    assert given(await params(bot, await bot.say(f"/{command} {of} {flags(name)}")), name) == {name}


async def test_what_is_settled_holds(bot):
    """Every default that a user sets is shown to them, and is in their next request."""
    settable = [name for name in SETTABLE if name in PLAIN]
    told = await bot.say(f"/settings {flags(*settable)}")
    assert labels(told) >= {*settable}
    assert given(await params(bot, await bot.say("/imagine a boat")), *settable) == {*settable}


async def test_a_preset_keeps_what_is_given(bot):
    """Every setting saved in a preset is shown with it and used by it, and a changed value replaces it."""
    kept = [name for name, one in FIELDS.items() if one.row.preset and not one.row.of_image]
    assert labels(await bot.say(f'/preset save mine "a boat" {flags(*kept)}')) >= {*kept}
    assert given(await params(bot, await bot.say("/preset use mine")), *kept) == {*kept}
    await bot.say('/preset save other "a boat"')
    await bot.say(f"/preset edit other {flags(*kept)}")
    assert given(await params(bot, await bot.say("/preset use other")), *kept) == {*kept}


async def test_a_preset_keeps_what_a_picture_was_painted_with(bot):
    """A preset made from a picture has every setting of it that applies to one picture."""
    kept = {name for name, one in FIELDS.items() if one.row.preset and one.row.of_picture}
    _, pictures = await bot.painted(f"/imagine {await line(bot)}")
    shown = await bot.say(f"/preset save mine --picture {pictures[0].id}")
    assert labels(shown) >= kept
    found = await bot.store.presets.own(await bot.appointed("ada"), "mine")
    assert {name for name in kept - {"negative"} if found.body.settings[name] == example(name)} == kept - {"negative"}


async def test_what_is_shared_goes_along(bot):
    """Using a shared item, or keeping it as a preset, takes every setting that was shared."""
    shared = [name for name, one in FIELDS.items() if one.row.shared]
    code = (await bot.say(f'/share --prompt "a boat" {flags(*shared)}')).buttons[0].wire.split(":")[1]
    assert given(await params(bot, await bot.say(f"/use {code}", "eve")), *shared) == {*shared}
    await bot.say(f"/keep {code} --name theirs", "eve")
    assert given(await params(bot, await bot.say("/preset use theirs", "eve")), *shared) == {*shared}


@pytest.mark.parametrize("name", CARRIED)
async def test_a_form_carries_what_was_given(bot, name):
    """Values given together with a preset are still in its form when it is submitted."""
    await bot.say("/preset save placard a placard of {title}")
    form = (await bot.say(f"/preset use placard {flags(name)}")).form
    assert given(await params(bot, await bot.press(form.wire, filled={"slot_1": "a cat"})), name) == {name}


@pytest.mark.parametrize("name", [name for name, one in FIELDS.items() if one.row.limit and not one.row.of_image])
async def test_a_limit_of_a_channel_holds(bot, name):
    """A field with a limit is refused above the limit of its channel."""
    await bot.say(f"/rules --most {name}=1", "mod", moderates=True)
    with pytest.raises(Exception, match="input-place-most"):
        await bot.say(f"/imagine a boat {flags(name)}")

"""Defaults apply to every request that leaves out a value: the user's before the channel's, and given values before both."""

import pytest

from bot.core.errors import BadInput, NotAllowed
from bot.core.values import MessageRef
from bot.i18n.translate import tell
from inference.contract.errors import InferenceError
from tests.talk import PLATFORM, png, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def told(reply):
    """Return the facts of a reply by name."""
    return {one.name: one.told for one in reply.facts}


async def request(bot, line, who="ada", where="studio", **more):
    """Return the engine request of a line."""
    return (await bot.job(await bot.say(line, who, where, **more))).request


async def test_what_is_settled_holds_where_nothing_is_given(bot):
    """A user's settings apply to all of their requests and to no one else's, and given values override them."""
    reply = await bot.say("/settings --steps 11 --guidance 3.5 --ar 1:2 --n 2 --no fog")
    assert "Saved." in reply.text
    mine = await request(bot, "/imagine a red circle")
    assert (mine.steps, mine.guidance, mine.count, mine.negative.text) == (11, 3.5, 2, "fog")
    assert mine.height > 1.5 * mine.width
    given = await request(bot, "/imagine a red circle --steps 7 --no rain")
    assert (given.steps, given.guidance, given.negative.text) == (7, 3.5, "rain")
    assert (await request(bot, "/imagine a red circle", "eve")).steps != 11


async def test_a_place_has_settings_too(bot):
    """A channel's settings apply there to every user without a setting of their own, and nowhere else."""
    await bot.say("/settings --here --steps 9 --guidance 2", "mod", moderates=True)
    await bot.say("/settings --steps 11")
    mine, hers = await request(bot, "/imagine a red circle"), await request(bot, "/imagine a red circle", "eve")
    assert ((mine.steps, mine.guidance), (hers.steps, hers.guidance)) == ((11, 2.0), (9, 2.0))
    assert (await request(bot, "/imagine a red circle", "eve", "elsewhere")).steps != 9
    (act,) = await bot.store.audit.latest(1)
    assert (act.act, act.facts) == ("settings", {"names": "guidance, steps"})


async def test_only_who_looks_after_a_place_settles_for_it(bot):
    """A member can neither set channel defaults nor open the form that only moderators use."""
    for line in ("/settings --here --steps 9", "/settings --here"):
        with pytest.raises(NotAllowed):
            await bot.say(line)
    assert (await request(bot, "/imagine a red circle")).steps != 9


async def test_explain_says_who_decided(bot):
    """Explain shows for each value whether it was given, or comes from the user's settings, the channel's, or the model."""
    await bot.say("/settings --here --guidance 2 --steps 9 --n 3", "mod", moderates=True)
    await bot.say("/settings --steps 11 --no fog")
    facts = told(await bot.say("/explain a red circle --scheduler ddim"))
    assert facts["steps"] == "11 (your default)"
    assert facts["guidance"] == "2 (chat default)"
    assert facts["pictures"] == "3 (chat default)"
    assert facts["scheduler"] == "ddim (set by you)"
    assert facts["model"] == "demo (model default)"
    assert facts["negative"] == "fog"


async def test_settings_are_shown_and_taken_back(bot):
    """The command without arguments shows all settings; a reset setting returns to the model's default, and the others stay."""
    await bot.say("/settings --steps 11 --guidance 3")
    shown = told(await bot.say("/settings"))
    assert (shown["steps"], shown["guidance"]) == ("11 (your default)", "3 (your default)")
    assert "seed" not in shown
    await bot.say("/settings --without steps")
    shown = told(await bot.say("/settings"))
    assert shown["steps"].endswith("(model default)")
    assert shown["guidance"] == "3 (your default)"


async def test_they_can_be_filled_in(bot):
    """The button opens a form with the current settings, and an emptied field resets its setting."""
    reply = await bot.say("/settings --steps 11 --size 64x64")
    form = (await bot.press(reply.buttons[0])).form
    assert {one.param.name: one.value for one in form.fields} == {"steps": "11", "guidance": "", "size": "64x64", "count": "", "model": ""}
    filled = {"steps": "", "guidance": "4", "size": "64x64", "count": "2", "model": "demo"}
    shown = told(await bot.press(form.wire, filled=filled))
    assert shown["guidance"] == "4 (your default)"
    assert shown["steps"].endswith("(model default)")
    (of_form,) = {(await request(bot, "/imagine a red circle")).count}
    assert of_form == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/settings --steps 900", "input-range"),
        ("/settings --size 1x1", "range"),
        ("/settings --model nothing", "model"),
        ("/settings --scheduler nothing", "scheduler"),
        ("/settings --without colour", "input-choice"),
        ("/settings --seed 3", "input-flag-unknown"),
    ],
)
async def test_what_could_not_be_painted_is_refused(bot, line, said):
    """A setting that no request could use is refused when it is set, and nothing changes."""
    with pytest.raises((BadInput, InferenceError)) as refused:
        await bot.say(line)
    assert said in refused.value.problem.key
    assert "Saved" not in (await bot.say("/settings")).text
    assert (await request(bot, "/imagine a red circle")).steps > 1


async def test_a_picture_to_start_from_keeps_its_shape(bot):
    """A default size does not override the shape of a source picture, but other settings apply to it too."""
    await bot.say("/settings --size 128x64 --steps 9")
    changed = await request(bot, "/imagine a red circle", pictures=(png(64, 128),))
    assert (changed.height > changed.width, changed.steps) == (True, 9)
    given = await request(bot, "/imagine a red circle --size 128x64", pictures=(png(64, 128),))
    assert (given.width, given.height) == (128, 64)


async def test_again_is_the_same_after_settings_changed(bot):
    """A repeat keeps the settings of its first request."""
    await bot.say("/settings --steps 11")
    job = await bot.job(await bot.say("/imagine a red circle"))
    await bot.say("/settings --steps 5")
    assert (await bot.job(await bot.press(f"again:{job.id}"))).request.steps == 11


async def test_what_does_not_fit_any_more_is_named(bot):
    """A setting that the current model does not accept is named with the command that resets it, and that command works."""
    user = await bot.appointed("ada")
    await bot.store.settings.change(user, {"steps": 600})
    with pytest.raises(BadInput) as refused:
        await bot.say("/imagine a red circle")
    assert refused.value.problem.key == "input-settled"
    assert "/settings --without steps" in tell(refused.value.problem)
    assert "600" in (await bot.say("/settings")).facts[0].told
    await bot.say("/settings --without steps")
    assert (await request(bot, "/imagine a red circle")).steps < 600


async def test_a_place_has_rules(bot):
    """A member cannot use a closed command in a channel, by line or by button; moderators can, and everyone elsewhere."""
    job, (picture,) = await bot.painted("a red circle --size 64x64")
    await bot.say("/rules --closed vary, preset use", "mod", moderates=True)
    for doing in (bot.press(f"vary:{picture.id}"), bot.say("/preset use night a circle"), bot.say("/vary " + picture.id)):
        with pytest.raises(NotAllowed) as refused:
            await doing
        assert refused.value.problem.key == "denied-closed"
    assert (await bot.say(f"/vary {picture.id}", moderates=True)).jobs
    assert (await bot.say("/preset use night a circle", where="elsewhere")).jobs
    assert job.id
    for line in ("/rules --closed help", "/rules --closed nonsense", "/rules --most colour=3"):
        with pytest.raises(BadInput):
            await bot.say(line, "mod", moderates=True)
    with pytest.raises(NotAllowed):
        await bot.say("/rules --without closed")
    await bot.say("/rules --without closed", "mod", moderates=True)
    assert (await bot.press(f"vary:{picture.id}")).jobs


async def test_a_place_has_ceilings(bot):
    """A value above a channel's limit is refused if it was given, and reduced if it comes from a setting or the model."""
    await bot.say("/rules --most steps=6,count=2", "mod", moderates=True)
    for line in ("/imagine a circle --steps 7", "/imagine a circle --count 3", "/preset use night a circle --steps 7"):
        with pytest.raises(BadInput) as refused:
            await bot.say(line)
        assert refused.value.problem.key == "input-place-most"
    assert (await request(bot, "/imagine a circle")).steps == 6
    await bot.say("/settings --steps 30 --count 4")
    found = await request(bot, "/imagine a circle")
    assert (found.steps, found.count) == (6, 2)
    assert (await request(bot, "/imagine a circle", where="elsewhere")).steps == 30
    job = await bot.job(await bot.say("/imagine a circle --steps 20", where="elsewhere"))
    assert (await bot.job(await bot.press(f"again:{job.id}"))).request.steps == 6


async def test_a_place_has_ceilings_for_what_others_made(bot):
    """The values of a preset or a shared item are reduced to a channel's limits, and values given with it are refused as usual."""
    await bot.say("/preset save long a house --steps 20")
    shared = await bot.say("/preset share long")
    assert shared.text
    code = (await bot.say('/share --prompt "a boat" --steps 20')).buttons[0].wire.split(":")[1]
    await bot.say("/rules --most steps=6", "mod", moderates=True)
    assert (await request(bot, "/preset use long")).steps == 6
    assert (await request(bot, f"/use {code}")).steps == 6
    with pytest.raises(BadInput) as refused:
        await bot.say("/preset use long --steps 8")
    assert refused.value.problem.key == "input-place-most"


async def test_a_ceiling_of_strength_is_for_pictures(bot):
    """The limit of strength applies only to image to image."""
    _, (picture,) = await bot.painted("/imagine a star --seed 7", "bob")
    await bot.say("/rules --most strength=0.3", "mod", moderates=True)
    assert (await request(bot, "/imagine a circle")).prompt.text == "a circle"
    assert (await request(bot, f"/vary {picture.id}", "bob")).strength == 0.3


async def test_a_language_is_settled_whatever_else_is(bot):
    """The language can be changed even if other settings have become invalid."""
    await bot.store.settings.change(MessageRef(PLATFORM, "studio"), {"scheduler": "gone"})
    reply = await bot.say("/settings --here --language de", "mod", moderates=True)
    assert reply.text
    assert (await bot.store.settings.of("", MessageRef(PLATFORM, "studio"))).language == "de"


@pytest.mark.parametrize("said", ["steps=inf", "steps=-3", "steps=0", "steps=0.5", "steps=nan", "steps=", "count=1e999"])
async def test_a_ceiling_is_a_number_that_something_fits_under(bot, said):
    """A limit below all values, or above all values, is refused: for a channel, for a preset, and for an imported preset."""
    for line in (f"/rules --most {said}", f"/preset save house a house --most {said}"):
        with pytest.raises(BadInput) as refused:
            await bot.say(line, "mod", moderates=True)
        assert refused.value.problem.key == "input-preset-ceiling"


async def test_what_is_left_to_paint_with_is_told(bot):
    """A moderator who closes one way to generate is told which ways remain."""
    reply = await bot.say("/rules --closed imagine, queue", "mod", moderates=True)
    assert "preset use" in told(reply)["can still paint with"]
    assert "imagine" not in told(reply)["can still paint with"].split(", ")
    reply = await bot.say("/rules --closed queue", "mod", moderates=True)
    assert "can still paint with" not in told(reply)


async def test_a_model_that_went_is_nobodys_wish(bot):
    """A default model that is no longer available does not prevent requests."""
    user = await bot.appointed("ada")
    await bot.store.settings.change(user, {"model": "gone", "steps": 9})
    assert (await request(bot, "/imagine a red circle")).steps == 9
    assert told(await bot.say("/settings"))["model"] == "demo (model default)"

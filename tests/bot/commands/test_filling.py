"""Preset slots that were left empty: a form asks for them, keeps the given values, and passes on its input unchanged."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import BadInput, NotAllowed
from bot.framework.forms import MOST_FIELDS, MOST_FORM_WIRE
from bot.generation.fields import GenerationParams
from bot.presets import template as presets
from bot.presets.template import Body, Use
from bot.prompting import grammar
from tests.stores import tries
from tests.talk import png, talk

SAVED = "/preset save placard a placard of {title}, {colour=red}, {prompt}"


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot, in which the user has a preset."""
    async with talk(tmp_path) as open_one:
        await open_one.say(SAVED)
        yield open_one


def fields(form):
    """Return the values of a form's fields, by name."""
    return {one.name: one.value for one in form.fields}


async def filled(bot, form, values=None, who="ada", **more):
    """Submit a form as platforms do, with every field, and return the params of its job."""
    sent = {one.param.name: (values or {}).get(one.name, one.value) for one in form.fields}
    return GenerationParams.model_validate_json((await bot.job(await bot.press(form.wire, who, filled=sent, **more))).params)


async def test_an_empty_slot_is_asked_for(bot):
    """A required slot becomes a field of a form that has the preset's name and the given values, and submitting it starts a job."""
    form = (await bot.say("/preset use placard at night colour:blue --steps 7 --size 64x64")).form
    assert (form.title, form.send) == ("placard", "form-paint")
    assert fields(form) == {"title": "", "colour": "blue", "prompt": "at night"}
    assert [one.name for one in form.fields if one.param.required] == ["title"]
    assert await bot.open() == 0
    params = await filled(bot, form, {"title": "Blade Runner"})
    assert (params.prompt, params.steps, params.size) == ("a placard of Blade Runner, blue, at night", 7, "64x64")
    assert params.preset.startswith("placard@1#")


async def test_what_has_a_default_may_be_left(bot):
    """Slots with defaults appear in the form with them if there is room, and get their default again if emptied."""
    form = (await bot.say("/preset use placard")).form
    assert fields(form) == {"title": "", "colour": "red", "prompt": ""}
    assert (await filled(bot, form, {"title": "cat", "colour": ""})).prompt == "a placard of cat, red"
    assert (await filled(bot, form, {"title": "cat", "prompt": "title:dog"})).prompt == "a placard of cat, red, title:dog"


async def test_a_form_knows_itself_by_its_command(bot):
    """The command of a form is enough to show it again with the same fields, also after a restart."""
    form = (await bot.say("/preset use placard at night colour:blue --steps 7")).form
    again = (await bot.press(form.wire)).form
    assert again.wire == form.wire
    assert [one.param for one in again.fields] == [one.param for one in form.fields]


@pytest.mark.parametrize("sent", [{}, {"colour": "blue"}, {"title": " \n "}])
async def test_a_form_that_is_sent_without_it_is_told(bot, sent):
    """A form submitted with an empty slot is refused with one sentence; the form is not shown again, and no job starts."""
    form = (await bot.say("/preset use placard")).form
    with pytest.raises(BadInput) as refused:
        await filled(bot, form, sent)
    assert refused.value.problem.key == "input-preset-slot"
    assert await bot.open() == 0


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("/imagine a boat --preset placard", {}),
        ("/preset use placard a boat || a ship", {}),
        ("/preset use placard a boat --negative " + "fog " * 20, {}),
        ("/preset use placard a boat", {"pictures": (png(),)}),
    ],
)
async def test_where_no_form_holds_it_a_sentence_says_it(bot, line, more):
    """If a form cannot carry the line (another command, several prompts, a picture, a long text), a sentence asks for the slot instead."""
    with pytest.raises(BadInput) as refused:
        await bot.say(line, **more)
    assert refused.value.problem.key == "input-preset-slot"


async def test_more_slots_than_fields(bot):
    """If there are many slots, only the required slots are asked for; if these are too many, a sentence names the missing slots."""
    await bot.say("/preset save many {a=1} {b=2} {c=3} {d=4} {e} {f=6} {g}")
    form = (await bot.say("/preset use many")).form
    assert fields(form) == {"a": "1", "b": "2", "c": "3", "e": "", "g": ""}
    assert (await filled(bot, form, {"a": "x", "e": "5", "g": "7"})).prompt == "x 2 3 4 5 6 7"
    await bot.say("/preset save most {a} {b} {c} {d} {e} {f}")
    for press in (bot.say("/preset use most"), bot.say("/fill most")):
        with pytest.raises(BadInput) as refused:
            await press
        assert refused.value.problem.key == "input-preset-slot"


async def test_a_preset_that_changed_meanwhile(bot):
    """A form shown before its preset was changed is refused, because its fields may have changed."""
    form = (await bot.say("/preset use placard")).form
    await bot.say("/preset edit placard a placard of {place} and {title}")
    with pytest.raises(BadInput) as refused:
        await filled(bot, form, {"title": "cat"})
    assert refused.value.problem.key == "input-preset-other"
    earlier = (await bot.say("/preset use placard@1")).form
    assert (await filled(bot, earlier, {"title": "cat"})).prompt == "a placard of cat, red"


async def test_nobody_fills_in_anothers_preset(bot):
    """The form of a private preset is neither shown to nor accepted from other users, who get the same reply as for an unknown preset."""
    form = (await bot.say("/preset use placard")).form
    for more in ({}, {"filled": {"slot_1": "cat"}}):
        with pytest.raises(BadInput) as refused:
            await bot.press(form.wire, "eve", **more)
        assert refused.value.problem.key == "input-preset-unknown"
    for letters in ("z", "aaaaaa", "A"):
        with pytest.raises(BadInput):
            await bot.say(f"/fill placard --asks {letters}")


async def test_what_was_shared_asks_too(bot):
    """A shared preset asks any user with its code, in any channel, and counts as used; after it is unshared, its form is refused."""
    await bot.say("/preset share placard")
    code = (await bot.say("/board")).facts[0].told.rpartition(" · ")[2]
    form = (await bot.say(f"/use {code} at night", "eve", "elsewhere")).form
    assert fields(form) == {"title": "", "colour": "red", "prompt": "at night"}
    params = await filled(bot, form, {"title": "cat"}, "eve", where="elsewhere")
    assert params.prompt == "a placard of cat, red, at night"
    assert (await bot.store.boards.get(code)).uses == 1
    await bot.say("/preset share placard --off")
    with pytest.raises(NotAllowed):
        await filled(bot, form, {"title": "cat"}, "eve", where="elsewhere")


async def test_what_is_closed_stays_closed(bot):
    """If a channel has closed the command, its form is closed to members there too, but not elsewhere."""
    form = (await bot.say("/preset use placard")).form
    await bot.say("/rules --closed preset_use", "mod", moderates=True)
    for more in ({}, {"filled": {"slot_1": "cat"}}):
        with pytest.raises(NotAllowed) as refused:
            await bot.press(form.wire, **more)
        assert refused.value.problem.key == "denied-closed"
    assert (await filled(bot, form, {"title": "cat"}, where="elsewhere")).prompt == "a placard of cat, red"


async def test_without_a_name_presets_are_offered(bot):
    """Without a name, presets are offered to choose from and then run or ask; in a shared channel no private presets are offered."""
    await bot.say("/preset save plain a red circle", where="ada")
    own, here = await bot.say("/preset use", where="ada"), await bot.say("/preset use")
    offered = {one.name: one.wire for one in own.buttons}
    assert {"placard", "plain", "night", "poster"} <= offered.keys()
    assert not {"placard", "plain"} & {one.name for one in here.buttons}
    assert {"night", "poster"} <= {one.name for one in here.buttons}
    assert (await bot.job(await bot.press(offered["plain"], where="ada"))).request.prompt.text == "a red circle"
    assert fields((await bot.press(offered["poster"], where="ada")).form) == {"title": "", "prompt": ""}
    await bot.say("/preset share plain")
    assert "plain" in {one.name for one in (await bot.say("/preset use", "eve")).buttons}
    with pytest.raises(BadInput) as refused:
        await bot.say("/preset use --steps 3")
    assert refused.value.problem.key == "input-missing"


async def test_a_shown_preset_can_be_used(bot):
    """The button below a preset starts a job, or asks first if a value is missing."""
    (use,) = [one for one in (await bot.say("/preset show placard")).buttons if one.label == "button-use"]
    assert fields((await bot.press(use)).form) == {"title": "", "colour": "red", "prompt": ""}


VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30
) | st.sampled_from(
    [
        '"',
        'x" colour:"blue',
        "title:cat",
        "{colour}",
        "{a|b}",
        "}",
        "{",
        ")",
        "-fog",
        "a: 2",
        "\\",
        "a\nb",
        "a,, b ,",
        "--steps 3",
        "a || b",
    ]
)


@settings(max_examples=tries(400))
@given(
    VALUES,
    VALUES,
    st.sampled_from(["a ({title}) of {colour=red}, {prompt}", "{title}{colour=x}", "[{title}] {red|{colour=x}}", "({title}, {colour})"]),
)
def test_what_is_filled_in_arrives_as_it_is(title, colour, template):
    """A value from a field appears in the prompt unchanged: no slot, no grammar, and no closing bracket."""
    use = Use("", "placard", 1, Body(prompt=template))
    if not (title.strip() and colour.strip()):
        return
    made = presets.filled(use, "", {"title": title, "colour": colour})
    words = "".join(one.text for part in grammar.read(made).prompt.parts for one in part)
    assert not grammar.read(made).negative.text
    assert title.strip() in words
    if "{red|" not in template:
        assert colour.strip() in words


@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
async def test_a_value_makes_the_whole_way(bot, value):
    """A value gets from the field to the request without loss or addition, and changes no other setting."""
    if not value.strip():
        return
    form = (await bot.say("/preset use placard")).form
    params = await filled(bot, form, {"title": value})
    words = "".join(one.text for part in grammar.read(params.prompt).prompt.parts for one in part)
    assert words == f"a placard of {value}, red"
    assert params.steps is None


def test_forms_fit_everywhere():
    """A form has no more fields and no longer a command than every platform accepts."""
    assert MOST_FIELDS == 5
    assert len(f"+{2**52 - 1:x}.".encode()) + MOST_FORM_WIRE <= 64

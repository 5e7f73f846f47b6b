"""Presets: saved, used, versioned, locked by their author, shared, and otherwise private."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import BadInput, NotAllowed
from bot.core.values import MessageRef, UserRef
from bot.presets import template
from bot.presets.template import Body, Use
from inference.contract.errors import InferenceError
from tests.stores import tries
from tests.talk import PLATFORM, talk


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


async def test_a_preset_is_kept_and_painted_with(bot):
    """A saved preset fills in missing values, given values override it, and the prompt goes into its slot."""
    reply = await bot.say("/preset save calm a blue {prompt} by the sea --steps 9 --guidance 2 --no fog --tags sea, soft")
    assert reply.text == "Preset “calm” saved."
    found = await request(bot, "/preset use calm circle")
    assert (found.prompt.text, found.negative.text, found.steps, found.guidance) == ("a blue circle by the sea", "fog", 9, 2.0)
    changed = await request(bot, "/preset use calm circle --steps 5 --no rain")
    assert (changed.steps, changed.guidance, changed.negative.text) == (5, 2.0, "fog, rain")
    assert (await request(bot, "/imagine a star --preset calm")).prompt.text == "a blue a star by the sea"


async def test_slots_are_filled(bot):
    """A slot takes its value by name, quoted or as one word; only slots with a default may be left out."""
    await bot.say("/preset save poster a poster of {title} in {colour=red}, {prompt}")
    said = await request(bot, '/preset use poster title:"Blade Runner" at night')
    assert said.prompt.text == "a poster of Blade Runner in red, at night"
    assert (await request(bot, "/preset use poster colour=blue title:cat")).prompt.text == "a poster of cat in blue"
    with pytest.raises(BadInput) as refused:
        await bot.say("/imagine at night --preset poster")
    assert refused.value.problem.key == "input-preset-slot"
    assert refused.value.problem.facts["name"] == "title"


async def test_what_is_locked_stays(bot):
    """No flag and no user setting changes a locked value, and limits apply to both."""
    await bot.say("/preset save house a house --steps 9 --guidance 3 --lock steps --most guidance=4,count=2")
    for line in ("--steps 10", "--guidance 5", "--count 3"):
        with pytest.raises(BadInput) as refused:
            await bot.say(f"/preset use house {line}")
        assert refused.value.problem.key in ("input-preset-locked", "input-preset-most")
    await bot.say("/settings --steps 20 --count 4")
    found = await request(bot, "/preset use house --guidance 4 --steps 9")
    assert (found.steps, found.guidance, found.count) == (9, 4.0, 2)


async def test_ceilings_hold_where_nobody_said_anything(bot):
    """A limit also applies to the model's default, and the preset's own values are below it."""
    await bot.say("/preset save quick a house --most steps=3")
    assert (await request(bot, "/preset use quick")).steps == 3
    assert (await request(bot, "/imagine at night --preset quick")).steps == 3
    with pytest.raises(BadInput) as refused:
        await bot.say("/preset save slow a house --steps 12 --most steps=3")
    assert refused.value.problem.key == "input-preset-over"


async def test_what_is_locked_stays_in_what_is_changed_later(bot):
    """Edit and branch of a picture can change only what its preset leaves open, and without the preset everything."""
    await bot.say("/preset save house a house --steps 9 --lock steps,prompt,negative --most guidance=4")
    job, (picture,) = await bot.painted("/preset use house")
    for wire in (f"edit:{job.id}", f"branch:{picture.id}"):
        for filled in ({"steps": 10}, {"prompt": "a boat"}, {"negative": "rain"}, {"steps": ""}):
            with pytest.raises(BadInput) as refused:
                await bot.press(wire, filled=filled)
            assert refused.value.problem.key == "input-preset-locked"
        same = await bot.job(await bot.press(wire, filled={"prompt": "a house", "steps": 9, "size": "64x64"}))
        assert (same.request.steps, same.request.width) == (9, 64)
    free = await bot.job(await bot.say(f'/edit {job.id} --prompt "a boat" --steps 10 --without preset'))
    assert (free.request.steps, free.request.prompt.text) == (10, "a boat")


async def test_a_locked_negative_takes_no_negative_words(bot):
    """Negative words are refused if the preset locks its own, however they are written."""
    await bot.say("/preset save dry a house --no fog --lock negative")
    for line in ("/preset use dry (-rain)", "/preset use dry --no rain", "/imagine at night (-rain) --preset dry"):
        with pytest.raises(BadInput) as refused:
            await bot.say(line)
        assert refused.value.problem.key == "input-preset-locked"
    assert (await request(bot, "/preset use dry")).negative.text == "fog"


async def test_slots_as_phones_write_them(bot):
    """A capital and a space after the colon, which phones insert, change nothing."""
    await bot.say("/preset save poster a poster of {title}")
    for said in ('Title: "Blade Runner"', 'title: "Blade Runner"', 'TITLE:"Blade Runner"'):
        assert (await request(bot, f"/preset use poster {said}")).prompt.text == "a poster of Blade Runner"
    assert (await request(bot, "/preset use poster title: cat")).prompt.text == "a poster of cat"


async def test_a_place_keeps_the_preset_that_was_chosen(bot):
    """The default preset of a channel is the chosen preset, even if another preset of its name is shared there."""
    await bot.say("/preset save calm a calm {prompt}", "bob")
    await bot.say("/preset share calm", "bob")
    await bot.say("/settings --here --preset calm", "mod", moderates=True)
    assert (await request(bot, "a sea")).prompt.text == "a calm a sea"
    with pytest.raises(BadInput) as refused:
        await bot.say("/preset share calm", "bob", "elsewhere")
    assert refused.value.problem.key == "input-preset-elsewhere"
    await bot.say("/preset share calm --off", "bob")
    await bot.say("/preset save calm a wild {prompt}", "mallory")
    await bot.say("/preset share calm", "mallory")
    assert (await request(bot, "a sea")).prompt.text == "a sea"
    assert (await request(bot, "/preset use calm a sea")).prompt.text == "a wild a sea"


async def test_a_private_preset_goes_with_no_picture(bot):
    """Repeating or finding another user's picture does not reveal the private preset that made it."""
    await bot.say("/preset save embarrassing a house")
    job, (picture,) = await bot.painted("/preset use embarrassing")
    for wire in (f"again:{job.id}", f"vary:{picture.id}"):
        assert "embarrassing" not in (await bot.job(await bot.press(wire, "bob"))).params
    assert "embarrassing" in (await bot.job(await bot.press(f"again:{job.id}"))).params
    assert not (await bot.say("/history by:ada preset:embarrassing", "bob")).pictures
    assert (await bot.say("/history preset:embarrassing")).pictures
    code = (await bot.say(f"/share --picture {picture.id}")).buttons[0].wire.split(":")[1]
    assert "embarrassing" not in (await bot.job(await bot.say(f"/use {code}", "bob"))).params


async def test_a_locked_prompt_takes_no_words(bot):
    """If the prompt is locked, only slots can be filled."""
    await bot.say("/preset save badge a badge of {name} --lock prompt")
    assert (await request(bot, "/preset use badge name:Ann")).prompt.text == "a badge of Ann"
    with pytest.raises(BadInput) as refused:
        await bot.say("/preset use badge name:Ann and a dragon")
    assert refused.value.problem.key == "input-preset-words"


async def test_versions_are_never_lost(bot):
    """A change makes a new version, earlier versions are found by number, and a picture names its version."""
    await bot.say("/preset save calm a blue {prompt} --steps 9")
    first = await bot.job(await bot.say("/preset use calm circle"))
    reply = await bot.say("/preset edit calm a red {prompt}")
    assert "version 2" in reply.text
    assert (await request(bot, "/preset use calm circle")).prompt.text == "a red circle"
    assert (await request(bot, "/preset use calm@1 circle")).prompt.text == "a blue circle"
    assert told(await bot.say("/preset show calm@1"))["prompt"] == "a blue {prompt}"
    assert '"preset":"calm@1#' in first.params
    shown = told(await bot.say("/preset show calm"))
    assert (shown["steps"], shown["versions"], shown["uses"]) == ("9", "2", "3")


async def test_a_picture_becomes_a_preset(bot):
    """The settings of a picture are saved as a preset with it as the preview, by a form or by a line."""
    _, (picture,) = await bot.painted("a red circle --steps 7 --guidance 3 --size 64x64 --no fog")
    form = (await bot.press(f"preset_keep:{picture.id}")).form
    reply = await bot.press(form.wire, filled={"name": "dots", "tags": "round"})
    shown = told(reply)
    assert (shown["steps"], shown["size"], shown["negative"], shown["tags"]) == ("7", "64x64", "fog", "round")
    assert reply.pictures[0].id == picture.id
    assert (await request(bot, "/preset use dots")).prompt.text == "a red circle"
    await bot.say(f"/preset save spots --picture {picture.id} --steps 3")
    assert (await request(bot, "/preset use spots")).steps == 3


async def test_others_see_only_what_is_shared(bot):
    """A private preset is not found, listed, completed or hinted at for other users; a shared preset is, in its channel only."""
    await bot.say("/preset save secretive a blue circle")
    for line in ("/preset use secretive", "/preset show secretive", "/preset use secretiv", "/imagine a dog --preset secretive"):
        with pytest.raises(BadInput) as refused:
            await bot.say(line, "eve")
        assert refused.value.problem.key == "input-preset-unknown"
        assert "secretive" not in str(refused.value.problem.facts["nearest"])
    assert "secretive" not in told(await bot.say("/preset list", "eve"))
    await bot.say("/preset share secretive")
    assert "secretive" in told(await bot.say("/preset list", "eve"))
    assert (await request(bot, "/preset use secretive", "eve")).prompt.text == "a blue circle"
    with pytest.raises(BadInput):
        await bot.say("/preset use secretive", "eve", "elsewhere")


async def test_what_is_shared_can_be_taken_back(bot):
    """A preset that is unshared is private again, and its earlier private versions were never visible to others."""
    await bot.say("/preset save calm a hidden {prompt}")
    await bot.say("/preset edit calm a blue {prompt}")
    await bot.say("/preset share calm")
    (shared,) = (await bot.say("/board", "eve")).facts
    code = shared.told.rpartition(" · ")[2]
    assert (await request(bot, f"/use {code} circle", "eve")).prompt.text == "a blue circle"
    for line in ("/preset show calm@1", "/preset use calm@1 circle"):
        with pytest.raises(BadInput):
            await bot.say(line, "eve")
    assert (await request(bot, "/preset use calm@1 circle")).prompt.text == "a hidden circle"
    await bot.say("/preset share calm --off")
    for line in ("/preset show calm", "/preset use calm circle", f"/use {code} circle"):
        with pytest.raises((BadInput, NotAllowed)):
            await bot.say(line, "eve")
    assert (await request(bot, "/preset use calm circle")).prompt.text == "a blue circle"


async def test_the_list_has_pages(bot):
    """Every preset is on exactly one page of the list, however many there are."""
    for number in range(45):
        await bot.say(f"/preset save dots-{number:02} a red circle")
    listed = [[one.name for one in (await bot.say(f"/preset list --page {page}")).facts] for page in (1, 2, 3)]
    mine = [name for page in listed for name in page if name.startswith("dots-")]
    assert sorted(mine) == [f"dots-{number:02}" for number in range(45)]


async def test_a_copy_has_its_credit(bot):
    """The copy of a preset belongs to the user who copied it and names its author; changing the copy does not change the first."""
    await bot.say("/preset save calm a blue {prompt}")
    await bot.say("/preset share calm")
    await bot.say("/preset fork calm --name wild", "eve")
    await bot.say("/preset edit wild a red {prompt}", "eve")
    shown = await bot.say("/preset show wild", "eve")
    assert told(shown)["based on"] == "calm by Ada"
    assert (await request(bot, "/preset use calm circle")).prompt.text == "a blue circle"
    with pytest.raises(NotAllowed):
        await bot.say("/preset edit calm a green {prompt}", "eve")


async def test_an_archived_preset_can_come_back(bot):
    """An archived preset cannot be used, is still named by its pictures, and returns as its next version."""
    await bot.say("/preset save calm a blue {prompt}")
    await bot.say("/preset delete calm")
    with pytest.raises(BadInput):
        await bot.say("/preset use calm circle")
    reply = await bot.say("/preset save calm a green {prompt}")
    assert "version 2" in reply.text


async def test_moderators_take_presets_off_their_board(bot):
    """Moderators of a channel can archive presets shared there; members, and moderators of other channels, cannot."""
    await bot.say("/preset save calm a blue {prompt}")
    await bot.say("/preset share calm")
    with pytest.raises(NotAllowed):
        await bot.say("/preset delete calm", "eve")
    await bot.say("/preset delete calm", "mod", moderates=True)
    assert "calm" not in told(await bot.say("/preset list", "eve"))


async def test_a_group_has_a_default_preset(bot):
    """A channel's default preset is used unless another is named, and naming none uses none."""
    await bot.say("/preset save house {prompt} in a house --steps 5")
    await bot.say("/preset share house")
    await bot.say("/settings --here --preset house", "mod", moderates=True)
    assert (await request(bot, "/imagine a red circle", "eve")).prompt.text == "a red circle in a house"
    assert (await request(bot, "/imagine a red circle --preset none", "eve")).prompt.text == "a red circle"
    assert told(await bot.say("/explain a red circle", "eve"))["steps"] == "5 (preset)"


async def test_some_come_with_easel(bot):
    """A new Easel has presets that everyone can use and no one can change."""
    assert {"night", "poster", "wide"} <= set(told(await bot.say("/preset list")))
    assert (await request(bot, "/preset use night a red circle")).prompt.text == "a red circle at night"
    param, who, where = bot.app.commands["preset_use"].param("preset"), UserRef(PLATFORM, "ada"), MessageRef(PLATFORM, "studio")
    assert await bot.app.complete(param, "pos", who, where) == ("poster",)
    with pytest.raises(NotAllowed):
        await bot.say("/preset delete night")


@pytest.mark.parametrize(
    "line",
    [
        "/preset save -x a circle",
        "/preset save none a circle",
        "/preset save x/y a circle",
        "/preset save x",
        "/preset save x a circle --steps 900",
        "/preset save x a circle --model nothing",
        "/preset save x a circle --lock colour",
        "/preset save x a circle --most steps",
        "/preset save x a circle --most colour=3",
        "/preset save x a (circle <lora:x:1>",
        "/preset save x a circle --scheduler nothing",
        "/preset edit x a circle",
        "/preset show x",
        "/preset fork x",
        "/preset share x",
    ],
)
async def test_what_makes_no_sense_is_refused(bot, line):
    """A preset that could not be used, or does not exist, is refused with one sentence, and nothing is stored."""
    with pytest.raises((BadInput, NotAllowed, InferenceError)):
        await bot.say(line)
    assert "x" not in told(await bot.say("/preset list"))


WORDS = st.text(st.characters(codec="utf-8", exclude_characters='{}"“”„\x00'), max_size=40)


@settings(max_examples=tries(300))
@given(WORDS, st.dictionaries(st.sampled_from(["title", "place", "colour"]), WORDS, max_size=3))
def test_filling_leaves_no_slot(words, values):
    """A filled template has no slot left, whatever its text, and contains every given value."""
    use = Use("", "poster", 1, Body(prompt="a {title=cat} in {place=town}, {colour=red}; {prompt}"))
    said = " ".join([words, *(f'{name}:"{value}"' for name, value in values.items())])
    made = template.filled(use, said)
    assert "{" not in made
    for value in values.values():
        assert "".join(value.split()).strip(",") in "".join(made.split())

"""Presets on Telegram that need input: buttons to choose a preset, and a form for its slots."""

from tests.adapters.telegram.chat import words_of
from tests.adapters.telegram.test_forms import form_of

#: Characters with a meaning in command lines, in the prompt grammar and on Telegram.
VALUE = 'The "Last": {one|two}\n<b>x & y</b> *(z)* @ann'


async def told(chat, user, line):
    """Send a line and wait for the answer."""
    return await chat.answer(user.dm(), await user.say(user.dm(), line))


async def test_a_slot_is_asked_for(chat):
    """A reply fills the first empty slot unchanged, or the field that it names; the form keeps the given values and queues the job."""
    ann, dm = await chat.started()
    await told(chat, ann, "/preset_save placard a placard of {title} and {other}, {colour=red}, {prompt}")
    await ann.say(dm, "/preset_use placard at night --steps 7")
    form = await form_of(chat, dm)
    assert words_of(form).splitlines()[:5] == ["placard", "Title: –", "Other: –", "Colour: red", "Prompt: at night"]
    answer = await (await ann.press(form, "Paint")).answered()
    assert "placard needs title" in answer.text
    await ann.say(dm, VALUE, reply_to=form)
    await chat.telegram.until(lambda: "The" in words_of(form))
    await ann.say(dm, "a: dog", reply_to=form)
    await chat.telegram.until(lambda: "Other: a: dog" in words_of(form))
    await ann.say(dm, "--colour blue", reply_to=form)
    await chat.telegram.until(lambda: "Colour: blue" in words_of(form))
    await ann.press(form, "Paint")
    request = (await chat.job((await chat.pictures(dm))[0])).request
    words = "".join(one.text for part in request.prompt.parts for one in part)
    assert (words, request.steps) == (f"a placard of {VALUE} and a: dog, blue, at night", 7)


async def test_which_preset_is_asked_for(chat):
    """Without a preset name, buttons offer the presets that the user may see, and in a group those that all members see."""
    ann, dm = await chat.started()
    bob = chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await told(chat, ann, "/preset_save hushed a hushed circle")
    own = await told(chat, ann, "/preset_use")
    said = await ann.say(group, "/preset_use")
    here = await chat.answer(group, said)
    assert {"hushed", "night", "poster"} <= {label for label, _ in own.buttons()}
    assert "hushed" not in {label for label, _ in here.buttons()}
    await ann.press(own, "hushed")
    assert (await chat.job((await chat.pictures(dm))[0])).request.prompt.text == "a hushed circle"
    await bob.press(here, "poster")
    form = await form_of(chat, group)
    await bob.say(group, "cat", reply_to=form)
    await chat.telegram.until(lambda: "Title: cat" in words_of(form))
    await bob.press(form, "Paint")
    assert (await chat.job((await chat.pictures(group))[0])).request.prompt.text == "a poster of cat, bold shapes, flat colours"

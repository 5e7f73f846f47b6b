"""Forms in messages: their owner, and concurrent answers."""

import pytest

from bot.core.values import UserRef
from tests.adapters.telegram.chat import words_of

SMALL = "--steps 3 --size 64x64"


async def form_of(chat, channel, holding="Paint"):
    """Wait until a form is shown in a chat, and return its message."""
    return await chat.telegram.until(lambda: next((one for one in chat.answers(channel) if holding in dict(one.buttons())), None))


async def test_a_form_is_whose_press_made_it(chat):
    """Other users' presses in a form and replies to it are refused, change nothing and queue nothing."""
    ann, eve = chat.telegram.user("ann"), chat.telegram.user("eve")
    group = chat.telegram.supergroup("Studio", ann, eve)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    await ann.press(message, "Edit…")
    form = await form_of(chat, group)
    before = words_of(form)
    said = await eve.say(group, "rude words", reply_to=form)
    assert "someone else" in words_of(await chat.answer(group, said))
    for button in ("Steps", "Paint"):
        answer = await (await eve.press(form, button)).answered()
        assert answer.show_alert
        assert "someone else" in answer.text
    assert words_of(form) == before
    await ann.press(form, "Paint")
    again = (await chat.pictures(group, 2))[-1]
    assert (await chat.job(again)).request.prompt.text == "a red circle"
    assert (await chat.job(again)).user == (await chat.job(message)).user


async def test_answers_that_come_at_once_are_all_taken_in(chat):
    """Two replies to a form in quick succession both take effect before it is submitted."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    await ann.press(message, "Edit…")
    form = await form_of(chat, dm)
    await ann.say(dm, "--steps 4", reply_to=form)
    await ann.say(dm, "--negative fog", reply_to=form)
    await chat.telegram.until(lambda: "Negative: fog" in words_of(form))
    assert "Steps: 4" in words_of(form)
    await ann.press(form, "Paint")
    job = await chat.job((await chat.pictures(dm, 2))[-1])
    assert (job.request.steps, job.request.negative.text) == (4, "fog")


async def test_what_another_process_put_into_a_form_stands(chat):
    """The values in a form's message take precedence over remembered values if the message was edited later."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    await ann.press(message, "Edit…")
    form = await form_of(chat, dm)
    await ann.say(dm, "--steps 4", reply_to=form)
    standing = chat.adapter._letters._act.__self__._presses._standing
    ((key, (moment, values)),) = await chat.telegram.until(lambda: tuple(standing._values.items()))
    standing._values[key] = (moment.replace(year=2001), [*values[:-1], "9"])
    await ann.say(dm, "--negative fog", reply_to=form)
    await chat.telegram.until(lambda: "Negative: fog" in words_of(form))
    assert "Steps: 4" in words_of(form)


@pytest.mark.parametrize("words", ["/settings", "/settings --steps 7", "/history", "/quota"])
async def test_what_is_for_one_person_is_not_shown_to_a_group(chat, words):
    """A private answer to an anonymous administrator is replaced by a link to the private chat, because their identity is hidden."""
    boss = chat.telegram.user("boss")
    group = chat.telegram.supergroup("Studio")
    group.add(boss, "administrator", anonymous=True)
    said = await boss.say(group, words)
    hint = await chat.answer(group, said)
    ((label, url),) = hint.buttons()
    assert label == "Open the chat"
    assert url.startswith("https://t.me/")
    assert "steps" not in words_of(hint)


async def test_an_anonymous_moderator_hears_what_was_done(chat):
    """A command that an anonymous administrator runs for the group is answered in the group."""
    boss = chat.telegram.user("boss")
    group = chat.telegram.supergroup("Studio")
    group.add(boss, "administrator", anonymous=True)
    said = await boss.say(group, "/pause")
    assert not (await chat.answer(group, said)).buttons()


async def test_settings_are_changed_privately(chat):
    """The form with a user's settings is sent to them in private, wherever they pressed the button."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    await bob.start()
    await bob.say(bob.dm(), "/settings --negative secretword")
    shown = await form_of(chat, bob.dm(), "Change…")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    await chat.pictures(group)
    # A copy of the button, as it may be in any old message of a group.
    message = chat.answers(group)[0]
    wire = dict(shown.buttons())["Change…"]
    message.reply_markup = {"inline_keyboard": [[{"text": "Change…", "callback_data": wire}]]}
    await bob.press(message, "Change…")
    await form_of(chat, bob.dm(), "Save")
    assert len(chat.answers(group)) == 1
    assert await chat.store.people.find(UserRef("telegram", str(bob.id))) is not None

"""Senders on Telegram, and which of their messages are meant for the bot."""

import pytest

from bot.core.values import UserRef
from tests.adapters.telegram.chat import words_of
from tests.adapters.web.chat import png

SMALL = "--steps 1 --size 64x64"


async def forwarded(chat, user, channel, text):
    """Forward a text of another user to a chat."""
    said = channel.next_id()
    origin = {"type": "hidden_user", "date": chat.telegram.now(), "sender_user_name": "Eve"}
    length = len(text.split()[0])
    entities = [{"type": "bot_command", "offset": 0, "length": length}] if text.startswith("/") else []
    message = {"message_id": said, "date": chat.telegram.now(), "chat": channel.payload(), "from": user.payload(), "forward_origin": origin}
    chat.telegram.updates.add("message", message | {"text": text, "entities": entities}, key=channel.id)
    await chat.telegram.until(lambda: not chat.telegram.updates_waiting)


async def settled(chat, user, channel):
    """Wait until all earlier messages are handled."""
    said = await user.say(channel, "/queue")
    await chat.answer(channel, said)


async def test_a_command_that_is_passed_on_is_no_command(chat):
    """A forwarded command is not executed, while a forwarded prompt may be."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    job = await chat.job(message)
    (picture,) = (await chat.store.pictures.of_jobs([job.id]))[job.id]
    await forwarded(chat, ann, dm, f"/delete {picture.id}")
    await settled(chat, ann, dm)
    assert len((await chat.store.pictures.of_jobs([job.id]))[job.id]) == 1
    await forwarded(chat, ann, dm, f"a blue boat {SMALL}")
    await chat.pictures(dm, 2)


async def test_who_speaks_as_a_channel_is_asked_to_be_themselves(chat):
    """A user who posts as a channel is asked to post as themselves, because each channel would be a user with separate credits."""
    eve = chat.telegram.user("eve")
    group = chat.telegram.supergroup("Studio", eve)
    channel = chat.telegram.channel("news", eve)
    said = await eve.say(group, f"/imagine a boat {SMALL}", as_chat=channel)
    assert "Post as yourself" in words_of(await chat.answer(group, said))
    assert await chat.store.people.find(UserRef("telegram", str(channel.id))) is None
    await eve.say(group, "good morning", as_chat=channel)
    await eve.say(group, f"/imagine a boat {SMALL}")
    await chat.pictures(group)
    assert len(chat.answers(group)) == 2


async def test_who_looks_after_a_group_is_asked_for_again_soon(chat, monkeypatch):
    """If Telegram failed to return a group's administrators, it is asked again next time instead of assuming there are none."""
    monkeypatch.setattr("adapters.telegram.chat_members._UNKNOWN_SECONDS", 0.05)
    ann, mod = chat.telegram.user("ann"), chat.telegram.user("mod")
    group = chat.telegram.supergroup("Studio", ann)
    group.add(mod, "administrator")
    chat.painter.may.clear()
    fault = chat.telegram.fault("getChatAdministrators", 500)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    card = await chat.telegram.until(lambda: next((one for one in chat.answers(group) if "Cancel" in dict(one.buttons())), None))
    assert fault.hits == 1
    await mod.press(card, "Cancel")
    await chat.telegram.until(lambda: "cancelled" in words_of(card))
    chat.painter.may.set()


@pytest.mark.parametrize("line", ["/queue", "/help", "/settings", "/preset list"])
async def test_a_command_in_answer_to_a_picture(chat, line):
    """A command without a picture parameter ignores the picture that it replies to, and does not fetch it."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    said = await ann.say(dm, line, reply_to=message)
    assert "doesn't take a picture" not in words_of(await chat.answer(dm, said))
    assert not chat.telegram.asked("getFile")
    said = await ann.photo(dm, png("red"), caption="/queue")
    assert "doesn't take a picture" in words_of(await chat.answer(dm, said))


async def test_an_album_with_words_is_answered_once(chat):
    """In an album with a caption on the first picture, that picture is the source, and the others are not mentioned."""
    ann, dm = await chat.started()
    before = len(chat.answers(dm))
    await ann.album(dm, [png("red"), png("blue"), png("green")], caption="a boat --steps 4 --size 64x64")
    await chat.pictures(dm)
    await settled(chat, ann, dm)
    assert len(chat.answers(dm)) == before + 2


async def test_prompts_that_are_added_to_a_message_are_painted(chat):
    """A prompt added by editing a message is run once, with its own card, and the other prompts are not run again."""
    ann, dm = await chat.started()
    said = await ann.say(dm, f"a red circle {SMALL} || a blue boat {SMALL}")
    await chat.pictures(dm, 2)
    chat.painter.may.clear()
    await ann.edit(said, f"a red circle {SMALL} || a blue boat {SMALL} || a green tree {SMALL}")
    await chat.telegram.until(lambda: any("Cancel" in dict(one.buttons()) and "a green tree" in words_of(one) for one in chat.answers(dm)))
    chat.painter.may.set()
    await chat.pictures(dm, 3)
    await chat.telegram.until(lambda: any("as it was" in words_of(one) for one in chat.answers(dm)))


async def test_an_answer_to_a_mistake_is_what_it_says(chat):
    """A reply to an error about an unknown command is a prompt, not an answer to a question."""
    ann, dm = await chat.started()
    said = await ann.say(dm, "/imagin a red circle")
    mistake = await chat.answer(dm, said)
    assert words_of(mistake).endswith("?")
    await ann.say(dm, f"a red circle {SMALL}", reply_to=mistake)
    (message,) = await chat.pictures(dm)
    assert (await chat.job(message)).request.prompt.text == "a red circle"

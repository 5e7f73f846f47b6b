"""The bot on Telegram in private chats."""

import io

from PIL import Image

from bot.commands import COMMANDS
from tests.adapters.telegram.chat import words_of
from tests.adapters.web.chat import png
from tests.stores import init_of


async def test_words_become_a_picture(chat):
    """A bare message is a request: its card becomes the picture with buttons, without a second message."""
    ann, dm = await chat.started()
    said = await ann.say(dm, "a red circle --steps 2 --size 64x64")
    (message,) = await chat.pictures(dm)
    assert [one.id for one in chat.answers(dm) if one.id > said.id] == [message.id]
    assert "a red circle" in words_of(message)
    assert {wire.partition(":")[0] for _, wire in message.buttons()} == {"again", "edit", "vary", "info", "original", "delete"}
    assert message.reply_to.id == said.id
    job = await chat.job(message)
    assert (job.request.steps, job.request.width) == (2, 64)


async def test_a_picture_with_a_caption_is_the_source(chat):
    """A photo with a caption, a file with a caption and a text that replies to a picture use that picture as the source."""
    ann, dm = await chat.started()
    source = png("red", (128, 64))
    await ann.photo(dm, source, caption="/imagine a blue boat --strength 0.5")
    (first,) = await chat.pictures(dm)
    await ann.document(dm, source, "source.png", caption="a green tree")
    second = (await chat.pictures(dm, 2))[-1]
    await ann.say(dm, "a yellow sun", reply_to=second)
    third = (await chat.pictures(dm, 3))[-1]
    for message in (first, second, third):
        assert init_of(await chat.job(message)) is not None
    assert (await chat.store.files.get(init_of(await chat.job(second))))[:4] == b"\x89PNG"


async def test_several_pictures_are_an_album(chat):
    """Four pictures are sent as an album, and the card beside it has the buttons of each."""
    ann, dm = await chat.started()
    await ann.say(dm, "a red circle --count 4 --steps 1 --size 64x64")
    await chat.telegram.until(lambda: len([one for one in chat.answers(dm) if one.media_group_id]) == 4)
    card = await chat.telegram.until(lambda: next((one for one in chat.answers(dm) if one.text and "4 pictures" in one.text), None))
    labels = [label for label, _ in card.buttons()]
    assert [one for one in labels if one.startswith("Original")] == [f"Original {number}" for number in (1, 2, 3, 4)]
    assert len({one.media_group_id for one in chat.answers(dm) if one.photo}) == 1


async def test_the_original_comes_as_a_file(chat):
    """Telegram re-encodes the visible picture; Original sends the uncompressed picture, byte for byte."""
    ann, dm = await chat.started()
    await ann.say(dm, "a red circle --steps 1 --size 64x64")
    (message,) = await chat.pictures(dm)
    await ann.press(message, "Original")
    given = await chat.telegram.until(lambda: next((one for one in chat.answers(dm) if one.document), None))
    (picture,) = (await chat.store.pictures.of_jobs([(await chat.job(message)).id])).popitem()[1]
    assert given.document.data == await chat.store.files.get(picture.file)
    assert Image.open(io.BytesIO(given.document.data)).format == "PNG"


async def test_buttons_do_what_they_say(chat):
    """Again and Vary generate pictures in new messages, Info sends the settings, and Delete removes the picture from its message."""
    ann, dm = await chat.started()
    await ann.say(dm, "a red circle --steps 1 --size 64x64")
    (message,) = await chat.pictures(dm)
    await ann.press(message, "Again")
    await chat.pictures(dm, 2)
    await ann.press(message, "Vary")
    await chat.pictures(dm, 3)
    await ann.press(message, "Info")
    await chat.telegram.until(lambda: any("seed" in words_of(one) for one in chat.answers(dm)))
    before = message.photo.data
    press = await ann.press(message, "Delete")
    await press.answered()
    assert "a red circle" in press.answer.text
    await chat.telegram.until(lambda: message.photo.data != before and "deleted" in words_of(message))


async def test_what_runs_can_be_cancelled(chat):
    """A queued or running job has a Cancel button, and stays cancelled."""
    ann, dm = await chat.started()
    chat.painter.may.clear()
    await ann.say(dm, "a red circle")
    card = await chat.telegram.until(lambda: next((one for one in chat.answers(dm) if "Cancel" in dict(one.buttons())), None))
    await ann.press(card, "Cancel")
    await chat.telegram.until(lambda: "cancelled" in words_of(card))
    assert "Cancel" not in dict(card.buttons())


async def test_a_form_is_a_message(chat):
    """Edit… shows the settings in a message: values are chosen by buttons, texts are sent as replies, and Paint queues the job."""
    ann, dm = await chat.started()
    await ann.say(dm, "a red circle --steps 3 --size 64x64")
    (message,) = await chat.pictures(dm)
    await ann.press(message, "Edit…")
    form = await chat.telegram.until(lambda: next((one for one in chat.answers(dm) if "Paint" in dict(one.buttons())), None))
    assert "Steps: 3" in form.text
    await ann.press(form, "Steps")
    await chat.telegram.until(lambda: "11" in dict(form.buttons()))
    await ann.press(form, "11")
    await chat.telegram.until(lambda: "Steps: 11" in form.text)
    press = await ann.press(form, "Prompt")
    await press.answered()
    assert press.answer.text
    await ann.say(dm, "a *blue* & _red_ circle --negative fog", reply_to=form)
    await chat.telegram.until(lambda: "a *blue* & _red_ circle" in form.text)
    assert "Negative: fog" in form.text
    await ann.press(form, "Paint")
    job = await chat.job((await chat.pictures(dm, 2))[-1])
    assert (job.request.prompt.text, job.request.negative.text, job.request.steps) == ("a *blue* & _red_ circle", "fog", 11)


async def test_mistakes_are_told(chat):
    """A mistake is answered with one sentence as a reply, and no job is queued."""
    ann, dm = await chat.started()
    said = await ann.say(dm, "a red circle --steps 900")
    answer = await chat.answer(dm, said)
    assert answer.text == "steps must be from 1 to 60; you wrote 900."
    said = await ann.say(dm, "/imagin a red circle")
    assert "/imagine" in (await chat.answer(dm, said)).text
    said = await ann.say(dm, "/imagine")
    question = await chat.answer(dm, said)
    await ann.say(dm, "a blue circle", reply_to=question)
    await chat.pictures(dm)


async def test_history_is_shown(chat):
    """History shows pictures by their Telegram file ids, with numbered buttons for details."""
    ann, dm = await chat.started()
    await ann.say(dm, " || ".join(["a red circle --count 3 --steps 1 --size 64x64"] * 2))
    await chat.told(2)
    said = await ann.say(dm, "/history circle")
    listed = await chat.answer(dm, said, "1 to 6 of 6")
    assert [label for label, _ in listed.buttons()] == list("123456")
    sent = chat.telegram.asked("sendMediaGroup")[-1]
    assert not sent.files
    await ann.press(listed, "2")
    await chat.answer(dm, listed, "seed")


async def test_the_menu_is_told_once(chat):
    """The menu lists every visible command, and it is not sent again if nothing has changed."""
    ann, _ = await chat.started()
    told = [one.name for one in COMMANDS if not one.hidden]
    listed = [one["command"] for one in chat.telegram.commands_for(ann, ann.dm())]
    assert set(listed) >= {one for one in told if one not in ("pause", "resume", "grant")}
    count = len(chat.telegram.asked("setMyCommands"))
    await chat.adapter._tell()
    assert len(chat.telegram.asked("setMyCommands")) == count

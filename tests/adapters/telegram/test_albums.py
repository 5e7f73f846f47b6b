"""Albums, which cannot be changed once sent: deleted pictures, refused albums, and albums whose delivery is unknown."""

import asyncio

import pytest

from adapters.telegram import media as packing
from adapters.telegram.media import File
from bot.commands import COMMANDS
from bot.framework.reply import Shown
from bot.store.jobs.outbox import GAVE_UP, SENT, UNKNOWN
from tests.adapters.telegram.chat import is_done, open_chat, quick, words_of
from tests.adapters.web.chat import png
from tests.pairing import pair, told
from tests.stores import init_of

SMALL = "--steps 1 --size 64x64"


@pytest.fixture
async def chat(tmp_path, monkeypatch):
    """Yield a bot that retries after short pauses."""
    monkeypatch.setattr("bot.jobs.delivery._LONGEST_PAUSE", 0.05)
    async with quick() as telegram, open_chat(tmp_path, telegram) as found:
        yield found


async def ended(chat, job):
    """Wait until the delivery of a job has ended, and return its state."""

    async def over():
        found = await chat.store.outbox.of_job(job)
        return found.state if found is not None and found.state in (SENT, UNKNOWN, GAVE_UP) else None

    return await chat.telegram.until(over, 30.0)


def job_in(message):
    """Return the job id in the buttons of a message."""
    return next(wire.split(":")[1] for _, wire in message.buttons() if wire.split(":")[0] in ("again", "resend", "cancel"))


async def asked(chat, dm, ann):
    """Request four pictures whose delivery stays unknown; return the question about it and its job."""
    chat.telegram.fault("sendMediaGroup", "reset")
    said = await ann.say(dm, f"a red circle --count 4 {SMALL}")
    question = await chat.answer(dm, said, "may not have arrived")
    assert await ended(chat, job_in(question)) == UNKNOWN
    return question, job_in(question)


async def test_a_question_stays_while_pictures_are_deleted(chat):
    """The question whether pictures arrived stays when one of them is deleted."""
    ann, dm = await chat.started()
    question, job = await asked(chat, dm, ann)
    first, *_ = (await chat.store.pictures.of_jobs([job]))[job]
    said = await ann.say(dm, f"/delete {first.id}")
    await chat.answer(dm, said)
    await asyncio.sleep(0.5)
    assert "may not have arrived" in words_of(question)
    assert "Send again" in dict(question.buttons())


async def test_the_picture_that_was_deleted_goes(chat):
    """If the first picture of a job was deleted before the album was sent, deleting another picture removes its own message."""
    ann, dm = await chat.started()
    question, job = await asked(chat, dm, ann)
    first, second, *_ = (await chat.store.pictures.of_jobs([job]))[job]
    await ann.say(dm, f"/delete {first.id}")
    await ann.press(question, "Send again")
    album = await chat.telegram.until(lambda: found if len(found := [one for one in chat.answers(dm) if one.photo]) == 3 else None)
    await chat.telegram.until(lambda: "Delete 2" in dict(question.buttons()))
    await ann.press(question, "Delete 2")
    await chat.telegram.until(lambda: album[0].is_deleted)
    await asyncio.sleep(0.5)
    assert [one.is_deleted for one in album] == [True, False, False]
    assert second.index == 1


async def test_an_album_that_is_too_large_is_sent_smaller(chat):
    """An album that Telegram refuses as too large is sent smaller, once."""
    ann, dm = await chat.started()
    fault = chat.telegram.fault("sendMediaGroup", 413)
    await ann.say(dm, f"a red circle --count 4 {SMALL}")
    await chat.telegram.until(lambda: len([one for one in chat.answers(dm) if one.photo]) == 4)
    card = await chat.telegram.until(lambda: next((one for one in chat.answers(dm) if "4 pictures" in words_of(one)), None))
    assert await ended(chat, job_in(card)) == SENT
    assert fault.hits == 1


@pytest.mark.parametrize(
    ("count", "method", "kind"),
    [(1, "editMessageMedia", (400, "Bad Request: WEBPAGE_MEDIA_EMPTY")), (4, "sendMediaGroup", 413)],
    ids=["a picture", "an album"],
)
async def test_what_telegram_never_takes_is_told(chat, count, method, kind):
    """If Telegram never accepts a result, its card ends, says where the result is, and cannot be cancelled."""
    ann, dm = await chat.started()
    chat.painter.may.clear()
    said = await ann.say(dm, f"a red circle --count {count} {SMALL}")
    card = await chat.answer(dm, said, "step 1")
    job = job_in(card)
    chat.telegram.fault(method, kind, times=10)
    chat.painter.may.set()
    assert await ended(chat, job) == GAVE_UP
    assert "/history" in words_of(card)
    assert "Cancel" not in dict(card.buttons())
    assert "Again" in dict(card.buttons())


async def test_an_album_that_comes_privately_comes_once(chat):
    """An album for a group that the bot was removed from is sent to its requester in private, and a later failure repeats no picture."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.start()
    chat.painter.may.clear()
    await ann.say(group, f"/imagine a red circle --count 3 {SMALL}")
    (card,) = await chat.telegram.until(lambda: chat.answers(group))
    job = job_in(card)
    await group.kick_bot(bob)
    await chat.telegram.until(lambda: chat.answers(ann.dm()))
    fault = chat.telegram.fault("sendMessage", ("429", 1), chat=ann.dm())
    chat.painter.may.set()
    assert await ended(chat, job) == SENT
    assert fault.hits == 1
    assert len([one for one in chat.answers(ann.dm()) if one.photo]) == 3
    private = next(one for one in chat.answers(ann.dm()) if "Again" in dict(one.buttons()))
    assert "couldn't post this" in words_of(private)
    assert await ended(chat, job_in(private)) == SENT
    await ann.press(private, "Delete 1")
    await chat.telegram.until(lambda: len([one for one in chat.answers(ann.dm()) if one.photo]) == 2)


async def test_a_picture_that_comes_privately_is_kept_up_to_date(chat):
    """A picture that was sent in private instead of its group is removed from that message when it is deleted."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.start()
    chat.painter.may.clear()
    await ann.say(group, f"/imagine a red circle {SMALL}")
    await chat.telegram.until(lambda: chat.answers(group))
    await group.kick_bot(bob)
    chat.painter.may.set()
    private = await chat.telegram.until(lambda: next((one for one in chat.answers(ann.dm()) if is_done(one)), None))
    # Until the store knows the message, a deletion finds nothing to change.
    assert await ended(chat, job_in(private)) == SENT
    await ann.press(private, "Delete")
    await chat.telegram.until(lambda: "deleted" in words_of(private))


def _found(*sizes):
    """Return pictures with these sizes in bytes."""
    shown = [Shown(str(number), number, 0, 64, 64, "", "", "") for number in range(len(sizes))]
    return [(one, File("a.png", bytes(size))) for one, size in zip(shown, sizes, strict=True)]


@pytest.mark.parametrize(
    ("sizes", "albums"),
    [((1,) * 4, [4]), ((1,) * 10, [10]), ((1,) * 11, [9, 2]), ((9_900_000,) * 10, [4, 4, 2]), ((9_900_000,) * 9, [4, 3, 2]), ((), [])],
    ids=str,
)
def test_albums_hold_what_one_request_may(sizes, albums):
    """No album exceeds Telegram's limits on pictures and bytes, and none has a single picture if that can be avoided."""
    made = packing.chunks(_found(*sizes))
    assert [len(one) for one in made] == albums
    assert [one.index for chunk in made for one, _ in chunk] == list(range(len(sizes)))
    assert all(sum(len(file.data) for _, file in chunk) < 50_000_000 for chunk in made)


@pytest.fixture
async def pairing(tmp_path):
    """Yield a bot with a command that takes two pictures."""
    async with quick() as telegram, open_chat(tmp_path, telegram, (*COMMANDS, pair)) as found:
        yield found


async def test_an_album_is_what_a_command_takes(pairing):
    """A command that takes several pictures gets all pictures of an album in order, or a single picture and the one it replies to."""
    ann, dm = await pairing.started()
    first, *_ = await ann.album(dm, [png("red"), png("green")], caption="/pair", documents=True)
    assert told(png("red"), png("green")) in words_of(await pairing.answer(dm, first))
    alone = await ann.document(dm, png("blue"), caption="/pair", reply_to=first)
    assert told(png("red"), png("blue")) in words_of(await pairing.answer(dm, alone))
    too_many, *_ = await ann.album(dm, [png("red"), png("green"), png("blue")], caption="/pair", documents=True)
    assert "/pair takes up to 2 pictures" in words_of(await pairing.answer(dm, too_many))


async def test_an_album_is_one_picture_to_a_command_that_takes_one(pairing):
    """A command that takes one picture gets the one with the caption, and does not wait for others."""
    ann, dm = await pairing.started()
    first, *_ = await ann.album(dm, [png("red"), png("green")], caption="a red circle --steps 2 --size 64x64", documents=True)
    (message,) = await pairing.pictures(dm)
    assert message.reply_to.id == first.id
    assert await pairing.store.files.get(init_of(await pairing.job(message))) == png("red")

"""Faults of Telegram and the network: every result is shown once, or its requester is told that it was not."""

import pytest

from adapters.telegram.rate_limit import RateLimiter as _Budget
from bot.store.jobs.outbox import GAVE_UP, SENT, UNKNOWN
from tests.adapters.telegram.chat import ROUNDS, is_done, open_chat, quick, words_of
from tests.stores import some

SMALL = "--steps 1 --size 64x64"

pytestmark = pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")


@pytest.fixture
async def hasty(monkeypatch):
    """Shorten the pauses before retries."""
    monkeypatch.setattr("bot.jobs.delivery._LONGEST_PAUSE", 0.05)
    monkeypatch.setattr("adapters.telegram.adapter.SECONDS", 0.5)
    monkeypatch.setattr("adapters.telegram.adapter.UPLOAD_SECONDS", 0.5)


@pytest.fixture(params=some([False, True], 2), ids=some(["another upload is another picture", "the same upload is the same"], 2))
async def chat(request, hasty, tmp_path):
    """Yield a bot on a Telegram that either does or does not recognise a repeated upload."""
    del hasty
    async with quick() as telegram:
        telegram.same_upload_is_same = request.param
        async with open_chat(tmp_path, telegram) as found:
            yield found


async def told(chat, job):
    """Wait until the delivery of a job has ended, and return it."""

    async def over():
        found = await chat.store.outbox.of_job(job)
        return found if found is not None and found.state in (SENT, UNKNOWN, GAVE_UP) else None

    return await chat.telegram.until(over, 30.0)


async def begun(chat, channel, words):
    """Request a job that does not finish yet; return its card and its id."""
    chat.painter.may.clear()
    user = next(iter(channel.members.values())) if hasattr(channel.members, "values") else channel.members[0]
    said = await user.say(channel, words)
    card = await chat.answer(channel, said, "step 1")
    return card, dict(card.buttons())["Cancel"].partition(":")[2]


FAULTS = some(["timeout-after-success", "reset", 500, "half", 502, ("429", 1), 503, ("429-bare", 1)], 2)


@pytest.mark.parametrize("kind", FAULTS, ids=str)
async def test_a_result_that_goes_wrong(chat, kind):
    """Whatever happens to the edit that shows the picture, it is shown once, in the message of its card."""
    ann, dm = await chat.started()
    for _ in range(ROUNDS):
        before = len([one for one in chat.answers(dm) if is_done(one)])
        chat.painter.may.clear()
        said = await ann.say(dm, f"a red circle {SMALL}")
        card = await chat.answer(dm, said, "step 1")
        fault = chat.telegram.fault("editMessageMedia", kind)
        job = dict(card.buttons())["Cancel"].partition(":")[2]
        chat.painter.may.set()
        assert (await told(chat, job)).state == SENT
        assert fault.hits == 1
        assert is_done(card)
        assert len([one for one in chat.answers(dm) if is_done(one)]) == before + 1


@pytest.mark.parametrize("kind", some(["timeout-after-success", "reset", "half", 500], 2), ids=str)
async def test_an_album_that_goes_wrong(chat, kind):
    """If the delivery of an album is unknown, the user is asked; Send again sends it again, and nothing else is sent twice."""
    ann, dm = await chat.started()
    for _ in range(ROUNDS):
        pictures = len([one for one in chat.answers(dm) if one.photo])
        fault = chat.telegram.fault("sendMediaGroup", kind)
        said = await ann.say(dm, f"a red circle --count 3 {SMALL}")
        question = await chat.answer(dm, said, "may not have arrived")
        arrived = 3 if kind in ("timeout-after-success", "half") else 0
        assert fault.hits == 1
        assert len([one for one in chat.answers(dm) if one.photo]) == pictures + arrived
        job = dict(question.buttons())["Send again"].partition(":")[2]
        assert (await told(chat, job)).state == UNKNOWN
        if not arrived:
            await ann.press(question, "Send again")
            await chat.telegram.until(lambda pictures=pictures: len([one for one in chat.answers(dm) if one.photo]) == pictures + 3)
            await chat.telegram.until(lambda question=question: "3 pictures" in words_of(question))


@pytest.mark.parametrize("kind", ["timeout-after-success", "half"])
async def test_a_photo_that_goes_wrong(chat, kind):
    """A picture in an answer is sent once, even if the response to sending it is lost."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    for number in range(ROUNDS):
        fault = chat.telegram.fault("sendPhoto", kind)
        press = await ann.press(message, "Info")
        await press.answered()
        assert fault.hits == 1
        assert len([one for one in chat.answers(dm) if one.photo]) == 2 + number


@pytest.mark.parametrize("kind", [(400, "Bad Request: message to edit not found"), 403, (400, "Bad Request: chat not found")], ids=str)
async def test_a_card_that_is_gone(chat, kind):
    """If the card cannot be edited, the picture is sent in a new message once, or the delivery ends."""
    ann, dm = await chat.started()
    chat.painter.may.clear()
    said = await ann.say(dm, f"a red circle {SMALL}")
    card = await chat.answer(dm, said, "step 1")
    job = dict(card.buttons())["Cancel"].partition(":")[2]
    fault = chat.telegram.fault("editMessageMedia", kind)
    chat.painter.may.set()
    delivery = await told(chat, job)
    assert fault.hits == 1
    shown = [one for one in chat.answers(dm) if is_done(one)]
    assert (delivery.state, len(shown)) in ((SENT, 1), (GAVE_UP, 0))


@pytest.mark.parametrize("kind", some(["timeout-after-success", "reset", 500, ("429", 1), 400], 2), ids=str)
async def test_a_card_that_does_not_appear(chat, kind):
    """If the first message of a request is lost, its picture still arrives once."""
    ann, dm = await chat.started()
    fault = chat.telegram.fault("sendMessage", kind)
    await ann.say(dm, f"a red circle {SMALL}")
    await chat.pictures(dm)
    assert fault.hits == 1


@pytest.mark.parametrize("kind", some(["timeout-after-success", "reset", 500, 502, "half", ("429", 1), 409, 401], 2), ids=str)
async def test_listening_goes_on(chat, kind):
    """Whatever happens to a poll for updates, no update is lost or handled twice."""
    ann, dm = await chat.started()
    fault = chat.telegram.fault("getUpdates", kind)
    await ann.say(dm, f"a red circle {SMALL}")
    await ann.say(dm, f"a blue circle {SMALL}")
    await chat.pictures(dm, 2)
    await chat.telegram.until(lambda: fault.hits == 1 and not chat.telegram.updates_waiting)
    assert len([one for one in chat.answers(dm) if one.photo]) == 2


async def test_a_picture_that_does_not_come_at_once(chat):
    """A source is fetched again if its download breaks off, and a source that cannot be fetched is reported."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    chat.telegram.fault("download", "half")
    await ann.say(dm, f"a blue boat --strength 1 {SMALL}", reply_to=message)
    await chat.pictures(dm, 2)
    chat.telegram.fault("getFile", 500, times=3)
    said = await ann.say(dm, f"a green boat {SMALL}", reply_to=message)
    assert "picture" in (await chat.answer(dm, said)).text


async def test_ten_at_once_in_a_group(hasty, tmp_path, monkeypatch):
    """Ten requests at once in a group with a limit of 20 messages a minute deliver all ten pictures without exceeding the limit."""
    del hasty
    async with quick() as telegram:
        telegram.minute, telegram.flood = 6.0, {"group": 20, "chat": 10, "burst": 3, "overall": 300}
        monkeypatch.setattr("adapters.telegram.adapter.RateLimiter", lambda: _Budget(minute=6.2, second=0.1))
        async with open_chat(tmp_path, telegram) as chat:
            people = [telegram.user(f"p{number}") for number in range(10)]
            group = telegram.supergroup("Studio", *people)
            chat.painter.may.clear()
            for user in people:
                await user.say(group, f"/imagine a red circle {SMALL}")
            await telegram.until(lambda: len(chat.answers(group)) == 10, 60)
            chat.painter.may.set()
            await telegram.until(lambda: len([one for one in chat.answers(group) if is_done(one)]) == 10, 60)
        assert telegram.floods in (0, [])

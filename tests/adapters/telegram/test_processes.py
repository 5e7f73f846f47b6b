"""Several processes, slow networks and other bots on one store: old progress never replaces a result, and no update is lost."""

import asyncio
import json

import pytest

from adapters.shared.card_throttle import CardThrottle
from adapters.telegram.update_inbox import UpdateInbox
from bot.core.values import MessageRef
from tests.adapters.telegram.chat import is_done, open_chat, quick, words_of

SMALL = "--steps 3 --size 64x64"


async def still(card):
    """Wait for late progress, and return whether the card still shows the same result."""
    said = words_of(card)
    for _ in range(20):
        await asyncio.sleep(0.1)
    return said == words_of(card) and is_done(card)


async def test_progress_of_one_process_does_not_cover_what_another_told(telegram, tmp_path, monkeypatch):
    """If one process runs a job and another delivers it, progress that the first still has to show is dropped before the result."""
    monkeypatch.setattr(
        "adapters.telegram.adapter.CardThrottle", lambda *args, **more: CardThrottle(*args, **{**more, "message_seconds": 1.0})
    )
    async with open_chat(tmp_path, telegram) as painting, open_chat(tmp_path, telegram) as delivering:

        async def nothing():
            return None

        monkeypatch.setattr(painting.dispatcher._delivering, "_filled", nothing)
        monkeypatch.setattr(delivering.dispatcher, "_fill", nothing)
        ann, dm = await painting.started()
        painting.painter.may.clear()
        said = await ann.say(dm, f"a red circle {SMALL}")
        card = await painting.answer(dm, said, "step 1")
        (job,) = await painting.store.jobs.of_channel(MessageRef("telegram", str(dm.id)), 5)
        # The last progress again, which waits until the message may be edited again.
        await painting.adapter.show(await painting.dispatcher.card(job), job.address)
        painting.painter.may.set()
        await painting.pictures(dm)
        assert await still(card)


@pytest.mark.parametrize("count", [1, 2])
async def test_progress_that_is_slow_does_not_cover_the_end(telegram, tmp_path, monkeypatch, count):
    """A result waits for a slow progress edit that Telegram has already received, and is shown after it."""
    monkeypatch.setattr("adapters.shared.card_throttle._SETTLE_SECONDS", 0.2)
    monkeypatch.setattr("bot.jobs.delivery._LONGEST_PAUSE", 0.1)
    async with open_chat(tmp_path, telegram) as chat:
        ann, dm = await chat.started()
        chat.painter.may.clear()
        slow = telegram.fault("editMessage(Text|Media)", ("slow", 2))
        said = await ann.say(dm, f"a red circle --count {count} {SMALL}")
        await telegram.until(lambda: slow.hits)
        chat.painter.may.set()
        card = await telegram.until(lambda: next((one for one in chat.answers(dm) if "Again" in dict(one.buttons())), None))
        await asyncio.sleep(2.5)
        assert "Again" in dict(card.buttons())
        assert card.id > said.id


async def test_progress_that_another_process_has_on_its_way_is_repaired(telegram, tmp_path, monkeypatch):
    """If a progress edit of this process was in flight while another process delivered the result, the result is shown again."""
    monkeypatch.setattr("adapters.shared.card_throttle._SETTLE_SECONDS", 0.2)
    async with open_chat(tmp_path, telegram) as painting, open_chat(tmp_path, telegram) as delivering:

        async def nothing():
            return None

        monkeypatch.setattr(painting.dispatcher._delivering, "_filled", nothing)
        monkeypatch.setattr(delivering.dispatcher, "_fill", nothing)
        ann, dm = await painting.started()
        painting.painter.may.clear()
        slow = telegram.fault("editMessage(Text|Media)", ("slow", 1.5))
        await ann.say(dm, f"a red circle {SMALL}")
        await telegram.until(lambda: slow.hits)
        painting.painter.may.set()
        (card,) = await painting.pictures(dm)
        await telegram.until(lambda: len(telegram.asked("editMessageMedia")) > 1)
        await asyncio.sleep(0.5)
        assert is_done(card)


async def test_a_letter_of_a_process_that_is_gone_is_taken_up(telegram, tmp_path):
    """An update stored by a process that died before it handled it is handled once by the process that polls."""
    async with open_chat(tmp_path, telegram) as chat:
        ann, dm = await chat.started()

        async def never(_update):
            await asyncio.Event().wait()

        other = UpdateInbox(chat.adapter._api, chat.store, never)
        other.runner = chat.adapter._letters.runner.replace("/", "/0", 1)
        other.go()
        said = {"message_id": 5, "date": telegram.now(), "chat": dm.payload(), "from": ann.payload(), "text": f"a red circle {SMALL}"}
        await other.take([("999", json.dumps({"update_id": 999, "message": said}).encode())])
        await chat.pictures(dm)
        for task in other._at_work.values():
            task.cancel()


async def test_a_letter_of_a_process_that_lives_is_left_to_it(telegram, tmp_path):
    """An update stored by another live process is left to that process, and not handled twice."""
    async with open_chat(tmp_path, telegram) as chat, open_chat(tmp_path, telegram) as other:
        ann, dm = await chat.started()
        acted, may = [], asyncio.Event()

        async def act(update):
            acted.append(update.update_id)
            await may.wait()

        # The first process polls; the second handles the updates that it receives.
        follower = other
        await telegram.until(lambda: follower.adapter._letters._goes)
        follower.adapter._letters._act = act
        said = {"message_id": 5, "date": telegram.now(), "chat": dm.payload(), "from": ann.payload(), "text": f"a red circle {SMALL}"}
        await follower.adapter._letters.take([("999", json.dumps({"update_id": 999, "message": said}).encode())])
        await asyncio.sleep(1.0)
        may.set()
        assert acted == [999]
        assert not any(is_done(one) for one in chat.answers(dm))


async def test_another_bot_on_the_same_store_is_another_bot(tmp_path):
    """For a bot with another token on the same store, equal message ids are new, and messages of the old bot are not changed."""
    async with quick() as telegram, open_chat(tmp_path, telegram) as chat:
        ann, dm = await chat.started()
        said = await ann.say(dm, f"a red circle {SMALL}")
        (message,) = await chat.pictures(dm)
        old = await chat.job(message)
    async with quick(token="7000000002:AAtest-token_of_an_emulated_bot_34") as telegram, open_chat(tmp_path, telegram) as chat:
        ann, dm = await chat.started()
        again = await ann.say(dm, f"a blue boat {SMALL}")
        assert again.id == said.id
        (message,) = await chat.pictures(dm)
        assert "a blue boat" in words_of(message)
        (picture,) = (await chat.store.pictures.of_jobs([old.id]))[old.id]
        deleted = await ann.say(dm, f"/delete {picture.id}")
        await chat.answer(dm, deleted)
        assert "a blue boat" in words_of(message)
        assert is_done(message)


async def test_a_name_of_a_file_that_telegram_does_not_know_is_not_needed(chat):
    """If Telegram no longer knows the file id of a picture, the picture is uploaded."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    job = await chat.job(message)
    (picture,) = (await chat.store.pictures.of_jobs([job.id]))[job.id]
    await chat.store.handles.keep(f"telegram:{chat.telegram.bot.id}", {picture.id: "AgACAgIAAxkBAAIOTHERBOT"})
    said = await ann.say(dm, "/history")
    assert (await chat.answer(dm, said)).photo
    chat.telegram.rejected.clear()

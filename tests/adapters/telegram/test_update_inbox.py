"""Updates from Telegram: polled by one process or received by webhook; stored first, handled once."""

import asyncio
import random
import socket

import httpx
import pytest

from adapters.telegram.message_ref import bot_key
from bot.core.values import MessageRef
from bot.store.inbox import Inbox
from tests.adapters.telegram.chat import is_done, open_chat

SMALL = "--steps 1 --size 64x64"
SECRET = "open-sesame_1"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


@pytest.fixture
def door():
    """Return the settings of a bot with a webhook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"mode": "webhook", "webhook_url": f"http://127.0.0.1:{port}/news", "webhook_secret": SECRET, "webhook_port": port}


def told(caplog, event):
    """Return how many log records contain an event."""
    return sum(event in one.getMessage() for one in caplog.records)


async def test_another_program_with_the_token_is_told_once(chat, telegram, caplog):
    """If another program polls with the same token, this is logged once with the remedy, and updates are still handled."""
    ann, dm = await chat.started()
    async with httpx.AsyncClient(base_url=f"{telegram.api_base}{telegram.token}") as other:
        for _ in range(5):
            await telegram.until(lambda: telegram.updates.is_polled)
            before = len(telegram.asked("getUpdates"))
            asking = asyncio.create_task(other.post("/getUpdates", json={"timeout": 5}))
            await telegram.until(lambda before=before: len(telegram.asked("getUpdates")) > before)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    await ann.say(dm, f"a red circle {SMALL}")
    await chat.pictures(dm)
    assert told(caplog, "telegram.conflict") == 1
    (said,) = [one.getMessage() for one in caplog.records if "telegram.conflict" in one.getMessage()]
    assert "stop it" in said


async def test_one_process_asks_and_another_takes_over(telegram, tmp_path):
    """Of two processes with one store, one polls at a time, and the other takes over when it ends, without handling updates twice."""
    async with open_chat(tmp_path, telegram) as first:
        ann, dm = await first.started()
        async with open_chat(tmp_path, telegram) as second:
            await ann.say(dm, f"a red circle {SMALL}")
            await first.pictures(dm)
            # The first one ends as on a shutdown of its process.
            await first.adapter.__aexit__(None, None, None)
            await ann.say(dm, f"a blue circle {SMALL}")
            await second.pictures(dm, 2)
            await telegram.until(lambda: not telegram.updates_waiting)
            assert len([one for one in second.answers(dm) if is_done(one)]) == 2


async def test_news_are_brought(telegram, tmp_path, door):
    """With a webhook, Telegram gets the URL and the secret, and the updates that it sends are handled."""
    async with open_chat(tmp_path, telegram, **door) as chat:
        ann, dm = await chat.started()
        await ann.say(dm, f"a red circle {SMALL}")
        await chat.pictures(dm)
        assert (telegram.updates.webhook.url, telegram.updates.webhook.secret) == (door["webhook_url"], SECRET)
        assert not telegram.asked("getUpdates")
    async with open_chat(tmp_path, telegram) as chat:
        # Polling removes the webhook and loses no update.
        await ann.say(dm, f"a blue circle {SMALL}")
        await chat.pictures(dm, 2)
        assert telegram.updates.webhook.url == ""


@pytest.mark.parametrize("secret", ["", "open-sesame_2", "open-sesame_", "öpen", "x" * 5_000])
async def test_nobody_else_is_let_in(telegram, tmp_path, door, secret):
    """A webhook request without the right secret is refused with an empty body, and nothing of it is stored."""
    update = {"update_id": 7, "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "a red circle"}}
    async with open_chat(tmp_path, telegram, **door) as chat, httpx.AsyncClient() as stranger:
        headers = {HEADER: secret.encode()} if secret else {}
        answer = await stranger.post(door["webhook_url"], json=update, headers=headers)
        assert (answer.status_code, answer.content) == (403, b"")
        assert await chat.store.inbox.open(bot_key(telegram.token)) == ()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no json", 400),
        (b"[]", 400),
        (b'{"message": {}}', 400),
        (b'{"update_id": "many"}', 400),
        (b'{"update_id": 1e999}', 400),
        (b'{"update_id": [' + b"[" * 100_000, 400),
        (b'{"update_id": 1, "x": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=["empty", "no json", "a list", "no number", "words", "endless", "deep", "huge"],
)
async def test_what_is_no_news_is_refused(telegram, tmp_path, door, body, status):
    """A webhook request with the right secret that is not an update is refused and not stored, and does no harm."""
    async with open_chat(tmp_path, telegram, **door) as chat, httpx.AsyncClient() as other:
        answer = await other.post(door["webhook_url"], content=body, headers={HEADER: SECRET})
        assert answer.status_code == status
        for method in ("get", "put", "delete"):
            assert (await getattr(other, method)(door["webhook_url"], headers={HEADER: SECRET})).status_code == 405
        assert await chat.store.inbox.open(bot_key(telegram.token)) == ()
        ann, dm = await chat.started()
        await ann.say(dm, f"a red circle {SMALL}")
        await chat.pictures(dm)


async def test_news_that_nobody_understands_stop_nothing(telegram, tmp_path, door):
    """An update of an unknown kind, or an incomplete update, is set aside, and the next one is handled."""
    odd = [
        {"update_id": 1},
        {"update_id": 2, "sun_rose": {}},
        {"update_id": 3, "message": {}},
        {"update_id": 4, "message": {"chat": {"id": "x"}}},
    ]
    async with open_chat(tmp_path, telegram, **door) as chat, httpx.AsyncClient() as other:
        for update in odd:
            assert (await other.post(door["webhook_url"], json=update, headers={HEADER: SECRET})).status_code == 200
        ann, dm = await chat.started()
        await ann.say(dm, f"a red circle {SMALL}")
        await chat.pictures(dm)

        async def all_done():
            return await chat.store.inbox.open(bot_key(telegram.token)) == ()

        await telegram.until(all_done)


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_news_that_come_again_are_done_once(telegram, tmp_path, door, mode):
    """Messages and presses that arrive several times, in any order, are each handled once."""
    shuffled = random.Random(7)
    async with open_chat(tmp_path, telegram, **(door if mode == "webhook" else {})) as chat:
        ann, dm = await chat.started()
        said = [await ann.say(dm, f"a red circle {number} {SMALL}") for number in range(6)]
        found = await chat.pictures(dm, len(said))
        presses = [await ann.press(one, "Again") for one in found[:3]]
        await chat.pictures(dm, 9)
        again = [*said, *presses] * 4
        shuffled.shuffle(again)
        for one in again:
            telegram.repeat(one)
            await asyncio.sleep(0)
        last = await ann.say(dm, f"a large red star {SMALL}")
        await chat.pictures(dm, 10)
        await telegram.until(lambda: not telegram.updates_waiting)
        assert len([one for one in chat.answers(dm) if one.id > last.id]) == 1
        assert len(await chat.store.jobs.of_channel(MessageRef("telegram", str(dm.id)), 100)) == 10


async def test_nothing_is_confirmed_before_it_is_kept(chat, telegram, monkeypatch):
    """While the store fails, no update is confirmed to Telegram; once it works, everything is handled."""
    ann, dm = await chat.started()
    real, broken = Inbox.take, asyncio.Event()

    async def refuses(self, *given):
        if broken.is_set():
            raise OSError("no room on the disk")
        return await real(self, *given)

    monkeypatch.setattr(Inbox, "take", refuses)
    broken.set()
    await ann.say(dm, f"a red circle {SMALL}")
    asked = len(telegram.asked("getUpdates"))
    await telegram.until(lambda: len(telegram.asked("getUpdates")) > asked + 1)
    assert telegram.updates_waiting == 1
    broken.clear()
    await chat.pictures(dm)
    await telegram.until(lambda: not telegram.updates_waiting)

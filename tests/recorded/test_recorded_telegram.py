"""A Telegram chat that continues over a recorded database: queued jobs, stored updates, and forms in old messages."""

import json
import shutil
from contextlib import asynccontextmanager
from itertools import count

import pytest

from bot.core.values import MessageRef
from bot.generation.fields import GenerationParams
from tests.adapters.telegram.chat import is_done, open_chat, quick, words_of
from tests.emulators.telegram.messages import Draft
from tests.emulators.telegram.updates import FIRST, Update
from tests.emulators.telegram.uses import Press
from tests.recorded.dumps import RECORDED, loaded

POSTED = json.loads((RECORDED / "buttons.json").read_text(encoding="utf-8"))["posted"]["sqlite"]

#: More updates and presses than Telegram had seen when the database was recorded.
_THEN = 1_000

#: One recorded message for each kind of form.
FORMS = {f"{one['command']}-{one['where']}": one for one in POSTED if "message" in one}


@asynccontextmanager
async def continued(folder, **more):
    """Yield a bot over the recorded database, and the user whose private chat was recorded."""
    shutil.copytree(RECORDED / "files", folder / "files")
    await loaded(f"sqlite+aiosqlite:///{folder}/easel.db", (RECORDED / "store.sqlite.sql").read_text(encoding="utf-8"))
    async with quick() as telegram:
        _long_after(telegram)
        bob = telegram.user("bob")
        bob.dm().is_started = True
        async with open_chat(folder, telegram, **more) as chat:
            await telegram.until(lambda: any("a boat in letter 2" in words_of(one) for one in chat.answers(bob.dm())))
            yield chat, bob


def _long_after(telegram):
    """Make new numbers of messages, updates and presses differ from the recorded numbers."""
    telegram.ids.messages = count(20_001)
    telegram.updates.every += [Update(FIRST + number, "message", {}, is_confirmed=True) for number in range(_THEN)]
    telegram.presses += [Press(telegram, telegram.bot, None, "") for _ in range(_THEN)]


async def test_queued_jobs_and_stored_updates_arrive(tmp_path):
    """Queued jobs, and requests in updates that were stored and not handled, arrive in the chat once."""
    async with continued(tmp_path) as (chat, bob):
        wanted = ["a waiting boat", "another waiting boat", "a running boat", "a boat in letter 1", "a boat in letter 2"]

        def shown():
            return [
                next((word for word in wanted if words_of(one).startswith(f"{word} ·")), "") for one in bob.dm().messages if is_done(one)
            ]

        await chat.telegram.until(lambda: set(wanted) <= set(shown()), 60.0)
        assert sorted(filter(None, shown())) == sorted(wanted)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_old_forms_still_work(tmp_path, form):
    """A form in an old message takes an answer or a value, and its last button submits what it shows."""
    async with continued(tmp_path, paints=False) as (chat, bob):
        shown = form["message"]
        draft = Draft(text=shown["text"], entities=shown["entities"], reply_markup={"inline_keyboard": shown["keyboard"]})
        message = chat.telegram.add_message(bob.dm(), chat.telegram.bot, draft)
        before = {job.id for job in await jobs(chat, bob)}
        number, field = (0, "Title") if form["command"] == "fill" else (3, "Steps") if form["command"] == "edit" else (0, "Steps")
        if form["where"] == "values":
            await (await bob.press(message, next(one for one in carried(message) if "=" in one))).answered()
        else:
            said = "cat" if form["command"] == "fill" else "--steps 7"
            await bob.say(bob.dm(), said, reply_to=message)
            await chat.telegram.until(lambda: f"{field}: {said.rpartition(' ')[2]}" in words_of(message))
        assert f"~{number}" in carried(message)
        await (await bob.press(message, form["carried"])).answered()
        if form["command"] == "settle":
            await chat.telegram.until(lambda: any("7" in words_of(one) for one in chat.answers(bob.dm()) if one.id > message.id))
            return
        (new,) = [job for job in await jobs(chat, bob) if job.id not in before]
        params = GenerationParams.model_validate_json(new.params)
        if form["command"] == "fill":
            assert params.preset
            assert "cat" in params.prompt
        elif form["where"] == "form":
            assert params.steps == 7


async def jobs(chat, user):
    """Return the jobs of a private chat."""
    return await chat.store.jobs.of_channel(MessageRef("telegram", str(user.id)), 100)


def carried(message):
    """Return the callback data of a message."""
    return [data for _, data in message.buttons()]

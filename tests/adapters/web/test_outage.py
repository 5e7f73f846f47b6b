"""What the page answers while the database is away."""

import os

from bot.i18n.translate import tell
from inference.contract.errors import Problem
from tests.adapters.web.chat import Browser, open_chat


async def test_a_deleted_database_is_told_and_nothing_is_accepted(tmp_path):
    """If the database's file is deleted while Easel runs, a request is answered with 503 and a sentence, not with an incident."""
    async with open_chat(tmp_path) as chat, chat.client() as client:
        browser = Browser(client)
        await browser.open()
        assert (await browser.say("a red circle")).status_code == 200
        os.unlink(chat.store.database.name)
        answer = await browser.say("a blue circle")
        assert answer.status_code == 503
        assert tell(Problem("db-gone")) in answer.text
        assert str(tmp_path) not in answer.text

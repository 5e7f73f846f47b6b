"""What `easel doctor` says of Telegram, asked over real sockets."""

import asyncio

import pytest

from adapters.cli.doctor import findings
from adapters.telegram import probe
from bot.config import Telegram as Section
from tests.answering import answering
from tests.emulators.telegram import Telegram


@pytest.fixture
async def telegram():
    """Give an emulated Telegram."""
    async with Telegram() as running:
        yield running


@pytest.fixture
def examined(monkeypatch, tmp_path):
    """Return a function that returns what the doctor finds about Telegram."""
    monkeypatch.chdir(tmp_path)

    async def run(telegram, **changed):
        there = {"token": telegram.token, "api_base": telegram.api_base, "file_base": telegram.file_base, **changed}
        for name, value in there.items():
            monkeypatch.setenv(f"EASEL__TELEGRAM__{name.upper()}", value)
        found = await asyncio.to_thread(lambda: list(findings(None)))
        assert not [one for one in found if there["token"].strip() in one.sentence]
        return [(one.code, one.sentence) for one in found if "Telegram" in one.sentence]

    return run


async def test_a_known_token(telegram, examined):
    """The doctor says who the bot is and how to reach it, and changes nothing there."""
    ((code, said),) = await examined(telegram)
    assert code == 0
    assert f"@{telegram.bot.username}" in said
    assert f"https://t.me/{telegram.bot.username}" in said
    assert {one.method for one in telegram.requests} == {"getMe", "getWebhookInfo"}


@pytest.mark.parametrize("token", ["7:AAwrong", "no token", "7000000001:AAtest-token_of_an_emulated_bot_13"])
async def test_a_token_that_telegram_does_not_know(telegram, examined, token):
    """A token that is wrong, or none at all, is a problem of the configuration."""
    ((code, said),) = await examined(telegram, token=token)
    assert code == 2
    assert "rejected the token" in said


async def test_nobody_answers(telegram, examined):
    """Where nothing listens the doctor names the address and what to look at."""
    await telegram.stop()
    ((code, said),) = await examined(telegram)
    assert code == 1
    assert telegram.api_base in said
    assert "api_base" in said


async def test_what_stands_in_the_way_is_noted(telegram, examined):
    """A webhook that takes the news away, and a bot that hears whole groups, are said with the cure."""
    telegram.privacy = False
    telegram.updates.webhook.url = "http://127.0.0.1:1/elsewhere"
    said = " ".join(one for _, one in await examined(telegram))
    assert "/setprivacy" in said
    assert "Easel removes that webhook" in said


async def test_silence_ends():
    """Whoever takes the question and never answers is given up."""

    async def silent(reader, writer):
        del writer
        await reader.read()

    async with answering(silent) as address:
        with pytest.raises(probe.Away, match=r"no answer within 0\.2 s"):
            await probe.who(Section(token="7:AA", api_base=f"{address}/bot"), 0.2)


async def test_something_else_answers():
    """An address at which something else than Telegram answers is told to be that."""

    async def page(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    async with answering(page) as address:
        with pytest.raises(probe.Away):
            await probe.who(Section(token="7:AA", api_base=f"{address}/bot"))

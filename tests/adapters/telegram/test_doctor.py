"""The report of `easel doctor` on Telegram, over real sockets."""

import asyncio

import pytest

from adapters.cli.doctor import findings
from adapters.telegram import probe
from bot.config import Telegram as Section
from tests.answering import answering
from tests.emulators.telegram import Telegram


@pytest.fixture
async def telegram():
    """Yield an emulated Telegram."""
    async with Telegram() as running:
        yield running


@pytest.fixture
def examined(monkeypatch, tmp_path):
    """Return a function that returns the doctor's findings on Telegram."""
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
    """For a valid token, the doctor names the bot and its link, and changes nothing on Telegram."""
    ((code, said),) = await examined(telegram)
    assert code == 0
    assert f"@{telegram.bot.username}" in said
    assert f"https://t.me/{telegram.bot.username}" in said
    assert {one.method for one in telegram.requests} == {"getMe", "getWebhookInfo"}


@pytest.mark.parametrize("token", ["7:AAwrong", "no token", "7000000001:AAtest-token_of_an_emulated_bot_13"])
async def test_a_token_that_telegram_does_not_know(telegram, examined, token):
    """A wrong or malformed token is a problem of the configuration."""
    ((code, said),) = await examined(telegram, token=token)
    assert code == 2
    assert "rejected the token" in said


async def test_nobody_answers(telegram, examined):
    """If nothing listens, the doctor names the address and the setting to check."""
    await telegram.stop()
    ((code, said),) = await examined(telegram)
    assert code == 1
    assert telegram.api_base in said
    assert "api_base" in said


async def test_what_stands_in_the_way_is_noted(telegram, examined):
    """A webhook that diverts updates, and a bot without privacy mode, are reported with the remedy."""
    telegram.privacy = False
    telegram.updates.webhook.url = "http://127.0.0.1:1/elsewhere"
    said = " ".join(one for _, one in await examined(telegram))
    assert "/setprivacy" in said
    assert "Easel removes that webhook" in said


async def test_silence_ends():
    """A server that accepts the request and never responds is given up."""

    async def silent(reader, writer):
        del writer
        await reader.read()

    async with answering(silent) as address:
        with pytest.raises(probe.Away, match=r"no answer within 0\.2 s"):
            await probe.who(Section(token="7:AA", api_base=f"{address}/bot"), 0.2)


async def test_something_else_answers():
    """An address at which another server responds is reported as not being Telegram."""

    async def page(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    async with answering(page) as address:
        with pytest.raises(probe.Away):
            await probe.who(Section(token="7:AA", api_base=f"{address}/bot"))

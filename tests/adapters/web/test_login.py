"""Login with a token: without a token nothing is accessible, and a revoked token is refused at once."""

import asyncio
import html

import pytest

from adapters.web.auth.access import Tries
from adapters.web.auth.errors import Refused
from tests.adapters.web.chat import PATIENCE, open_chat


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path, require_login=True) as opened:
        yield opened


async def test_nothing_is_shown_without_a_token(chat):
    """Without a token, only the login page, its files and the liveness probe are served; the rest redirects there or is refused."""
    async with chat.client() as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert "set-cookie" not in page.headers
        assert "token" in (await client.get("/login")).text
        assert (await client.get("/healthz")).text == "ok"
        assert (await client.get("/static/page.css")).status_code == 200
        for path in ("/queue", "/history", "/commands", "/suggest", "/events", "/files/x", "/earlier"):
            assert (await client.get(path)).status_code == 401
        for path in ("/say", "/press", "/logout"):
            answer = await client.post(path, data={"line": "a circle"})
            assert answer.status_code == 401
            assert "Log in" in answer.json()["error"]


async def test_a_token_opens_the_page(chat):
    """All tokens of a user open their jobs from any browser, and the tokens of other users do not."""
    ada_token, bob_token = await chat.store.tokens.create("Ada"), await chat.store.tokens.create("Bob")
    async with chat.browser() as ada, chat.browser() as elsewhere, chat.browser() as bob:
        answer = await ada.log_in(f"  {ada_token} ")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "HttpOnly" in answer.headers["set-cookie"]
        await elsewhere.log_in(await chat.store.tokens.create("Ada"))
        await bob.log_in(bob_token)
        assert "Ada" in await ada.open()
        job = await ada.job("a red circle")
        assert f"job-{job}" in await elsewhere.open()
        assert f"job-{job}" not in await bob.open()
        assert (await elsewhere.press(f"cancel:{job}")).status_code == 200
        assert (await bob.press(f"again:{job}")).status_code == 422
    user = await chat.store.tokens.holder(ada_token)
    assert (await chat.store.jobs.get(job)).user == user.id


@pytest.mark.parametrize("token", ["", " ", "x", "x" * 32, "x" * 10_000, "é\0", "' OR 1=1 --"])
async def test_a_wrong_token_opens_nothing(chat, token):
    """A wrong token is reported on the login page and gives no cookie; a forged cookie does not work."""
    async with chat.client() as client:
        answer = await client.post("/login", data={"token": token})
        assert answer.status_code == 401
        assert "That token doesn't work" in html.unescape(answer.text)
        assert "set-cookie" not in answer.headers
    async with chat.client(cookies={"easel": "x" * 32}) as client:
        assert (await client.get("/queue")).status_code == 401


async def test_a_revoked_token_is_out_at_once(chat):
    """After a token is revoked, the next request is refused, and an open stream ends before it sends more."""
    token = await chat.store.tokens.create("Ada")
    async with chat.browser() as ada:
        await ada.log_in(token)
        job = await ada.job("a red circle")
        async with ada.listening() as page:
            await page.card(job, "waiting")
            await chat.store.tokens.revoke("Ada")
            await chat.paint()
            async with asyncio.timeout(PATIENCE):
                await page.ended.wait()
        assert (await ada.say("a blue circle")).status_code == 401
        assert (await ada.client.get("/events")).status_code == 401
        assert (await ada.client.get("/")).status_code == 303


async def test_logging_out(chat):
    """Logging out removes the cookie, and only the page itself can request it."""
    async with chat.browser() as ada:
        await ada.log_in(await chat.store.tokens.create("Ada"))
        assert (await ada.client.post("/logout", data={"easel_token": "wrong"})).status_code == 403
        assert (await ada.client.get("/login")).status_code == 303
        out = await ada.client.post("/logout", data={"easel_token": ada.token})
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert "easel" not in ada.client.cookies
        assert (await ada.client.get("/")).status_code == 303


async def test_many_wrong_tokens(chat):
    """After many wrong tokens, an address has to wait, even with a correct token."""
    token = await chat.store.tokens.create("Ada")
    async with chat.client() as client:
        answers = [(await client.post("/login", data={"token": "wrong"})).status_code for _ in range(11)]
        assert answers == [401] * 10 + [429]
        assert (await client.post("/login", data={"token": token})).status_code == 429


def test_waiting_helps():
    """Wrong tokens are forgotten after a minute, and one address does not affect another."""
    clock = [0.0]
    tries = Tries(lambda: clock[0])
    for _ in range(10):
        tries.check("here")
        tries.wrong("here")
    with pytest.raises(Refused):
        tries.check("here")
    tries.check("there")
    clock[0] = 61.0
    tries.check("here")


def test_tries_are_bounded():
    """Wrong tokens from ever new addresses take bounded memory."""
    tries = Tries()
    for number in range(10_500):
        tries.wrong(str(number))
    assert len(tries._wrong) <= 10_000


async def test_behind_a_public_address(tmp_path):
    """With a public https URL, the cookie is limited to secure connections, and a token is required."""
    async with open_chat(tmp_path, public_url="https://easel.example") as chat, chat.client() as client:
        token = await chat.store.tokens.create("Ada")
        own = {"Host": "easel.example", "Origin": "https://easel.example"}
        answer = await client.post("/login", data={"token": token}, headers=own)
        assert answer.status_code == 303
        assert "Secure" in answer.headers["set-cookie"]
        assert chat.adapter.address == "https://easel.example"


async def test_without_login_there_is_no_door(tmp_path):
    """If no token is required, login and logout lead back to the page, and the conversation stays."""
    async with open_chat(tmp_path) as chat, chat.browser() as ada:
        job = await ada.job("a red circle")
        assert (await ada.client.get("/login")).headers["location"] == "/"
        assert (await ada.client.post("/logout", data={})).headers["location"] == "/"
        assert f"job-{job}" in await ada.open()

"""A user's data on the page: linked with another browser, exported as a file, deleted."""

import base64
import html
import io
import json
import re
import zipfile

import pytest

from tests.adapters.web.chat import open_chat


@pytest.fixture
async def chat(tmp_path):
    """Yield a web chat that is open to everyone."""
    async with open_chat(tmp_path) as opened:
        yield opened


@pytest.fixture
async def closed(tmp_path):
    """Yield a web chat that requires a token."""
    async with open_chat(tmp_path, require_login=True) as opened:
        yield opened


def said(answer):
    """Return the reply of a response, as HTML."""
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.json()["reply"])


def wires(answer):
    """Return the data of the buttons in a response."""
    return re.findall(r'data-wire="([^"]+)"', said(answer))


async def linked(one, other):
    """Link two browsers, as users do."""
    code = await one.say("/link")
    typed = re.search(r"/link ([0-9A-Z-]+)", said(code))[1]
    assert "press Check and confirm" in said(await other.say(f"/link {typed}"))
    asks = await one.press(wires(code)[0])
    answer = await one.press(wires(asks)[0])
    assert "Your accounts are linked" in said(answer)


async def test_two_browsers_are_one_person(chat):
    """Two linked browsers share one queue, and unlinking separates them again."""
    async with chat.browser() as home, chat.browser() as work:
        await home.job("a red circle")
        await linked(home, work)
        assert "You have 1 queued or running job." in said(await work.say("/queue"))
        assert "is now separate" in said(await work.say("/unlink"))
        assert "You have no queued or running jobs" in said(await work.say("/queue"))
        assert "You have 1 queued or running job." in said(await home.say("/queue"))


async def test_a_file_is_a_link(chat):
    """An export is a link that contains the file, with its name."""
    async with chat.browser() as browser:
        await browser.job("a red circle")
        await chat.paint("red")
        answer = said(await browser.say("/me export"))
    name, content = (
        re.search(r'href="data:application/zip;base64,[^"]+" download="([^"]+)"', answer)[1],
        re.search(r'base64,([^"]+)"', answer)[1],
    )
    assert name == "easel-export.zip"
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(content))) as archive:
        (picture,) = json.loads(archive.read("data.json"))["tables"]["picture"]
        assert archive.read(picture["file"]).startswith(b"\x89PNG")


async def test_tokens_follow_their_person(closed):
    """With login, a token opens the page as the linked user, and as the separate user after unlinking."""
    secrets = {name: await closed.store.tokens.create(name) for name in ("ann", "bob")}
    async with closed.browser() as ann, closed.browser() as bob:
        await ann.log_in(secrets["ann"])
        await bob.log_in(secrets["bob"])
        await ann.job("a red circle")
        other = await bob.job("a blue star")
        await linked(ann, bob)
        assert [other in await browser.open() for browser in (ann, bob)] == [True, True]
        assert "You have 2 queued or running jobs." in said(await bob.say("/queue"))
        assert (await bob.say("/unlink")).status_code == 422


async def test_whoever_is_forgotten_is_told_and_out(closed):
    """The press that deletes all data is answered; afterwards the token is refused, because its user no longer exists."""
    secret = await closed.store.tokens.create("ann")
    async with closed.browser() as browser:
        await browser.log_in(secret)
        asks = await browser.say("/me forget")
        assert "data-ask" in said(asks)
        assert "All your data is deleted" in said(await browser.press(wires(asks)[0]))
        assert (await browser.say("/queue")).status_code == 401
    assert await closed.store.people.latest(5) == ()

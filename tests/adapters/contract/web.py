"""The web page for the contract tests: browsers, which are recognised by their cookies."""

import base64
import re
from contextlib import asynccontextmanager

import httpx2

from tests.adapters.contract.talker import Heard
from tests.adapters.web.chat import PATIENCE, Browser, config


class WebTalker:
    """A user with the page open."""

    def __init__(self, browser, listener):
        self._browser = browser
        self._said = ""
        self._listener = listener

    async def say(self, line, event="", pictures=(), file=None):
        """Send a line as the composer does."""
        answer = await self._browser.say(line, pictures=pictures, file=file, key=event)
        self._said = answer.json().get("reply", "")
        return self._heard(answer)

    async def handed(self):
        """Read the link in the last answer."""
        data, name = re.search(r'<a href="data:[^;]+;base64,([^"]+)" download="([^"]+)"', self._said).groups()
        return name, base64.b64decode(data)

    async def press(self, wire, event=""):
        """Press a button of an entry."""
        return self._heard(await self._browser.press(wire, event))

    @staticmethod
    def _heard(answer):
        told = answer.json()
        if answer.status_code != 200:
            return Heard((), told["error"], True)
        return Heard(tuple(one["id"] for one in told["jobs"]), told["reply"], False)

    async def until(self, job, state):
        """Follow the event stream."""
        await self._listener.card(job, state)

    def seen(self, job):
        """Return the states in the event stream."""
        of_job = [(kind, data) for kind, data in self._listener.events if data.get("id") == job]
        return [data["state"] if kind == "card" else "step" for kind, data in of_job]

    def covered(self, job):
        """Return whether each entry in the event stream was covered; a preview is shown in its entry's place for pictures."""
        return ['<details class="cover">' in data["html"] for kind, data in self._listener.events if kind == "card" and data["id"] == job]

    async def hears(self, words):
        """Follow the event stream."""
        return await self._listener.until(lambda: next((one["html"] for one in self._listener.of("said") if words in one["html"]), None))

    async def cards(self):
        """Reload the page."""
        page = await self._browser.open()
        return [one.split('"')[0] for one in page.split('id="job-')[1:]]


class WebWorld:
    """The cookies of the browsers."""

    platform = "web"

    def __init__(self):
        self._cookies: dict[str, httpx2.Cookies] = {}

    def config(self, folder):
        """Listen on any free port."""
        return config(folder)

    @asynccontextmanager
    async def user(self, adapter, name):
        """Yield a user with the page open."""
        url = f"http://127.0.0.1:{adapter.port}"
        async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE, cookies=self._cookies.get(name)) as client:
            browser = Browser(client)
            await browser.open()
            self._cookies[name] = client.cookies
            async with browser.listening() as listener:
                yield WebTalker(browser, listener)


@asynccontextmanager
async def world():
    """Yield a web."""
    yield WebWorld()

"""The web for the contract's tests: browsers, whose cookies say who comes back."""

import base64
import re
from contextlib import asynccontextmanager

import httpx2

from tests.adapters.contract.talker import Heard
from tests.adapters.web.chat import PATIENCE, Browser, config


class WebTalker:
    """A person with the page open."""

    def __init__(self, browser, listener):
        self._browser = browser
        self._said = ""
        self._listener = listener

    async def say(self, line, event="", pictures=(), file=None):
        """Send the composer's line."""
        answer = await self._browser.say(line, pictures=pictures, file=file, key=event)
        self._said = answer.json().get("reply", "")
        return self._heard(answer)

    async def handed(self):
        """Follow the link of the last answer."""
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
        """Follow the stream of events."""
        await self._listener.card(job, state)

    def seen(self, job):
        """Return what the stream told."""
        of_job = [(kind, data) for kind, data in self._listener.events if data.get("id") == job]
        return [data["state"] if kind == "card" else "step" for kind, data in of_job]

    def covered(self, job):
        """Return it of the entries that the stream told; a preview comes into the place that an entry has for it."""
        return ['<details class="cover">' in data["html"] for kind, data in self._listener.events if kind == "card" and data["id"] == job]

    async def hears(self, words):
        """Follow the stream of events."""
        return await self._listener.until(lambda: next((one["html"] for one in self._listener.of("said") if words in one["html"]), None))

    async def cards(self):
        """Load the page anew."""
        page = await self._browser.open()
        return [one.split('"')[0] for one in page.split('id="job-')[1:]]


class WebWorld:
    """Nothing but what browsers remember."""

    platform = "web"

    def __init__(self):
        self._cookies: dict[str, httpx2.Cookies] = {}

    def config(self, folder):
        """Listen on any port that is free."""
        return config(folder)

    @asynccontextmanager
    async def user(self, adapter, name):
        """Give somebody with the page open."""
        url = f"http://127.0.0.1:{adapter.port}"
        async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE, cookies=self._cookies.get(name)) as client:
            browser = Browser(client)
            await browser.open()
            self._cookies[name] = client.cookies
            async with browser.listening() as listener:
                yield WebTalker(browser, listener)


@asynccontextmanager
async def world():
    """Give a web."""
    yield WebWorld()

"""How the contract's tests speak to each platform: one driver for each line of the registry.

A driver is a function that, given the running adapter and a name, opens a way for one person to talk: an async context manager
that gives a `Talker`. Nothing but the platform's own front is used: sockets, emulated servers, what people see.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx2

from adapters.base import Adapter
from tests.adapters.web.chat import PATIENCE, Browser


@dataclass(frozen=True)
class Heard:
    """What a person sees at once: the jobs whose cards appeared, what was said, and whether it was a refusal."""

    jobs: tuple[str, ...]
    said: str
    is_refused: bool


class Talker(Protocol):
    """One person in their own place. `event` is the platform's own id of a message or press: the same one is a repeat."""

    async def say(self, line: str, event: str = "", picture: bytes | None = None) -> Heard:
        """Type a line."""
        ...

    async def press(self, wire: str, event: str = "") -> Heard:
        """Press a button."""
        ...

    async def until(self, job: str, state: str) -> None:
        """Wait until a job's card is seen in a state."""
        ...

    def seen(self, job: str) -> list[str]:
        """Return the states that a job's card was seen in, in their order; a step of progress is `step`."""
        ...

    async def cards(self) -> list[str]:
        """Return the jobs whose cards are in the conversation now, as often as they are."""
        ...


Open = Callable[[Adapter, str], AbstractAsyncContextManager[Talker]]


class WebTalker:
    """A person with the page open."""

    def __init__(self, browser, listener):
        self._browser = browser
        self._listener = listener

    async def say(self, line, event="", picture=None):
        """Send the composer's line."""
        return self._heard(await self._browser.say(line, picture, key=event))

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

    async def cards(self):
        """Load the page anew."""
        page = await self._browser.open()
        return [one.split('"')[0] for one in page.split('id="job-')[1:]]


#: The cookies of the web's people: who comes back is who they were.
_COOKIES: dict[str, httpx2.Cookies] = {}


@asynccontextmanager
async def _web(adapter, name):
    url = f"http://127.0.0.1:{adapter.port}"
    async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE, cookies=_COOKIES.get(name)) as client:
        browser = Browser(client)
        await browser.open()
        _COOKIES[name] = client.cookies
        async with browser.listening() as listener:
            yield WebTalker(browser, listener)


DRIVERS: dict[str, Open] = {"web": _web}

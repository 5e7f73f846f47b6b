"""A web chat on a real socket with a real store, and browsers that talk to it. Without an engine, tests finish jobs by hand."""

import asyncio
import io
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx2
from PIL import Image

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.web.adapter import WebAdapter
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Config, FilesSection, StoreSection, Web
from bot.core.values import new_id
from bot.generation.resolve import ModelCatalog
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from bot.store.jobs.job import Painted
from tests.stores import ready_made

#: In seconds. Nothing here takes so long unless it hangs.
PATIENCE = 200.0


def png(colour="red", size=(64, 64)):
    """Return a small PNG."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def config(folder, **web):
    """Return a configuration with store and files in a folder, and any free port."""
    ready_made(folder / "easel.db")
    return Config(
        web=Web(port=0, **web),
        store=StoreSection(url=f"sqlite+aiosqlite:///{folder}/easel.db"),
        files=FilesSection(url=str(folder / "files")),
    )


@dataclass(frozen=True)
class Chat:
    """A running web chat."""

    bot: Bot
    adapter: WebAdapter
    dispatcher: Dispatcher

    @property
    def app(self):
        """The bot of the chat."""
        return self.bot.app

    @property
    def store(self):
        """The store of the bot."""
        return self.app.store

    @asynccontextmanager
    async def again(self, **web):
        """Yield another adapter of the same bot, with another `[web]` section."""
        settings = self.bot.config.model_copy(update={"web": Web(**{"port": 0, **web})})
        async with WebAdapter(replace(self.bot, config=settings)) as adapter:
            yield adapter

    @property
    def url(self):
        """The URL of the chat."""
        return f"http://127.0.0.1:{self.adapter.port}"

    @asynccontextmanager
    async def browser(self, **changes):
        """Yield a browser with the page open."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=PATIENCE, **changes) as client:
            browser = Browser(client)
            await browser.open()
            yield browser

    @asynccontextmanager
    async def client(self, **changes):
        """Yield a client that has not opened the page."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=PATIENCE, **changes) as client:
            yield client

    async def paint(self, *colours):
        """Finish the next job with pictures in these colours; return its id."""
        job = await self.store.attempts.claim("by hand")
        painted = []
        for index, colour in enumerate(colours or ("red",)):
            file = await self.store.files.put(png(colour))
            thumbnail = await self.store.files.put(png(colour, (16, 16)))
            painted.append(Painted(index=index, seed=index, width=64, height=64, bytes=1, file=file, thumbnail=thumbnail))
        assert await self.store.attempts.finish(job, painted, 0.1)
        await self.dispatcher.show(job.id)
        return job.id


@asynccontextmanager
async def open_chat(folder, engine=None, **web):
    """Yield a web chat; with an engine it runs jobs."""
    settings = config(folder, **web)
    known = catalogue(settings).models
    async with opened(settings) as store:
        router = Router()
        dispatcher = Dispatcher(store, engine, router, ("web",))
        app = App(COMMANDS, store, ModelCatalog(known, "demo"), wake=dispatcher.wake)
        bot = Bot(settings, app, dispatcher.card, dispatcher.show)
        async with WebAdapter(bot) as adapter:
            router.adapters["web"] = adapter
            if engine is None:
                yield Chat(bot, adapter, dispatcher)
            else:
                async with dispatcher:
                    yield Chat(bot, adapter, dispatcher)


class Browser:
    """A browser with the page open."""

    def __init__(self, client):
        self.client = client
        self.token = ""

    async def open(self):
        """Load the page and return its HTML."""
        page = await self.client.get("/", follow_redirects=True)
        found = re.search(r'<meta name="easel-token" content="(\w+)">', page.text)
        self.token = found[1] if found else ""
        return page.text

    async def log_in(self, token):
        """Log in with a token and open the page."""
        answer = await self.client.post("/login", data={"token": token})
        await self.open()
        return answer

    async def say(self, line, picture=None, file=None, *, pictures=(), named=None, **headers):
        """Send a line, with pictures, pictures `named` by their parameters, or a named file; return the response."""
        key = headers.pop("key", None) or new_id()
        # Like a browser's FormData: multipart with or without a file.
        fields = [("line", (None, line)), ("key", (None, key))]
        brought = [*pictures, *([picture] if picture is not None else [])]
        fields += [("picture", ("picture.png", one, "image/png")) for one in brought]
        fields += [(f"picture-{name}", ("picture.png", one, "image/png")) for name, one in (named or {}).items()]
        if file is not None:
            fields.append(("picture", (*file, "application/octet-stream")))
        return await self.client.post("/say", files=fields, headers={"X-Easel-Token": self.token, **headers})

    async def press(self, wire, key=None):
        """Press a button; return the response."""
        return await self.client.post("/press", data={"wire": wire, "key": key or new_id()}, headers={"X-Easel-Token": self.token})

    async def fill(self, wire, fields, picture=None, key=None):
        """Submit a form as a browser does, with all fields, and a picture field as a file even if none is chosen; return the response."""
        parts = {f"field-{name}": (None, value) for name, value in fields.items()}
        parts["field-image"] = ("picture.png", picture, "image/png") if picture is not None else ("", b"", "application/octet-stream")
        parts |= {"wire": (None, wire), "key": (None, key or new_id())}
        return await self.client.post("/press", files=parts, headers={"X-Easel-Token": self.token})

    async def job(self, line, **more):
        """Send a line that is accepted and return the id of its job."""
        answer = await self.say(line, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["jobs"][0]["id"]

    @asynccontextmanager
    async def listening(self):
        """Follow the events of the conversation."""
        async with self.client.stream("GET", "/events") as response:
            assert response.status_code == 200, response.status_code
            listener = Listener()
            reading = asyncio.create_task(listener.read(response))
            try:
                yield listener
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


class Listener:
    """The events received so far."""

    def __init__(self):
        self.events = []
        self.comments = 0
        self.ended = asyncio.Event()
        self._more = asyncio.Event()

    async def read(self, response):
        """Read the stream to its end."""
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.events.append((name, json.loads(line.removeprefix("data: "))))
                self._more.set()
            elif line.startswith(":"):
                self.comments += 1
                self._more.set()
        self.ended.set()

    def of(self, name, job=None):
        """Return the data of all events of a kind, or only those of a job."""
        return [data for kind, data in self.events if kind == name and (job is None or data.get("id") == job)]

    async def until(self, is_there):
        """Wait until a condition on the events is true, and return its value."""
        async with asyncio.timeout(PATIENCE):
            while not (found := is_there()):
                self._more.clear()
                await self._more.wait()
        return found

    async def card(self, job, state):
        """Wait for the card of a job in a state."""
        return await self.until(lambda: next((one for one in self.of("card", job) if one["state"] == state), None))

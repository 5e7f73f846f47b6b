"""A web chat on a real socket with a real store, and browsers that talk to it. Without an engine, tests paint by hand."""

import asyncio
import io
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx2
from PIL import Image

from adapters.base import Bot
from adapters.bootstrap import Router, model_infos, opened
from adapters.web.adapter import WebAdapter
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Config, FilesSection, StoreSection, Web
from bot.core.values import new_id
from bot.generation.model_catalog import ModelCatalog
from bot.jobs.dispatcher import Dispatcher
from bot.store.jobs.job import Painted
from tests.stores import ready_made

#: Nothing here takes so long unless it hangs.
PATIENCE = 60.0


def png(colour="red", size=(64, 64)):
    """Return a small PNG."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def config(folder, **web):
    """Return a configuration whose store and files are in a folder, and whose port is any that is free."""
    ready_made(folder / "easel.db")
    return Config(
        web=Web(port=0, **web),
        store=StoreSection(url=f"sqlite+aiosqlite:///{folder}/easel.db"),
        files=FilesSection(url=str(folder / "files")),
    )


@dataclass(frozen=True)
class Chat:
    """A web chat that runs."""

    bot: Bot
    adapter: WebAdapter
    dispatcher: Dispatcher

    @property
    def app(self):
        """The bot behind it."""
        return self.bot.app

    @property
    def store(self):
        """Its store."""
        return self.app.store

    @asynccontextmanager
    async def again(self, **web):
        """Give another adapter of the same bot, with another `[web]`."""
        settings = self.bot.config.model_copy(update={"web": Web(**{"port": 0, **web})})
        async with WebAdapter(replace(self.bot, config=settings)) as adapter:
            yield adapter

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.adapter.port}"

    @asynccontextmanager
    async def browser(self, **changes):
        """Give a browser that has the page open."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=PATIENCE, **changes) as client:
            browser = Browser(client)
            await browser.open()
            yield browser

    @asynccontextmanager
    async def client(self, **changes):
        """Give a client that has not opened anything yet."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=PATIENCE, **changes) as client:
            yield client

    async def paint(self, *colours):
        """Finish the job whose turn it is with pictures of these colours; return its id."""
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
    """Give a web chat; with an engine it paints by itself."""
    settings = config(folder, **web)
    known = model_infos(settings)
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
        """Show a token and open the page."""
        answer = await self.client.post("/login", data={"token": token})
        await self.open()
        return answer

    async def say(self, line, picture=None, file=None, *, pictures=(), named=None, **headers):
        """Send a line, with pictures, also `named` by their parameters, or a file of some name; return the response."""
        key = headers.pop("key", None) or new_id()
        # As a browser's FormData does: multipart whether there is a file or not.
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
        """Send a form in, as a browser does: every field comes along, and a picture field is a file whether one is chosen or not."""
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
    """What a stream of events has told so far."""

    def __init__(self):
        self.events = []
        self.comments = 0
        self.ended = asyncio.Event()
        self._more = asyncio.Event()

    async def read(self, response):
        """Read to the end."""
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
        """Return the data of the events of a kind, of one job where it is named."""
        return [data for kind, data in self.events if kind == name and (job is None or data.get("id") == job)]

    async def until(self, is_there):
        """Wait until something is there among the events, and return it."""
        async with asyncio.timeout(PATIENCE):
            while not (found := is_there()):
                self._more.clear()
                await self._more.wait()
        return found

    async def card(self, job, state):
        """Wait for the card of a job in a state."""
        return await self.until(lambda: next((one for one in self.of("card", job) if one["state"] == state), None))

"""A bot without an engine: the real commands over a real store, and users who talk to it."""

import io
from contextlib import asynccontextmanager

from PIL import Image

from adapters.shared.command_line import read_line
from bot.app import App
from bot.commands import COMMANDS
from bot.core.values import Invocation, MessageRef, UserRef
from bot.generation.resolve import ModelCatalog
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import Painted
from bot.store.store import Store
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from tests.stores import ready_made

PLATFORM = "test"


def png(width=64, height=96, colour="red"):
    """Return a picture file."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


class Chat:
    """A conversation with the bot. `who` and `where` are free to choose; by default all users are in the same channel."""

    def __init__(self, app, files):
        self.app = app
        self.store = app.store
        self.files = files

    async def say(self, line, who="ada", where="studio", *, moderates=False, **more):
        """Return the answer to a typed line."""
        read = read_line(line)
        who_and_where = {"caller": UserRef(PLATFORM, who, who.title(), moderates), "address": MessageRef(PLATFORM, where)}
        return await self.app.handle(Invocation(command=read.command, given={}, words=read.words, line=line, **who_and_where, **more))

    async def press(self, button, who="ada", where="studio", **more):
        """Return the answer to a pressed button."""
        wire = button if isinstance(button, str) else button.wire
        return await self.app.pressed(wire, UserRef(PLATFORM, who), MessageRef(PLATFORM, where), **more)

    async def job(self, reply):
        """Return the one job of a reply."""
        (job_id,) = reply.jobs
        return await self.store.jobs.get(job_id)

    async def appointed(self, who, **what):
        """Assign a role or a tier to a user and return their id."""
        user = await self.store.people.user(UserRef(PLATFORM, who, who.title()))
        await self.store.people.appoint(user.id, **what)
        return user.id

    async def open(self):
        """Return how many jobs of all users are queued or running in the channel."""
        jobs = await self.store.jobs.of_channel(MessageRef(PLATFORM, "studio"), 100)
        return sum(job.is_open for job in jobs)

    async def painted(self, line, who="ada", where="studio"):
        """Run a command line and finish its job with plain colours; return the job and its pictures."""
        asked = await self.job(await self.say(line, who, where))
        job = await self.store.attempts.claim("painter")
        assert job.id == asked.id
        pictures = [await self._painted(job, index) for index in range(job.request.count)]
        assert await self.store.attempts.finish(job, pictures, 1.5)
        return await self.store.jobs.get(job.id), (await self.store.pictures.of_jobs([job.id]))[job.id]

    async def _painted(self, job, index):
        width, height, seed = job.request.width, job.request.height, job.request.seed + index
        image, small = png(width, height, (seed % 256, index, 0)), png(8, 8, (seed % 256, index, 0))
        files = {"file": await self.store.files.put(image), "thumbnail": await self.store.files.put(small)}
        return Painted(index=index, seed=seed, width=width, height=height, bytes=len(image), **files)


@asynccontextmanager
async def talk(folder, commands=COMMANDS, policy=None, *, cover=False, **more):
    """Yield a conversation whose store is in a folder, under an operator's rules."""
    ready_made(folder / "easel.db")
    async with Database(f"sqlite+aiosqlite:///{folder}/easel.db") as database:
        store = Store.of(database, BlobStore(str(folder / "files")), policy, cover=cover)
        yield Chat(App(commands, store, ModelCatalog(read_catalogue([], None, WEIGHTS), "demo"), **more), folder / "files")

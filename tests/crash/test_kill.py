"""`kill -9` of all processes, while a picture is generated."""

import asyncio
import time
from contextlib import closing

import pytest
from PIL import Image

from benchmarks.chatting import PATIENCE, Served, Visitor
from bot.core.values import MessageRef
from bot.store import schema
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from tests.stores import new_job, request_of, user_of

#: `easel run` with workers that start at once; the first process of each test is killed, and has a true one.
FORKED = ("tests.forked_easel", "run")


def ended(visitor, job):
    """Return the card of a job that has ended."""
    with closing(visitor.events()) as events:
        return next(data for name, data in events if name == "card" and data["id"] == job and data["state"] not in ("waiting", "running"))


def test_what_was_accepted_is_painted_after_the_restart(tmp_path):
    """A job whose bot and worker are killed while it runs is completed after the restart and shown once, in the same channel."""
    with Served(tmp_path) as first:
        visitor = Visitor(first.port)
        visitor.enter()
        (job,) = visitor.say("/imagine a red circle on a blue background --steps 60 --count 4 --seed 7")
        with closing(visitor.events()) as events:
            next(data for name, data in events if name == "progress" and data["id"] == job)
        first.kill()

    with Served(tmp_path, FORKED) as second:
        visitor.moved(second.port)
        visitor.enter()
        card = ended(visitor, job)
        page = visitor.page()
        again = visitor.say("/queue")

    assert card["state"] == "done"
    assert card["html"].count('data-picture="') == 4
    assert page.count(f'id="job-{job}"') == 1
    assert again == []


async def leave(folder, runner):
    """Queue a job of a terminal that no longer exists."""
    async with Database(f"sqlite+aiosqlite:///{folder}/easel.db") as database:
        await schema.prepare(database)
        store = Store.of(database, BlobStore(f"{folder}/files"))
        job = new_job(
            await user_of(store, "local", "terminal"),
            address=MessageRef("terminal", str(folder), "circle.png"),
            request=request_of("a red circle", width=128, height=128),
        )
        await store.jobs.accept([job], runner)
        if runner is not None:
            await store.attempts.release([runner])


@pytest.mark.parametrize("runner", [None, "a terminal"], ids=["given back", "left behind"])
def test_what_a_terminal_left_is_painted_into_its_file(tmp_path, runner):
    """A job of a terminal that has gone is run by the next server and written to its file, even after a server released it."""
    asyncio.run(leave(tmp_path, runner))
    until, file = time.monotonic() + PATIENCE, tmp_path / "circle.png"
    with Served(tmp_path, FORKED):
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
    with Image.open(file) as image:
        assert image.size == (128, 128)

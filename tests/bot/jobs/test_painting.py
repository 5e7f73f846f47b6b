"""From an accepted job to its pictures, with the real engine and the model that ships with Easel."""

import asyncio
import os
import signal
from io import BytesIO

from PIL import Image

from bot.jobs.dispatcher import Dispatcher
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import CANCELLED, DONE
from bot.store.store import Store
from bot.store.tables.core import Base
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from tests.dispatching import Told
from tests.stores import accepted, blank, request_of, user_of


async def test_the_engine_paints_what_was_accepted(tmp_path):
    """Two jobs finish beside a third that is cancelled half way, although the worker is killed in between."""
    changed, cards = asyncio.Event(), {}

    async def show(card, _address):
        cards[card.job] = card
        changed.set()

    async def until(job, is_so):
        while job.id not in cards or not is_so(cards[job.id]):
            changed.clear()
            await changed.wait()

    with blank("sqlite", tmp_path) as url:
        async with Database(url) as database, LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS)) as engine:
            async with database.connect() as connection:
                await connection.run_sync(Base.metadata.create_all)
            store = Store.of(database, BlobStore(str(tmp_path / "files")))
            ann = await user_of(store)
            size = {"width": 128, "height": 128}
            pair = await accepted(store, ann, request=request_of("a red circle", count=2, **size))
            endless = await accepted(store, ann, request=request_of("a blue square", **size | {"steps": 60}))
            async with Dispatcher(store, engine, Told(show), ["web"]) as dispatcher:
                await until(endless, lambda card: card.progress is not None)
                assert await store.jobs.cancel(endless.id)
                await dispatcher.show(endless.id)
                await until(pair, lambda card: not card.is_open)
                killed = await accepted(store, ann, request=request_of("a green star", **size | {"steps": 60}))
                dispatcher.wake()
                await until(killed, lambda card: card.progress is not None)
                os.kill(engine.workers[0].pid, signal.SIGKILL)
                await until(killed, lambda card: not card.is_open)

            assert [cards[job.id].state for job in (pair, endless, killed)] == [DONE, CANCELLED, DONE]
            assert (await store.jobs.get(killed.id)).attempt == 2
            first, second = cards[pair.id].pictures
            assert (first.seed, second.seed) == (7, 8)
            for one in (first, second):
                image = Image.open(BytesIO(await store.files.get(one.file)))
                assert image.size == (one.width, one.height) == (128, 128)
                assert Image.open(BytesIO(await store.files.get(one.thumbnail))).format == "JPEG"
            assert first.file != second.file
            assert len(await store.finding.own(ann, "", 1, 1000)) == 3

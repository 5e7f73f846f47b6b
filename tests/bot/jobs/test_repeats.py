"""Repeats with the same seed on the real engine: identical to the last bit, or with a list of what has changed."""

import asyncio
import random
import shutil
from contextlib import asynccontextmanager
from io import BytesIO

import pytest
from PIL import Image

from bot.app import App
from bot.commands import COMMANDS
from bot.generation.resolve import ModelCatalog
from bot.jobs.dispatcher import Dispatcher
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from bot.store.tables.core import Base
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.hashing import identity_of
from inference.models.inspect import look
from inference.models.registry import ModelEntry, read_catalogue
from inference.supervisor import LocalEngine
from tests.dispatching import Told
from tests.stores import ALL
from tests.talk import PLATFORM, Chat

#: Fifty pictures in this many requests.
COUNTS = [1] * 24 + [2] * 9 + [4] * 2 if ALL else [1] * 7 + [2] * 3 + [4]


class Shop:
    """A chat with a bot with an engine, until it is closed; another can then be opened on the same store."""

    def __init__(self, store, engine):
        self._cards, self._changed = {}, asyncio.Event()
        self.dispatcher = Dispatcher(store, engine, Told(self._show), [PLATFORM], poll_seconds=0.05)
        app = App(COMMANDS, store, ModelCatalog(engine.model_infos(), "demo"), wake=self.dispatcher.wake)
        self.talk = Chat(app, None)

    async def _show(self, card, _address):
        self._cards[card.job] = card
        self._changed.set()

    async def painted(self, *lines):
        """Send lines without waiting in between, and return the last cards of their jobs when all have ended."""
        jobs = [job for line in lines for job in (await self.talk.say(line)).jobs]
        while not all(job in self._cards and not self._cards[job].is_open for job in jobs):
            self._changed.clear()
            await self._changed.wait()
        return [self._cards[job] for job in jobs]


@pytest.fixture
async def store(tmp_path):
    """Return a store."""
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/easel.db") as database:
        async with database.connect() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield Store.of(database, BlobStore(str(tmp_path / "files")))


@pytest.fixture
def shop(store, tmp_path):
    """Return a function that opens a shop with its own worker process."""

    @asynccontextmanager
    async def opened(*entries):
        settings = EngineSettings(devices=("cpu",), hashes=str(tmp_path / "hashes"))
        async with LocalEngine(settings, read_catalogue(entries, None, WEIGHTS)) as engine:
            one = Shop(store, engine)
            async with one.dispatcher:
                yield one

    return opened


def mixture(sources):
    """Return the lines of fifty pictures with mixed settings, a third of them image to image."""
    chance, model_info = random.Random(7), read_catalogue([], None, WEIGHTS)["demo"]
    lines = []
    for number, count in enumerate(COUNTS):
        width, height = (chance.randrange(64, 129, model_info.limits.multiple) for _ in range(2))
        steps, guidance = chance.randint(1, 6), chance.choice([1, 1.5, 4, 7])
        line = f"a {{red|green|blue}} {chance.choice(['circle', 'star', 'house'])} --steps {steps} --size {width}x{height} --cfg {guidance}"
        line += f" --scheduler {model_info.schedulers[number % len(model_info.schedulers)]} --count {count}"
        source = f" --image {sources[number % len(sources)]} --strength 1" if number % 3 == 0 else ""
        lines.append(line + source)
    return lines


async def test_fifty_pictures_again_after_a_restart_are_identical(shop, store):
    """Pictures with mixed settings, repeated by another process beside other requests, are identical files to the last bit."""
    async with shop() as one:
        begun = await one.painted("a red circle --seed 1 --steps 4", "a blue star --seed 2 --steps 4 --size 96x128")
        first = await one.painted(*mixture([card.pictures[0].id for card in begun]))
    sat = {picture.seats for card in first for picture in (await store.jobs.get(card.job)).evidence.painted.pictures}
    shuffled = random.Random(1).sample(first, len(first))
    async with shop() as other:
        again = await other.painted(*(f"/again {card.job} --same" for card in shuffled))
        info = {fact.name: fact.told for fact in (await other.talk.say(f"/info {again[0].pictures[0].id}")).facts}

    assert sum(len(card.pictures) for card in first) == sum(COUNTS)
    assert len(sat) > (10 if ALL else 3)
    assert {card.status.partition(" s. ")[2] for card in again} == {"Identical to the original."}
    assert [[one.file for one in card.pictures] for card in again] == [[one.file for one in card.pictures] for card in shuffled]
    assert info["comparison"] == "Identical to the original."
    assert len(info["model hash"]) == 10
    assert info["software"].startswith("torch ")
    assert info["device"].endswith(", float32")


async def test_a_changed_model_file_is_named(shop, store, tmp_path):
    """If a weights file of a model was changed, the repeat is not identical and names that file; pictures show the model's hash."""
    folder = tmp_path / "mine"
    shutil.copytree(WEIGHTS, folder)
    model = ModelEntry(name="mine", source=str(folder))
    async with shop(model) as one:
        (first,) = await one.painted("a red circle --model mine --seed 5 --steps 3 --count 2")
    written = Image.open(BytesIO(await store.files.get(first.pictures[0].file))).info["parameters"]
    made_of = identity_of(look(folder))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4096] + bytes(4096))
    async with shop(model) as other:
        (again,) = await other.painted(f"/again {first.job} --same")

    assert again.status.endswith(" s. Not identical: the model file unet/diffusion_pytorch_model.safetensors changed.")
    assert [one.seed for one in again.pictures] == [5, 6]
    assert f"Model hash: {made_of.sha256[:10]}, Model: mine" in written

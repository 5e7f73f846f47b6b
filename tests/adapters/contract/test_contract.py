"""What every platform promises, asked of each one in the registry through its own front."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from adapters.base import Adapter, Bot
from adapters.main import Router, opened, passports
from adapters.registry import REGISTRY
from bot.app import App, Offer
from bot.commands import COMMANDS
from bot.jobs.dispatcher import Dispatcher
from bot.store.store import Store
from bot.values import Address, new_id
from inference.catalogue import read_catalogue
from inference.demo import WEIGHTS
from inference.process import LocalEngine
from inference.settings import EngineSettings
from tests.adapters.contract.drivers import DRIVERS
from tests.adapters.web.chat import config, png

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL = "--size 64x64 --scheduler euler"


@dataclass(frozen=True)
class Stage:
    """A bot that runs on one platform."""

    platform: str
    adapter: Adapter
    store: Store
    dispatcher: Dispatcher

    def person(self, name):
        """Open a way for a person to talk; the same name on the same stage is the same person."""
        return DRIVERS[self.platform](self.adapter, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    async with LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS)) as started:
        yield started


@asynccontextmanager
async def staged(platform, engine, folder):
    """Give a bot with one platform."""
    settings = config(folder)
    async with opened(settings) as store:
        router = Router()
        dispatcher = Dispatcher(store, engine, router.show, (platform,))
        app = App(COMMANDS, store, Offer(passports(settings), "demo"), wake=dispatcher.wake)
        adapter = REGISTRY[platform](Bot(settings, app, dispatcher.card, dispatcher.show))
        assert adapter is not None
        async with adapter:
            router.adapters[platform] = adapter
            async with dispatcher:
                yield Stage(platform, adapter, store, dispatcher)


@pytest_asyncio.fixture(loop_scope="module", params=REGISTRY)
async def stage(request, engine, tmp_path):
    async with staged(request.param, engine, tmp_path) as opened_stage:
        yield opened_stage


@pytest.fixture
def names():
    """Names that no other test's people have."""
    return f"Ada {new_id()}", f"Bob {new_id()}"


async def test_it_says_where_it_is(stage):
    """An adapter names its platform as the registry does, and where people find it."""
    assert stage.adapter.platform == stage.platform
    assert stage.adapter.address


async def test_accepted_then_steps_then_the_result_once(stage, names):
    """A line is accepted at once, its steps are seen, and the result comes last and once."""
    async with stage.person(names[0]) as ada:
        heard = await ada.say(f"a red circle --steps 40 {SMALL}")
        (job,) = heard.jobs
        assert not heard.is_refused
        await ada.until(job, "done")
        seen = ada.seen(job)
        assert seen[-1] == "done"
        assert seen.count("done") == 1
        assert "step" in seen
        assert await ada.cards() == [job]
    assert len((await stage.store.pictures.of_jobs([job]))[job]) == 1


async def test_several_prompts_are_several_cards(stage, names):
    """Prompts between `||` are accepted together, each with a card of its own, or none of them is."""
    async with stage.person(names[0]) as ada:
        jobs = (await ada.say(f"a red circle --steps 2 {SMALL} || a blue star --steps 3 {SMALL}")).jobs
        assert len(set(jobs)) == 2
        for job in jobs:
            await ada.until(job, "done")
        refused = await ada.say("a red circle || a blue star --steps 600")
        assert refused.is_refused
        assert sorted(await ada.cards()) == sorted(jobs)


@pytest.mark.parametrize(
    "line", ["/imagin a circle", "a circle --stpes 3", "a circle --steps 600", "/queue of bread", "a" * 5_000, "/cancel x"]
)
async def test_mistakes_are_sentences(stage, names, line):
    """What is wrong is said in one sentence without a trace of the inside, and nothing is accepted."""
    async with stage.person(names[0]) as ada:
        heard = await ada.say(line)
        assert heard.is_refused
        assert not heard.jobs
        assert "Traceback" not in heard.said
        assert "pydantic" not in heard.said
        assert heard.said.endswith((".", "?"))
        assert await ada.cards() == []


async def test_a_repeated_message_is_one_job(stage, names):
    """Platforms send the same event again when an answer was lost; it stays one request."""
    async with stage.person(names[0]) as ada:
        first, second = [(await ada.say(f"a red circle --steps 2 {SMALL}", event="same")).jobs for _ in range(2)]
        assert first == second
        await ada.until(first[0], "done")
        again = [(await ada.press(f"again:{first[0]}", event="press")).jobs for _ in range(2)]
        assert again[0] == again[1] != first
        await ada.until(again[0][0], "done")
        assert len(await ada.cards()) == 2


async def test_buttons_are_for_their_person(stage, names):
    """Nobody else can press what belongs to a person, whether they guess the button or copy it."""
    async with stage.person(names[0]) as ada, stage.person(names[1]) as bob:
        (job,) = (await ada.say(f"a red circle --steps 2 {SMALL}")).jobs
        await ada.until(job, "done")
        (picture,) = (await stage.store.pictures.of_jobs([job]))[job]
        for wire in (f"delete:{picture.id}", f"info:{picture.id}", f"vary:{picture.id}", f"again:{job}", f"cancel:{job}"):
            heard = await bob.press(wire)
            assert heard.is_refused
            assert not heard.jobs
        assert ada.seen(job)[-1] == "done"
        assert bob.seen(job) == []
        assert not (await ada.press(f"delete:{picture.id}")).is_refused
    assert await stage.store.pictures.get(picture.id) is None


async def test_cancelled_while_it_runs(stage, names):
    """A job that is cancelled in the middle is seen as cancelled, and nothing comes after that."""
    async with stage.person(names[0]) as ada:
        (job,) = (await ada.say("a green tree --steps 60 --count 16")).jobs
        await ada.until(job, "running")
        assert not (await ada.press(f"cancel:{job}")).is_refused
        await ada.until(job, "cancelled")
        (after,) = (await ada.say(f"a blue star --steps 1 {SMALL}")).jobs
        await ada.until(after, "done")
        assert ada.seen(job)[-1] == "cancelled"
        assert "done" not in ada.seen(job)


async def test_a_picture_in_the_message(stage, names):
    """A picture that comes with a line is what the request starts from."""
    async with stage.person(names[0]) as ada:
        (job,) = (await ada.say(f"a blue star --steps 4 --strength 0.3 {SMALL}", picture=png("yellow"))).jobs
        await ada.until(job, "done")
        source = (await stage.store.jobs.get(job)).source
        assert await stage.store.files.get(source) == png("yellow")


async def test_showing_never_raises(stage, names):
    """Cards for places where nobody is, or that were never there, go nowhere without harm."""
    async with stage.person(names[0]) as ada:
        (job,) = (await ada.say(f"a red circle --steps 2 {SMALL}")).jobs
        await ada.until(job, "done")
        card = await stage.dispatcher.card(await stage.store.jobs.get(job))
        for place in ("nobody", "", "0", "\N{SNOWMAN}"):
            await stage.adapter.show(card, Address(stage.platform, place))


@pytest.mark.parametrize("platform", REGISTRY)
async def test_a_restart(platform, engine, tmp_path, names):
    """What was accepted before the bot ended is painted by the next one and shown in the same place, once."""
    async with staged(platform, engine, tmp_path) as before, before.person(names[0]) as ada:
        (job,) = (await ada.say("a blue boat --steps 60")).jobs
        await ada.until(job, "running")
    async with staged(platform, engine, tmp_path) as after, after.person(names[0]) as ada:
        await ada.until(job, "done")
        assert ada.seen(job).count("done") == 1
        assert await ada.cards() == [job]
        assert len((await after.store.pictures.of_jobs([job]))[job]) == 1

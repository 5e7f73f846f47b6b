"""The promises of every platform, tested for each platform in the registry through its front end."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from adapters.base import Adapter, Bot
from adapters.bootstrap import catalogue, opened
from adapters.registry import REGISTRY
from bot.app import App
from bot.commands import COMMANDS
from bot.commands.boards import board
from bot.core.process_id import runner_name
from bot.core.values import MessageRef, new_id
from bot.framework.reply import Fact, Reply
from bot.generation.resolve import COVER, ModelCatalog
from bot.i18n.translate import text
from bot.jobs.board_digests import BoardDigests
from bot.jobs.delivery import Later, OutgoingResult, Refused, Router, Sent, Unknown
from bot.jobs.dispatcher import Dispatcher
from bot.store.jobs.job import WAITING
from bot.store.store import Store
from bot.views import job_card
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from tests.adapters.contract.drivers import WORLDS
from tests.adapters.contract.talker import World
from tests.adapters.web.chat import png
from tests.asking import warmed
from tests.bot.store.sharing.test_digests import wanted
from tests.stores import init_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL = "--size 64x64 --scheduler euler"


@dataclass(frozen=True)
class Stage:
    """A bot that runs in a world."""

    world: World
    adapter: Adapter
    store: Store
    dispatcher: Dispatcher

    def user(self, name):
        """Open a conversation of a user; the same name in the same world is the same user."""
        return self.world.user(self.adapter, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    async with LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS)) as started:
        await warmed(started)
        yield started


@asynccontextmanager
async def staged(world, engine, folder, *, serving=True, commands=COMMANDS, models=lambda config: catalogue(config).models):
    """Run a bot with these commands on the platform of a world; with `serving=False`, it runs jobs but delivers nothing."""
    platform, settings = world.platform, world.config(folder)
    async with opened(settings) as store:
        router = Router()
        dispatcher = Dispatcher(store, engine, router, (platform,) if serving else ())
        app = App(commands, store, ModelCatalog(models(settings), "demo"), wake=dispatcher.wake)
        adapter = REGISTRY[platform](Bot(settings, app, dispatcher.card, dispatcher.show))
        assert adapter is not None
        async with adapter:
            router.adapters[platform] = adapter
            async with dispatcher:
                yield Stage(world, adapter, store, dispatcher)


@pytest_asyncio.fixture(loop_scope="module", params=REGISTRY)
async def world(request):
    async with WORLDS[request.param]() as opened_world:
        yield opened_world


@pytest_asyncio.fixture(loop_scope="module")
async def stage(world, engine, tmp_path):
    async with staged(world, engine, tmp_path) as opened_stage:
        yield opened_stage


@pytest.fixture
def names():
    """Return names that no other test uses."""
    return f"Ada {new_id()}", f"Bob {new_id()}"


async def test_it_says_where_it_is(stage):
    """An adapter names its platform as the registry does, and the address where users find it."""
    assert stage.adapter.platform == stage.world.platform
    assert stage.adapter.address


async def test_accepted_then_steps_then_the_result_once(stage, names):
    """A request is accepted at once, its progress is visible, and the result appears last and once."""
    async with stage.user(names[0]) as ada:
        # Long enough for a step to be shown at the update rate of any platform.
        heard = await ada.say("a red circle --steps 60 --size 256x256 --scheduler euler")
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
    """Prompts separated by `||` are accepted together, each with its own card, or refused together."""
    async with stage.user(names[0]) as ada:
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
    """A mistake is answered with one sentence without internals, and nothing is queued."""
    async with stage.user(names[0]) as ada:
        heard = await ada.say(line)
        assert heard.is_refused
        assert not heard.jobs
        assert "Traceback" not in heard.said
        assert "pydantic" not in heard.said
        assert heard.said.endswith((".", "?"))
        assert await ada.cards() == []


async def test_a_repeated_message_is_one_job(stage, names):
    """An event that a platform sends again, because an answer was lost, stays one request."""
    async with stage.user(names[0]) as ada:
        first, second = [(await ada.say(f"a red circle --steps 2 {SMALL}", event="same")).jobs for _ in range(2)]
        assert first == second
        await ada.until(first[0], "done")
        again = [(await ada.press(f"again:{first[0]}", event="press")).jobs for _ in range(2)]
        assert again[0] == again[1] != first
        await ada.until(again[0][0], "done")
        assert len(await ada.cards()) == 2


async def test_buttons_are_for_their_person(stage, names):
    """Other users cannot press a user's buttons, whether guessed or copied."""
    async with stage.user(names[0]) as ada, stage.user(names[1]) as bob:
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


async def begun(stage, job):
    """Wait until a job has left the queue: a busy machine may show no progress of it before its end."""
    async with asyncio.timeout(60.0):
        while (await stage.store.jobs.get(job)).state == WAITING:  # noqa: ASYNC110 - the store announces it to the dispatcher only
            await asyncio.sleep(0.01)


async def test_cancelled_while_it_runs(stage, names):
    """A job that is cancelled while it runs is shown as cancelled, and nothing follows."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say("a green tree --steps 60 --count 16")).jobs
        await begun(stage, job)
        assert not (await ada.press(f"cancel:{job}")).is_refused
        await ada.until(job, "cancelled")
        (after,) = (await ada.say(f"a blue star --steps 1 {SMALL}")).jobs
        await ada.until(after, "done")
        assert ada.seen(job)[-1] == "cancelled"
        assert "done" not in ada.seen(job)


async def test_a_picture_in_the_message(stage, names):
    """A picture sent with a line becomes the source of the request."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say(f"a blue star --steps 4 --strength 0.3 {SMALL}", pictures=[png("yellow")])).jobs
        await ada.until(job, "done")
        source = init_of(await stage.store.jobs.get(job))
        assert await stage.store.files.get(source) == png("yellow")


async def test_what_is_covered_is_covered_from_the_first_to_the_last(stage, names):
    """While a channel covers its pictures, previews and results are covered until pressed; before and after, pictures are open."""
    async with stage.user(names[0]) as ada:

        async def painted():
            (job,) = (await ada.say(f"a red circle --steps 20 {SMALL}")).jobs
            await ada.until(job, "done")
            return job

        before = await painted()
        channel = (await stage.store.jobs.get(before)).address
        await stage.store.settings.change(channel, {COVER: True})
        during = await painted()
        await stage.store.settings.change(channel, {}, (COVER,))
        after = await painted()
        assert ada.covered(during)
        assert all(ada.covered(during))
        assert ada.covered(before)
        assert not any(ada.covered(before) + ada.covered(after))


async def test_presets_travel_as_files(stage, names):
    """An exported preset file can be imported unchanged and used by another user; a file without presets is refused."""
    words = 'a "blue": {prompt}, \\(yes\\)\nby the sea'
    theirs = json.dumps([{"name": "keepsake", "prompt": words, "negative_prompt": "fog"}]).encode()
    async with stage.user(names[0]) as ada, stage.user(names[1]) as bob:
        assert "1 preset imported" in (await ada.say("/preset import", file=("styles.json", theirs))).said
        await ada.say("/preset export keepsake")
        name, data = await ada.handed()
        assert json.loads(data)["presets"] == [{"name": "keepsake", "prompt": words, "negative": "fog", "tags": []}]
        await bob.say("/preset_import", file=(name, data))
        (job,) = (await bob.say(f"/preset use keepsake circle --steps 2 {SMALL}")).jobs
        await bob.until(job, "done")
        assert (await stage.store.jobs.get(job)).request.prompt.text == words.replace("{prompt}", "circle")
        for broken in (png("red"), b"\xff\xfe", b"[" * 100_000, b"[" + b" " * 1_000_001 + b"]", b'[{"name": 3}]' * 2):
            heard = await bob.say("/preset import", file=("presets.json", broken))
            assert heard.is_refused
            assert "imported" not in heard.said
        assert len(await stage.store.presets.of_person((await stage.store.jobs.get(job)).user)) == 1


async def test_showing_never_raises(stage, names):
    """Showing or delivering a card in a channel without users, or in one that never existed, raises no error."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say(f"a red circle --steps 2 {SMALL}")).jobs
        await ada.until(job, "done")
        card = await stage.dispatcher.card(await stage.store.jobs.get(job))
        for channel in ("nobody", "", "0", "\N{SNOWMAN}"):
            await stage.adapter.show(card, MessageRef(stage.world.platform, channel))
            outcome = await stage.adapter.deliver(OutgoingResult(new_id(), card, MessageRef(stage.world.platform, channel)))
            assert isinstance(outcome, Sent | Later | Unknown | Refused)


async def test_something_is_said_that_nobody_asked_for(stage, names):
    """A post appears in the conversation without mentioning any user, and its buttons work."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say(f"a red circle --steps 2 {SMALL}")).jobs
        await ada.until(job, "done")
        (picture,) = (await stage.store.pictures.of_jobs([job]))[job]
        buttons = (board.button("button-board", order="new"),)
        facts = (Fact("1", "hello @everyone <b>of you</b>"),)
        reply = Reply(text="This came by itself", facts=facts, pictures=(job_card.shown(picture),), buttons=buttons)
        outcome = await stage.adapter.post((await stage.store.jobs.get(job)).address, reply, new_id())
        assert isinstance(outcome, Sent)
        assert outcome.message
        assert "of you" in await ada.hears("This came by itself")
        assert text("board-none") in (await ada.press(buttons[0].wire)).said
        assert await ada.cards() == [job]


async def test_posting_never_raises(stage, names):
    """A post to a channel without users, or to one that never existed, raises no error and reports its outcome."""
    async with stage.user(names[0]):
        for channel in ("nobody", "", "0", "\N{SNOWMAN}"):
            outcome = await stage.adapter.post(MessageRef(stage.world.platform, channel), Reply(text="Hello"), new_id())
            assert isinstance(outcome, Sent | Refused)


async def test_a_digest_comes_where_it_was_asked_for(stage, names):
    """A digest that is switched on in a conversation is posted there once when a week is over."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say(f"a red circle --steps 2 {SMALL}")).jobs
        await ada.until(job, "done")
        (picture,) = (await stage.store.pictures.of_jobs([job]))[job]
        await ada.press(f"share::{picture.id}")
        await ada.press("digest:on")
        one = await stage.store.digests.of((await stage.store.jobs.get(job)).address)
        assert one.user == picture.user
        await wanted(stage.store, one.address, one.user, weeks=1.01)
        telling = BoardDigests(stage.store, stage.adapter, [stage.world.platform])
        assert [await telling.look(), await telling.look()] == [1, 0]
        assert "a red circle" in await ada.hears("One new item")


async def until_told(stage, job, state="sent"):
    """Wait until a job's delivery is in a state, and return it."""
    for _ in range(2000):
        if (delivery := await stage.store.outbox.of_job(job)) is not None and delivery.state == state:
            return delivery
        await asyncio.sleep(0.02)
    return pytest.fail(f"the delivery never was {state}")


async def test_a_result_that_is_delivered_again_is_there_once(stage, names):
    """A repeated delivery shows nothing twice, and reports a result that arrived as sent or unknown."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say(f"a red circle --steps 2 {SMALL}")).jobs
        await ada.until(job, "done")
        delivery = await until_told(stage, job)
        kept = await stage.store.jobs.get(job)
        for attempt in (2, 3):
            outgoing = OutgoingResult(delivery.id, await stage.dispatcher.card(kept), kept.address, attempt, unsure=True)
            assert isinstance(await stage.adapter.deliver(outgoing), Sent | Unknown)
        assert await ada.cards() == [job]


async def test_a_result_waits_for_its_platform(world, engine, tmp_path, names):
    """A result that was ready while no process served the platform, or in delivery when its process died, arrives later and once."""
    async with staged(world, engine, tmp_path, serving=False) as before, before.user(names[0]) as ada:
        first, second = (await ada.say(f"a red circle --steps 2 {SMALL} || a blue star --steps 2 {SMALL}")).jobs
        assert {(await until_told(before, job, "todo")).attempt for job in (first, second)} == {0}
        (sending,) = await before.store.outbox.claim(f"{runner_name().split('/')[0]}/{2**22 + 1}/1/x", [world.platform], 1)
    async with staged(world, engine, tmp_path) as after, after.user(names[0]) as ada:
        for job in (first, second):
            assert (await until_told(after, job)).unsure == (job == sending.job)
        assert sorted(await ada.cards()) == sorted((first, second))


async def test_a_restart(world, engine, tmp_path, names):
    """A job that was accepted before the bot stopped is run by the next bot and shown once in the same place."""
    async with staged(world, engine, tmp_path) as before, before.user(names[0]) as ada:
        (job,) = (await ada.say("a blue boat --steps 60")).jobs
        await begun(before, job)
    async with staged(world, engine, tmp_path) as after, after.user(names[0]) as ada:
        await ada.until(job, "done")
        assert ada.seen(job).count("done") == 1
        assert await ada.cards() == [job]
        assert len((await after.store.pictures.of_jobs([job]))[job]) == 1

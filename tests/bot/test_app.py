"""The app: from an invocation to accepted jobs, on a real store."""

import asyncio
from typing import Annotated

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as given_by
from hypothesis import strategies as st
from pydantic import Field

from bot.commands import COMMANDS, reference
from bot.core.errors import BadInput, BotError, NotAllowed
from bot.core.values import Invocation, MessageRef, UserRef
from bot.framework.binding import bind
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Reply
from bot.generation.fields import GenerationParams
from bot.i18n.translate import tell
from bot.store.images.blobs import KEY
from inference.contract.errors import BadPicture, InferenceError
from tests.stores import init_of, tries
from tests.talk import PLATFORM, png, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


async def test_accepted_is_kept(bot):
    """A prompt becomes a waiting job with its user, its channel, the typed line, and a complete request."""
    line = "a red circle --steps 9 --seed 3 --no fog"
    job = await bot.job(await bot.say(line))
    assert (job.state, job.line, job.address) == ("waiting", line, MessageRef(PLATFORM, "studio"))
    assert (job.request.prompt.text, job.request.negative.text, job.request.steps, job.request.seed) == ("a red circle", "fog", 9, 3)
    assert job.request.share == job.user
    assert GenerationParams.model_validate_json(job.params) == GenerationParams(prompt="a red circle", steps=9, seed=3, negative="fog")


async def test_several_prompts_are_several_jobs(bot):
    """Each prompt between `||` is a separate job with its own flags, in order."""
    reply = await bot.say("a red circle --seed 1 || a blue square --seed 2")
    jobs = [await bot.store.jobs.get(job_id) for job_id in reply.jobs]
    assert [(job.request.prompt.text, job.request.seed) for job in jobs] == [("a red circle", 1), ("a blue square", 2)]


@pytest.mark.parametrize("last", ["a cat --steps 900", "a cat --size 1x1", "a cat --model nobody", "a <lora:fine:1> cat"])
async def test_of_several_prompts_all_are_accepted_or_none(bot, last):
    """If one of several prompts cannot be generated, none is accepted, wherever the mistake is found."""
    with pytest.raises((BadInput, InferenceError)):
        await bot.say(f"a red circle || {last}", pictures=(png(),))
    assert await bot.open() == 0
    assert not bot.files.exists() or not list(bot.files.rglob("*.*"))


async def test_a_repeat_is_harmless(bot):
    """The same key of a user gives the same jobs, also concurrently; the same key of another user is another key."""
    first = await bot.say("a red circle || a dog", key="k")
    again = await asyncio.gather(*(bot.say("a red circle || a dog", key="k") for _ in range(5)))
    assert {one.jobs for one in again} == {first.jobs}
    assert (await bot.say("a red circle || a dog", who="bob", key="k")).jobs != first.jobs
    assert await bot.open() == 4


async def test_attached_pictures_are_kept_and_start_from(bot):
    """An attached picture is stored once it is needed, gives its shape, and its key is in the job."""
    job = await bot.job(await bot.say("a red circle --strength 0.5", pictures=(png(64, 128),)))
    assert await bot.store.files.get(init_of(job)) == png(64, 128)
    assert job.request.height > job.request.width
    assert (job.request.inputs, job.request.strength) == ((), 0.5)


async def test_pictures_are_named_by_id(bot):
    """The id of a user's own picture is accepted as a source; that of another user's picture is unknown."""
    _, (picture,) = await bot.painted("a red circle")
    job = await bot.job(await bot.say(f"a blue square --image {picture.id}"))
    assert init_of(job) == picture.file
    with pytest.raises(BadInput, match="input-picture-unknown"):
        await bot.say(f"a blue square --image {picture.id}", who="bob")


async def test_file_keys_are_no_way_in(bot):
    """A file's key in the store is not accepted as a source, neither in a line nor in a forged button."""
    job, (picture,) = await bot.painted("a red circle")
    assert KEY.fullmatch(picture.file)
    for attempt in (bot.say(f"a dog --image {picture.file}", who="bob"), bot.press(f"imagine:a dog::{picture.file}", who="bob")):
        with pytest.raises(BadInput, match="input-picture-unknown"):
            await attempt
    assert await bot.open() == 0
    assert job.user


async def test_links_are_fetched_where_that_is_allowed(tmp_path):
    """A link in the prompt or in a flag is fetched with the bot's fetcher, and must lead to a picture."""
    asked = []

    async def fetch(link):
        asked.append(link)
        return png(64, 64) if link.endswith("png") else b"<html>"

    async with talk(tmp_path, fetch=fetch) as bot:
        one = await bot.job(await bot.say("a dog {image:https://example.com/a.png}"))
        other = await bot.job(await bot.say("a dog --image https://example.com/b.png"))
        assert init_of(one) == init_of(other) is not None
        again = await bot.job(await bot.press(f"again:{one.id}"))
        assert init_of(again) == init_of(one)
        assert asked == ["https://example.com/a.png", "https://example.com/b.png"]
        with pytest.raises(BadPicture):
            await bot.say("a dog --image https://example.com/page")


#: Known kinds of bad input, and other common mistakes.
BAD = [
    ("/imagin a dog", {}, "There is no command /imagin; did you mean /imagine?"),
    ("/qqqqqq", {}, "There is no command /qqqqqq. /help lists all commands."),
    ("a dog --step 3", {}, "There is no flag --step; did you mean --steps? To use it as plain text, write \\--step."),
    ("a dog --steps 3 --steps 4", {}, "--steps is given twice. Give it once."),
    ("a dog --no fog --negative rain", {}, "--negative is given twice. Give it once."),
    ("", {}, "The prompt is empty. Describe what the picture should show."),
    ("/imagine", {}, "The prompt is empty. Describe what the picture should show."),
    ("/imagine --steps 3", {}, "/imagine needs a value for prompt: What the picture should show."),
    ("a dog --prompt a cat", {}, "prompt is given twice. Give it once."),
    ("x" * 100_000, {}, "A message can have at most 4000 characters; this one has 100000."),
    ("x" * 2_001, {}, "A prompt can have at most 2000 characters; this one has 2001."),
    ("a||" * 9, {}, "One message can have at most 8 prompts, separated by ||; this one has 9."),
    ("/queue now", {}, "/queue takes no text; you wrote now."),
    ("/queue", {"pictures": (png(),)}, "/queue doesn't take a picture. Leave it out, or use /imagine to start from the picture."),
    ("/info abc", {"pictures": (png(),)}, "/info doesn't take a picture. Leave it out, or use /imagine to start from the picture."),
    ("a dog --image abc", {"pictures": (png(),)}, "image is given twice. Give it once."),
    ("a dog", {"pictures": (b"<svg/>",)}, "That file is not a supported picture. Use PNG, JPEG, WEBP."),
    ("a dog {image}", {}, "The prompt contains {image}, but there is no picture. Attach one, or write {image:LINK}."),
    ("a dog {image:https://example.com/a.png}", {}, "Easel doesn't open links here. Attach the picture instead."),
    (
        "a dog --strength 0.3",
        {},
        "Strength only works with a picture to start from. Add a picture, or leave strength out.",
    ),
    ("a dog --steps 600", {}, "steps must be from 1 to 60; you wrote 600."),
    ("a dog --model demmo", {}, "There is no model demmo; did you mean demo?"),
    ("/again nowhere", {}, "That job doesn't exist, or you don't have access to it."),
    ("/info nowhere", {}, "That picture doesn't exist, or you don't have access to it."),
    ("/again", {}, "/again needs a value for job: Job id; the buttons below a picture fill it in."),
]


@pytest.mark.parametrize(("line", "more", "sentence"), BAD, ids=[sentence[:50] + line[:20] for line, _, sentence in BAD])
async def test_bad_input_is_one_clear_sentence(bot, line, more, sentence):
    """Bad input is refused with one sentence that gives the valid input, and nothing is accepted."""
    with pytest.raises((BotError, InferenceError)) as refused:
        await bot.say(line, **more)
    assert tell(refused.value.problem) == sentence
    assert await bot.open() == 0


async def test_values_of_a_form_and_flags_go_together(bot):
    """Named values of a form and flags in its text form one request, unless they contradict."""
    call = {"caller": UserRef(PLATFORM, "ada"), "address": MessageRef(PLATFORM, "studio")}
    reply = await bot.app.handle(Invocation(command="imagine", given={"prompt": "a dog --seed 5", "steps": 7, "negative": ""}, **call))
    job = await bot.job(reply)
    assert (job.request.seed, job.request.steps) == (5, 7)
    with pytest.raises(BadInput, match="input-twice"):
        await bot.app.handle(Invocation(command="imagine", given={"prompt": "a dog --steps 5", "steps": 7}, **call))
    with pytest.raises(BadInput, match="input-two-pictures"):
        await bot.app.handle(Invocation(command="imagine", given={"prompt": "a dog", "image": png()}, pictures=(png(),), **call))


@pytest.mark.parametrize(
    "wire", ["", ":", "nothing", "nothing:1", "again", "again:", "again:a:b:c:d", "imagine:a dog:::::900", "again:\x00\ud800"]
)
async def test_presses_that_no_button_makes(bot, wire):
    """A press that no button produces is refused like any other mistake."""
    with pytest.raises((BadInput, NotAllowed)):
        await bot.press(wire)


async def test_ids_are_not_read_as_flags(bot):
    """The values of a button are taken literally, even if a line would parse them differently."""
    with pytest.raises(NotAllowed, match="denied-job"):
        await bot.press("again:--same")


async def test_work_is_announced_when_there_is_some(tmp_path):
    """The dispatcher is woken by accepted and cancelled jobs, and not by queries."""
    calls = []
    async with talk(tmp_path, wake=lambda: calls.append(1)) as bot:
        await bot.say("/help")
        assert not calls
        reply = await bot.say("a red circle")
        await bot.say(f"/cancel {reply.jobs[0]}")
        assert len(calls) == 2


async def test_texts_that_no_database_takes(bot):
    """NUL and lone surrogates are left out of stored texts."""
    reply = await bot.app.handle(
        Invocation(
            command="imagine",
            given={"prompt": "a red\x00 circle\ud800"},
            caller=UserRef(PLATFORM, "ada", "A\x00da"),
            address=MessageRef(PLATFORM, "studio"),
            line="a red\x00 circle\ud800",
        )
    )
    job = await bot.job(reply)
    assert job.line == job.request.prompt.text == "a red circle"


def test_suggestions_come_from_what_is_on_offer(bot):
    """Suggestions for a typed value list values that begin with it first, then values that contain it."""
    params = {one.name: one for one in COMMANDS[0].params}
    assert bot.app.suggestions(params["model"], "DE") == ("demo",)
    offered = bot.app.suggestions(params["scheduler"], "a")
    assert "euler a" in offered
    assert [name.startswith("a") for name in offered] == sorted((name.startswith("a") for name in offered), reverse=True)
    assert bot.app.suggestions(params["steps"], "") == ()


class Greet(Params):
    """Whom to greet."""

    words: Annotated[str, Field(description="Whom to greet")]
    times: Annotated[int | None, Field(ge=1, le=3, description="How often")] = None


@command
async def greet(ctx, want: Greet) -> Reply:
    """Greet somebody."""
    assert ctx.user.id
    return Reply(text=" ".join([f"Hello {want.words}."] * (want.times or 1)))


async def test_a_new_command_needs_nothing_else(tmp_path):
    """A new command needs one class, one function and one list entry to be in help, text syntax, suggestions and documentation."""
    commands = (*COMMANDS, greet)
    async with talk(tmp_path, commands=commands) as bot:
        assert (await bot.say("/greet Ada --times 2")).text == "Hello Ada. Hello Ada."
        with pytest.raises(BadInput, match="input-range"):
            await bot.say("/greet Ada --times 9")
        assert "/greet" in {fact.name for fact in (await bot.say("/help")).facts}
        assert "How often · 1 to 3" in {fact.told for fact in (await bot.say("/help greet")).facts}
        assert bot.app.suggestions(bot.app.find("help").params[0], "gre") == ("greet",)
    page = reference.page(commands)
    assert "| [`/greet`](#greet) | Greet somebody. |" in page
    assert "| `--times …` | How often · 1 to 3 |" in page
    assert page.replace(reference.page(COMMANDS), "") == page
    assert bind(greet, {"words": "Ada"}) == Greet(words="Ada")


@given_by(line=st.text(max_size=80) | st.from_regex(r"(/[a-z]{4,8} )?([a-c{}()|<>\\:-]| --(no|n|same|image|page) ){0,20}", fullmatch=True))
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_line_does_more_than_be_refused(tmp_path_factory, line):
    """Any typed line gets a reply or is refused with a sentence."""
    async with talk(tmp_path_factory.mktemp("line")) as bot:
        told = []
        try:
            await bot.say(line)
        except (BotError, InferenceError) as refused:
            told.append(tell(refused.problem))
        assert not any("Something went wrong (" in sentence for sentence in told)

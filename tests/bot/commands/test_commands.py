"""The effects of each command, on a real store."""

from pathlib import Path

import msgspec
import pytest

from bot.commands import COMMANDS, reference
from bot.core.errors import BadInput, NotAllowed
from bot.core.values import First, JobProvenance, MessageRef
from bot.generation.fields import GenerationParams
from bot.views import job_card
from inference.contract.provenance import ImageProvenance, Provenance
from tests.stores import init_of, painted
from tests.talk import PLATFORM, png, talk

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def told(reply):
    """Return the facts of a reply by name."""
    return {fact.name: fact.told for fact in reply.facts}


async def test_words_that_the_model_does_not_know_are_mentioned(bot):
    """Unknown words do not stop the request, and the reply names the words that the model does not know."""
    reply = await bot.say("a red unicorn (-fog)")
    assert "doesn't know the words unicorn, fog" in reply.text
    assert reply.jobs
    assert (await bot.say("a red circle")).text == ""


async def test_again_paints_the_same_wish_with_another_seed(bot):
    """Again keeps all params of the request, with a new seed unless the same seed is wanted."""
    job, _ = await bot.painted("a {red|green|blue} circle --steps 3 --size 128x64 --seed 9")
    again = await bot.job(await bot.say(f"/again {job.id}"))
    same = await bot.job(await bot.say(f"/again {job.id} --same"))
    assert again.request.seed != 9
    assert (again.request.steps, again.request.width) == (3, 128)
    assert same.request == job.request


async def test_the_same_again_is_what_was_painted_whatever_is_usual_now(bot):
    """A repeat uses the values of the first request even if the model's defaults have changed, and keeps its params."""
    job, _ = await bot.painted("a {red|green|blue} circle")
    model_info = bot.app.offer.model_info("demo")
    usual = msgspec.structs.replace(model_info.defaults, steps=3, guidance=1.5, scheduler="ddim", width=64)
    bot.app.offer.model_infos["demo"] = msgspec.structs.replace(model_info, defaults=usual)
    same = await bot.job(await bot.say(f"/again {job.id} --same"))
    other = await bot.job(await bot.say(f"/again {same.id}"))
    assert same.request == job.request
    assert other.request.steps == 3
    assert same.evidence.first == First()


async def test_a_repeat_sits_where_the_first_sat_and_is_compared(bot):
    """A repeat requests the batch slots of the first and stores both provenances; its card and its facts compare them."""
    asked = await bot.job(await bot.say("a red circle --count 2 --seed 9"))
    proof = Provenance(
        model="ab" * 32, device="cpu", dtype="float32", pictures=(ImageProvenance("red", "2.0x4"), ImageProvenance("blue", "8.4x4"))
    )
    job = await bot.store.attempts.claim("painter")
    pictures = [painted(index, file=f"{index}.png") for index in range(2)]
    assert await bot.store.attempts.finish(job, pictures, 1.0, proof)
    same = await bot.job(await bot.say(f"/again {asked.id} --same", who="bob"))
    assert same.request.seats == ("2.0x4", "8.4x4")
    assert await bot.store.attempts.finish(await bot.store.attempts.claim("painter"), pictures, 1.0, proof)
    done = await bot.store.jobs.get(same.id)
    kept = (await bot.store.pictures.of_jobs([done.id]))[done.id]
    assert done.evidence == JobProvenance(proof, First(proof))
    assert job_card.job_view(done, kept).status.endswith(" s. Identical to the original.")
    facts = told(await bot.say(f"/info {kept[0].id}", who="bob"))
    assert (facts["model hash"], facts["device"], facts["comparison"]) == ("ababababab", "cpu, float32", "Identical to the original.")


async def test_again_is_for_the_place(bot):
    """Everyone in a channel can repeat the pictures shown there for themselves, and users elsewhere cannot."""
    job, (picture,) = await bot.painted("a red circle")
    theirs = await bot.job(await bot.say(f"/again {job.id}", who="bob"))
    assert theirs.user != job.user
    for line in (f"/again {job.id}", f"/vary {picture.id}", f"/info {picture.id}"):
        with pytest.raises(NotAllowed):
            await bot.say(line, who="bob", where="elsewhere")
    assert await bot.say(f"/info {picture.id}", where="elsewhere")


async def test_vary_starts_from_the_picture(bot):
    """A variation starts from the picture and has its size, a new seed, and the drawn alternatives and negative prompt of the original."""
    job, pictures = await bot.painted("a {red|green|blue} circle (-a dog) --no fog --seed 9 --count 2 --size 128x64")
    varied = await bot.job(await bot.say(f"/vary {pictures[1].id}"))
    assert init_of(varied) == pictures[1].file
    assert varied.request.prompt.text == job.request.prompt.text
    assert varied.request.negative.text == "fog, a dog"
    assert (varied.request.width, varied.request.height, varied.request.count) == (128, 64, 1)
    assert varied.request.seed != 10
    assert varied.request.strength == 0.55
    params = GenerationParams.model_validate_json(varied.params)
    assert "{" not in params.prompt


@pytest.mark.parametrize("steps", [1, 2, 3, 60])
async def test_vary_paints_something_whatever_the_steps(bot, steps):
    """A picture of few steps can be varied too: the strength is high enough for at least one step."""
    _, (picture,) = await bot.painted(f"a red circle --steps {steps}")
    varied = (await bot.job(await bot.say(f"/vary {picture.id}"))).request
    assert int(varied.steps * varied.strength) >= 1


async def test_info_tells_all_settings(bot):
    """Info lists every setting that made a picture, and no setting that did not apply."""
    _, (picture,) = await bot.painted("a (red:1.2) circle (-fog) --steps 9 --seed 4294967295 --size 128x64 --cfg 2.5")
    reply = await bot.say(f"/info {picture.id}")
    facts = told(reply)
    assert (
        facts.items()
        >= {
            "prompt": "a (red:1.2) circle",
            "negative": "fog",
            "model": "demo",
            "size": "128 × 64",
            "seed": "4294967295",
            "steps": "9",
            "guidance": "2.5",
            "id": picture.id,
        }.items()
    )
    assert facts["painted"].endswith("UTC")
    assert "strength" not in facts
    assert [one.id for one in reply.pictures] == [picture.id]


async def test_delete_is_for_owners(bot):
    """Only the owner can delete a picture; then it and its files are gone from the store, and its card is shown again."""
    job, (picture,) = await bot.painted("a red circle")
    with pytest.raises(NotAllowed):
        await bot.say(f"/delete {picture.id}", who="bob")
    reply = await bot.say(f"/delete {picture.id}")
    assert reply.refresh == (job.id,)
    assert reply.text == "Deleted: a red circle"
    assert await bot.store.pictures.get(picture.id) is None
    for file in (picture.file, picture.thumbnail):
        with pytest.raises(FileNotFoundError):
            await bot.store.files.get(file)
    with pytest.raises(NotAllowed):
        await bot.say(f"/delete {picture.id}")


async def test_delete_keeps_files_that_others_need(bot):
    """A file that another picture or request uses stays until neither needs it."""
    _, (one,) = await bot.painted("a red circle --seed 1 --size 64x64")
    _, (other,) = await bot.painted("a red circle --seed 1 --size 64x64")
    assert one.file == other.file
    await bot.say(f"/delete {one.id}")
    assert await bot.store.files.get(one.file)
    await bot.say(f"/vary {other.id}")
    await bot.say(f"/delete {other.id}")
    assert await bot.store.files.get(one.file)


async def test_a_deleted_source_is_said(bot):
    """A request whose source file is gone is refused with a clear sentence."""
    _, (picture,) = await bot.painted("a red circle")
    job, _ = await bot.painted(f"a dog --image {picture.id}")
    await bot.store.files.delete(picture.file)
    with pytest.raises(BadInput, match="input-picture-gone"):
        await bot.say(f"/again {job.id}")


async def test_queue_shows_one_s_own(bot):
    """The queue lists the user's own open jobs with their positions, each with a button to cancel it."""
    assert (await bot.say("/queue")).text == "You have no queued or running jobs."
    await bot.say("a cat", who="bob")
    await bot.say("a red circle || a blue square")
    reply = await bot.say("/queue")
    assert reply.text == "You have 2 queued or running jobs."
    assert told(reply) == {"a red circle": "2nd in queue, about 1 s", "a blue square": "3rd in queue, about 1 s"}
    await bot.press(reply.buttons[0])
    assert told(await bot.say("/queue")) == {"a blue square": "2nd in queue, about 1 s"}
    await bot.store.attempts.claim("painter")
    assert "painting" in {*told(await bot.say("/queue", who="bob")).values(), *told(await bot.say("/queue")).values()}


async def test_cancel_is_for_owners(bot):
    """Only the owner can cancel a request, and an ended request cannot be cancelled."""
    job = await bot.job(await bot.say("a red circle"))
    with pytest.raises(NotAllowed):
        await bot.say(f"/cancel {job.id}", who="bob")
    reply = await bot.say(f"/cancel {job.id}")
    assert (reply.text, reply.refresh) == ("Cancelled: a red circle", (job.id,))
    assert (await bot.store.jobs.get(job.id)).state == "cancelled"
    late = await bot.say(f"/cancel {job.id}")
    assert "already ended" in late.text
    assert [one.wire for one in late.buttons] == [f"again:{job.id}"]


async def test_history_page_by_page(bot):
    """History shows the user's own pictures, newest first, ten per page, with a button for the next page."""
    assert "no pictures yet" in (await bot.say("/history")).text
    await bot.painted("a cat", who="bob")
    await bot.painted("a red circle --seed 100 --size 64x64")
    await bot.painted("a blue square --count 13 --seed 1 --size 64x64")
    first = await bot.say("/history")
    assert first.text == "1 to 10 of 14 pictures."
    assert len(first.pictures) == 10
    second = await bot.press(first.buttons[0])
    assert second.text == "11 to 14 of 14 pictures."
    assert second.buttons == ()
    assert {one.id for one in first.pictures}.isdisjoint(one.id for one in second.pictures)
    assert second.pictures[-1].words == "a red circle"
    assert "no page 3" in (await bot.say("/history --page 3")).text


async def test_history_finds_words(bot):
    """History searches for all given words as plain text, and its page buttons carry the words if there is room."""
    await bot.painted("a red circle: 100%_ --size 64x64 --count 13")
    await bot.painted("a blue square --size 64x64")
    found = await bot.say("/history CIRCLE: 100%_")
    assert found.text == "1 to 10 of 13 pictures matching “CIRCLE: 100%_”."
    assert (await bot.press(found.buttons[0])).text == "11 to 13 of 13 pictures matching “CIRCLE: 100%_”."
    assert (await bot.say("/history circle blue")).text == "None of your pictures has “circle blue” in its prompt."
    long = await bot.say(f"/history {'circle ' * 9}red")
    assert long.buttons == ()
    assert "/history circle circle" in long.text
    assert long.text.endswith("--page 2")


async def test_explain_tells_how_it_is_read(bot):
    """Explain shows the weighted prompt, the negative prompt, the drawn alternatives, each setting with its origin, and the cost."""
    reply = await bot.say("/explain a (red:1.3) {circle|square} BREAK a dog (-fog) --steps 20 --ar 16:9 --seed 3 --n 2")
    facts = told(reply)
    drawn = facts["picked"]
    assert drawn in ("circle", "square")
    assert facts["prompt"] == f"a · red (weight 1.3) · {drawn} | then | a dog"
    assert facts["negative"] == "fog"
    assert facts["steps"] == "20 (set by you)"
    assert facts["model"] == "demo (model default)"
    assert facts["size"].endswith("(set by you)")
    assert (facts["seed"], facts["pictures"]) == ("3 (set by you)", "2 (set by you)")
    assert facts["cost"].startswith("0.")
    assert facts["cost"].endswith(" credits, about 1 s")
    assert "doesn't know the words dog, fog" in reply.text
    assert "Nothing is painted yet" in reply.text
    assert await bot.open() == 0


async def test_explain_tells_what_is_not_given(bot):
    """Explain shows a value that was not given as random or as the model's default."""
    facts = told(await bot.say("/explain a {red|blue} circle"))
    assert facts["picked"].endswith("(random; set --seed to repeat)")
    assert facts["seed"] == "random"
    assert facts["scheduler"].endswith("(model default)")
    assert "strength" not in facts


async def test_explain_tells_what_is_refused(bot):
    """Explain shows what is wrong with a request that would be refused, with its parsed prompt; several prompts are explained in turn."""
    reply = await bot.say("/explain a (red:2) circle --size 1x1 || a dog")
    assert reply.text.startswith("This can't be painted: width must be from 64")
    assert [fact.told for fact in reply.facts if fact.name == "prompt"] == ["a · red (weight 2) · circle", "a dog"]


async def test_explain_keeps_nothing(bot):
    """Explain does not store a picture that is sent with it."""
    facts = told(await bot.say("/explain a dog --strength 0.4", pictures=(png(64, 128),)))
    assert facts["size"].endswith("(from your picture)")
    assert facts["strength"] == "0.4 (set by you)"
    assert not bot.files.exists()


async def test_help_lists_every_command(bot):
    """Help lists each command with its help line; with a name, with or without its slash, it shows all about that command."""
    listed = told(await bot.say("/help"))
    assert list(listed) == ["/" + one.name for one in COMMANDS if not one.hidden]
    assert listed["/imagine"] == "Paint a picture from a description."
    one = await bot.say("/help /imagine")
    assert one.text == "/imagine <prompt> [--flag …]: Paint a picture from a description."
    facts = told(one)
    assert facts["--steps …"] == "Denoising steps; more take longer · 1 to 60"
    assert facts["--negative …"] == "What the picture should not show · also --no"
    assert facts["--model …"] == "Which model · such as demo"
    with pytest.raises(BadInput, match="nearest=imagine"):
        await bot.say("/help imagin")


async def test_every_answer_can_be_refreshed(bot):
    """Every job that a reply asks to refresh exists."""
    job, (picture,) = await bot.painted("a red circle")
    for line in (f"/delete {picture.id}", f"/cancel {job.id}"):
        for changed in (await bot.say(line)).refresh:
            assert (await bot.store.jobs.get(changed)).address == MessageRef(PLATFORM, "studio")


def test_the_reference_is_current():
    """docs/commands.md matches the declarations; to update it, run: python -m bot.commands.reference > docs/commands.md"""
    written = (ROOT / reference.FILE).read_text(encoding="utf-8")
    assert written == reference.page(), f"{reference.FILE} is stale; type: python -m bot.commands.reference > {reference.FILE}"

"""Forms: their fields, and the params made from submitted values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.generate import again, edit, imagine
from bot.core.errors import BadInput, NotAllowed
from bot.core.values import MessageRef
from bot.framework import forms
from bot.framework.params import DeclarationError
from bot.generation.fields import GenerationParams
from bot.i18n.translate import tell
from inference.contract.errors import BadPicture
from tests.stores import init_of
from tests.talk import png, talk

LINE = "a {red|green} circle --no fog --size 128x64 --steps 3 --seed 9 --cfg 2.5"


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


async def asked(bot, job, **more):
    """Press Edit… of a job and return the values of the form's fields."""
    form = (await bot.press(edit.wire(job=job.id), **more)).form
    return form, {field.param.name: field.value for field in form.fields}


async def sent(bot, job, changes, **more):
    """Submit the form of a job as platforms do, with every field, and return the params of the new job."""
    form, values = await asked(bot, job)
    reply = await bot.press(form.wire, filled={**values, "image": b"", **changes}, **more)
    return GenerationParams.model_validate_json((await bot.job(reply)).params)


async def test_a_form_has_what_was_asked_for(bot):
    """Edit… shows the values of the request, empty if the model chose, and offers shapes; no job starts yet."""
    job, _ = await bot.painted(LINE)
    form, values = await asked(bot, job)
    assert values == {"prompt": "a {red|green} circle", "negative": "fog", "size": "128x64", "steps": "3", "image": ""}
    assert form.wire == f"edit:{job.id}"
    assert {field.param.name: field.offered for field in form.fields if field.offered} == {"size": edit_shapes(bot)}
    plain, _ = await bot.painted("a red circle")
    assert (await asked(bot, plain))[1] == {"prompt": "a red circle", "negative": "", "size": "", "steps": "", "image": ""}
    assert await bot.open() == 0


def edit_shapes(bot):
    """Return the shapes offered for the size."""
    return bot.app.suggestions(edit.param("size"), "")


async def test_changes_are_laid_over_the_wish(bot):
    """Changed fields change, and everything else stays, including params that the form does not show."""
    job, _ = await bot.painted(LINE)
    before = GenerationParams.model_validate_json(job.params)
    after = await sent(bot, job, {"prompt": "a blue square", "steps": "5"})
    assert after == before.model_copy(update={"prompt": "a blue square", "steps": 5})
    assert await sent(bot, job, {}) == before


async def test_an_emptied_field_is_left_to_the_model(bot):
    """A field that is empty or blank is left to the model."""
    job, _ = await bot.painted(LINE)
    before = GenerationParams.model_validate_json(job.params)
    after = await sent(bot, job, {"negative": "", "size": " \n", "steps": ""})
    assert after == before.model_copy(update={"negative": None, "size": None, "steps": None})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompt": ""}, "The prompt is empty. Describe what the picture should show."),
        ({"prompt": " \n "}, "The prompt is empty. Describe what the picture should show."),
        ({"steps": "600"}, "steps must be from 1 to 60; you wrote 600."),
        ({"steps": "many"}, "steps must be a whole number from 1 to 60; you wrote many."),
        ({"size": "large"}, "Write a size like 768x512; you wrote large."),
        ({"prompt": "a" * 5_000}, "prompt can have at most 4000 characters; yours has 5000."),
        ({"colour": "red"}, "That button is from another version of Easel. Type the command instead."),
    ],
)
async def test_mistakes_in_a_form_are_told(bot, changes, told):
    """A form that cannot be generated is refused with one sentence, and no job starts."""
    job, _ = await bot.painted(LINE)
    with pytest.raises(BadInput) as refused:
        await sent(bot, job, changes)
    assert tell(refused.value.problem) == told
    assert await bot.open() == 0


async def test_a_picture_replaces_the_source(bot):
    """An attached picture becomes the new source; without an attachment the old source stays."""
    job = await bot.job(await bot.say("a boat --strength 0.5", pictures=(png(64, 96, "red"),)))
    assert (await asked(bot, job))[1]["image"] == init_of(job)
    for brought in ({"image": b""}, {"image": ""}):
        assert (await sent(bot, job, brought)).image == init_of(job)
    other = await sent(bot, job, {"image": png(64, 96, "blue")})
    assert await bot.store.files.get(other.image) == png(64, 96, "blue")
    assert other.strength == 0.5
    with pytest.raises(BadPicture):
        await sent(bot, job, {"image": b"<svg/>"})


async def test_another_link_is_another_source(tmp_path):
    """A changed link in the prompt is fetched, a removed link is dropped, and an unchanged link is not fetched again."""
    fetched = []

    async def fetch(link):
        fetched.append(link)
        return png(64, 64, "red" if "one" in link else "blue")

    async with talk(tmp_path, fetch=fetch) as bot:
        job = await bot.job(await bot.say("a boat {image:https://a.example/one.png}"))
        assert (await sent(bot, job, {"prompt": "a ship {image:https://a.example/one.png}"})).image == init_of(job)
        assert len(fetched) == 1
        other = await sent(bot, job, {"prompt": "a boat {image:https://a.example/two.png}"})
        assert await bot.store.files.get(other.image) == png(64, 64, "blue")
        assert (await sent(bot, job, {"prompt": "a boat"})).image is None


async def test_several_prompts_are_several_requests(bot):
    """A prompt split into several becomes several requests, as in a line, each with the other params of the first."""
    job, _ = await bot.painted(LINE)
    form, values = await asked(bot, job)
    reply = await bot.press(form.wire, filled={**values, "prompt": "a dog || a unicorn"}, key="once")
    params_list = [GenerationParams.model_validate_json((await bot.store.jobs.get(one)).params) for one in reply.jobs]
    assert [(one.prompt, one.steps) for one in params_list] == [("a dog", 3), ("a unicorn", 3)]
    assert "dog" in reply.text
    assert "unicorn" in reply.text


async def test_a_form_that_is_sent_twice_is_one_request(bot):
    """A form submitted again after a lost answer is the same request, because it has the same key."""
    job, _ = await bot.painted(LINE)
    form, values = await asked(bot, job, key="once")
    replies = [await bot.press(form.wire, filled=values, key=key) for key in ("twice", "twice", "another")]
    assert replies[0].jobs == replies[1].jobs != replies[2].jobs
    assert await bot.open() == 2


async def test_a_form_is_for_the_place(bot):
    """Everyone in a channel can edit the requests shown there for themselves, and users elsewhere cannot."""
    job, _ = await bot.painted(LINE)
    form, values = await asked(bot, job, who="bob")
    theirs = await bot.job(await bot.press(form.wire, who="bob", filled=values))
    assert theirs.user != job.user
    for filled in (None, values):
        with pytest.raises(NotAllowed):
            await bot.press(form.wire, who="bob", where="elsewhere", filled=filled)
    assert await bot.press(form.wire, where="elsewhere", filled=values)


async def test_a_typed_edit_is_a_form_too(bot):
    """The command can be typed: with only the request it shows the form, with flags it starts a job."""
    job, _ = await bot.painted(LINE)
    assert (await bot.say(f"/edit {job.id}")).form is not None
    changed = await bot.job(await bot.say(f"/edit {job.id} --steps 5 --without size,seed"))
    params = GenerationParams.model_validate_json(changed.params)
    assert (params.steps, params.size, params.seed, params.negative) == (5, None, None, "fog")


def test_what_is_empty_says_nothing_elsewhere():
    """A command without a way to reset a field gets no notice of emptied fields."""
    assert forms.read(imagine, {"prompt": "a boat", "steps": "", "image": b""}) == {"prompt": "a boat"}
    assert forms.read(edit, {"prompt": "a boat", "steps": "", "image": b""}) == {"prompt": "a boat", "without": "steps"}


def test_a_form_has_few_fields():
    """A form that some platform could not show, or with a field that the command lacks, is refused when it is created."""
    names = ("prompt", "negative", "size", "steps", "guidance", "scheduler")
    assert len(forms.form(imagine, "form-edit", "imagine", dict.fromkeys(names[:5]), {}).fields) == 5
    with pytest.raises(DeclarationError, match="at most 5"):
        forms.form(imagine, "form-edit", "imagine", dict.fromkeys(names), {})
    with pytest.raises(KeyError):
        forms.form(again, "form-edit", "again", {"prompt": ""}, {})


@given(st.text(min_size=1), st.lists(st.integers(1, 10_000), unique=True))
def test_results_of_one_message_have_places_of_their_own(message, numbers):
    """The first result of a message is shown in it, every other result at its own address in the same channel."""
    address = MessageRef("test", "studio", message)
    others = [address.of(number) for number in numbers]
    assert address.of(0) == address
    assert len({address, *others}) == 1 + len(numbers)
    assert {(one.platform, one.channel) for one in others} <= {("test", "studio")}


@given(st.integers(0, 10_000))
def test_where_there_is_no_message_all_go_to_the_same_place(number):
    """A result without a message goes to the channel, whatever its number."""
    address = MessageRef("test", "studio")
    assert address.of(number) == address

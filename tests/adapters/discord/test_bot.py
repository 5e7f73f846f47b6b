"""Commands and buttons on Discord, and what their user and others see."""

import pytest

from tests.adapters.discord.chat import told
from tests.adapters.web.chat import png
from tests.stores import init_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


def labels(message):
    """Return the labels of a message's buttons."""
    return [label for label, _, _ in message.buttons()]


def seen(channel):
    """Return the messages of a channel that every member sees."""
    return [one for one in channel.messages if not one.is_ephemeral]


async def test_a_command_becomes_a_card(chat):
    """A slash command gets a public response, which becomes the picture with its buttons in a fixed order."""
    channel, ann, _ = chat.channel()
    use = await ann.use(channel, "imagine", prompt="a red circle", steps=3)
    (shown,) = await chat.pictures(channel)
    assert shown is use.message
    assert labels(shown) == ["Again", "Vary", "Edit…", "Info", "Delete"]
    assert (await chat.job(shown)).request.steps == 3


async def test_an_attached_picture(chat):
    """The picture of an attachment option is the source of the request."""
    channel, ann, _ = chat.channel()
    await ann.use(channel, "imagine", prompt="a blue star", strength=0.4, image=("cat.png", png("yellow")))
    (shown,) = await chat.pictures(channel)
    assert await chat.store.files.get(init_of(await chat.job(shown))) == png("yellow")


async def test_what_is_attached_and_no_picture(chat):
    """A file that is not a picture is refused in an ephemeral message."""
    channel, ann, _ = chat.channel()
    use = await ann.use(channel, "imagine", prompt="a blue star", image=("cat.png", b"meow"))
    assert (await told(use)).texts()
    assert seen(channel) == []


@pytest.mark.parametrize("name", ["help", "queue", "quota", "history"])
async def test_private_answers(chat, name):
    """Answers about the user are ephemeral."""
    channel, ann, _ = chat.channel()
    use = await ann.use(channel, name)
    assert (await told(use)) is use.message
    assert seen(channel) == []


async def test_a_refused_request(chat):
    """A refused request leaves no public message, and the error is ephemeral."""
    channel, ann, _ = chat.channel()
    use = await ann.use(channel, "imagine", prompt="a red circle", size="enormous")
    assert "enormous" in (await told(use)).texts()[0]
    assert use.message is None
    assert seen(channel) == []


async def test_words_that_a_model_does_not_know(chat):
    """A note about unknown words is ephemeral, while the picture is public."""
    channel, ann, _ = chat.channel()
    use = await ann.use(channel, "imagine", prompt="a xylophone")
    assert "xylophone" in (await told(use)).texts()[0]
    assert seen(channel) == await chat.pictures(channel)


async def test_several_prompts(chat):
    """Each prompt gets its own message with its own picture."""
    channel, ann, _ = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle || a blue star || a green tree")
    shown = await chat.pictures(channel, 3)
    assert sorted([(await chat.job(one)).request.prompt.text for one in shown]) == ["a blue star", "a green tree", "a red circle"]
    assert seen(channel) == shown


async def test_rows_for_a_few_pictures(chat):
    """Up to five pictures have one button each for every action, and a list for deleting."""
    channel, ann, _ = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle", count=5)
    (shown,) = await chat.pictures(channel)
    assert len(shown.files) == 5
    assert labels(shown) == ["Again", "Edit…", *(f"{deed} {number}" for deed in ("Vary", "Info") for number in range(1, 6))]
    assert [one["placeholder"] for one in shown.selects()] == ["Delete…"]
    await ann.click(shown, "Vary 3")
    _, varied = await chat.pictures(channel, 2)
    pictures = await chat.store.pictures.of_jobs([(await chat.job(shown)).id])
    assert init_of(await chat.job(varied)) == next(iter(pictures.values()))[2].file


async def test_lists_for_many_pictures(chat):
    """More than five pictures have a list for each action, and buttons once one of them is deleted."""
    channel, ann, _ = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle", count=6)
    (shown,) = await chat.pictures(channel)
    assert [one["placeholder"] for one in shown.selects()] == ["Vary…", "Info…", "Delete…"]
    use = await ann.pick(shown, "Info…", ["Info 6"])
    assert shown.files[5].data == (await told(use)).files[0].data
    await ann.pick(shown, "Delete…", ["Delete 6"])
    await chat.discord.until(lambda: len(shown.files) == 5)
    assert "Vary 5" in labels(shown)
    assert "Vary 6" not in labels(shown)


async def test_others_make_their_own(chat):
    """A press on another user's button is refused in an ephemeral message with a button to repeat the request oneself."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle", seed=7)
    (shown,) = await chat.pictures(channel)
    refusal = await told(await bob.click(shown, "Delete"))
    assert refusal.is_ephemeral
    await bob.click(refusal, "Make your own")
    assert len(await chat.pictures(channel, 2)) == 2


async def test_cancelled(chat):
    """A press on Cancel changes the card and sends no message."""
    channel, ann, _ = chat.channel()
    chat.painter.may.clear()
    try:
        use = await ann.use(channel, "imagine", prompt="a red circle")
        await chat.discord.until(lambda: use.message and "Cancel" in labels(use.message))
        press = await ann.click(use.message, "Cancel")
        await chat.discord.until(lambda: "cancelled" in str(use.message.texts()))
    finally:
        chat.painter.may.set()
    assert press.followups == []
    assert seen(channel) == [use.message]


async def test_a_form(chat):
    """Edit… opens a form with the most common parameters and their values; submitting it queues a new job."""
    channel, ann, _ = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle", negative="fog", steps=3, size="128x64")
    (shown,) = await chat.pictures(channel)
    asked = await ann.click(shown, "Edit…")
    await asked.answered()
    assert len(asked.modal["components"]) == 5
    await ann.submit(asked, {"prompt": "a blue star", "negative": "", "image": ("cat.png", png("yellow", (128, 64)))})
    request = (await chat.job((await chat.pictures(channel, 2))[1])).request
    assert (request.prompt.text, request.negative.text, request.steps, request.width, request.height) == ("a blue star", "", 3, 128, 64)

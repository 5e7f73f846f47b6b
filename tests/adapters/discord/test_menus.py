"""The menus on messages and people, and what Discord proposes while somebody types."""

import pytest

from tests.adapters.discord.chat import told
from tests.adapters.web.chat import png
from tests.stores import init_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_picture_as_the_source(chat):
    """Any picture in a message can be what a new one starts from; what to paint is asked for in a form."""
    channel, ann, bob = chat.channel()
    message = await bob.say(channel, "look", files=[("cat.png", png("yellow"))])
    asked = await ann.menu(channel, "Use as source", message)
    await asked.answered()
    await ann.submit(asked, {"prompt": "a blue star", "strength": "0.4"})
    (shown,) = await chat.pictures(channel)
    job = await chat.job(shown)
    assert await chat.store.files.get(init_of(job)) == png("yellow")
    assert job.request.strength == 0.4


async def test_somebody_as_the_source(chat):
    """So can the picture that somebody shows themselves by."""
    channel, ann, bob = chat.channel()
    asked = await ann.menu(channel, "Use as source", bob)
    await asked.answered()
    await ann.submit(asked, {"prompt": "a blue star"})
    (shown,) = await chat.pictures(channel)
    assert init_of(await chat.job(shown)) is not None


async def test_a_mistake_in_the_form_of_a_source(chat):
    """What is wrong in the form is said to its person alone."""
    channel, ann, bob = chat.channel()
    message = await bob.say(channel, "look", files=[("cat.png", png("yellow"))])
    asked = await ann.menu(channel, "Use as source", message)
    await asked.answered()
    sent = await ann.submit(asked, {"prompt": "a blue star", "strength": "much"})
    assert "much" in (await told(sent)).texts()[0]
    assert sent.message is None


@pytest.mark.parametrize("count", [1, 3, 6])
async def test_info(chat, count):
    """All settings of a picture are told to whoever asks, alone, however many there are."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle", count=count)
    (shown,) = await chat.pictures(channel)
    use = await bob.menu(channel, "Info", shown)
    assert "a red circle" in (await told(use)).texts()[0]
    assert use.is_ephemeral


async def test_again(chat):
    """A request can be painted once more from the menu of its message, for everybody to see."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle")
    (shown,) = await chat.pictures(channel)
    await bob.menu(channel, "Again", shown)
    first, second = await chat.pictures(channel, 2)
    assert (await chat.job(second)).request.prompt.text == "a red circle"
    assert (await chat.job(second)).user != (await chat.job(first)).user


@pytest.mark.parametrize("name", ["Use as source", "Info", "Again"])
async def test_nothing_to_do_it_with(chat, name):
    """Where a message has no picture that is said, alone."""
    channel, ann, bob = chat.channel()
    message = await bob.say(channel, "no picture")
    use = await ann.menu(channel, name, message)
    assert "picture" in (await told(use)).texts()[0]


async def test_what_is_typed_is_completed(chat):
    """Values are proposed that begin like what is typed, or hold it."""
    channel, ann, _ = chat.channel()
    assert [one["value"] for one in await ann.complete(channel, "imagine", "model", "de", prompt="x")] == ["demo"]
    assert "16:9" in [one["value"] for one in await ann.complete(channel, "imagine", "size", "16", prompt="x")]
    assert await ann.complete(channel, "imagine", "model", "nothing like it", prompt="x") == []

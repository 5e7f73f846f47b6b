"""The context menus of messages and users, and autocomplete."""

import pytest

from tests.adapters.discord.chat import told
from tests.adapters.web.chat import png
from tests.stores import init_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_picture_as_the_source(chat):
    """Any picture in a message can become a source, with a form for the prompt."""
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
    """A user's avatar can become a source."""
    channel, ann, bob = chat.channel()
    asked = await ann.menu(channel, "Use as source", bob)
    await asked.answered()
    await ann.submit(asked, {"prompt": "a blue star"})
    (shown,) = await chat.pictures(channel)
    assert init_of(await chat.job(shown)) is not None


async def test_a_mistake_in_the_form_of_a_source(chat):
    """A mistake in the form is answered in an ephemeral message."""
    channel, ann, bob = chat.channel()
    message = await bob.say(channel, "look", files=[("cat.png", png("yellow"))])
    asked = await ann.menu(channel, "Use as source", message)
    await asked.answered()
    sent = await ann.submit(asked, {"prompt": "a blue star", "strength": "much"})
    assert "much" in (await told(sent)).texts()[0]
    assert sent.message is None


@pytest.mark.parametrize("count", [1, 3, 6])
async def test_info(chat, count):
    """Info shows the settings of a message's pictures to any user in an ephemeral message, for any number of pictures."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle", count=count)
    (shown,) = await chat.pictures(channel)
    use = await bob.menu(channel, "Info", shown)
    assert "a red circle" in (await told(use)).texts()[0]
    assert use.is_ephemeral


async def test_again(chat):
    """Again in a message's context menu repeats its request publicly for the user who chose it."""
    channel, ann, bob = chat.channel()
    await ann.use(channel, "imagine", prompt="a red circle")
    (shown,) = await chat.pictures(channel)
    await bob.menu(channel, "Again", shown)
    first, second = await chat.pictures(channel, 2)
    assert (await chat.job(second)).request.prompt.text == "a red circle"
    assert (await chat.job(second)).user != (await chat.job(first)).user


@pytest.mark.parametrize("name", ["Use as source", "Info", "Again"])
async def test_nothing_to_do_it_with(chat, name):
    """If a message has no picture, an ephemeral message says so."""
    channel, ann, bob = chat.channel()
    message = await bob.say(channel, "no picture")
    use = await ann.menu(channel, name, message)
    assert "picture" in (await told(use)).texts()[0]


async def test_what_is_typed_is_completed(chat):
    """Suggestions start with the typed text or contain it."""
    channel, ann, _ = chat.channel()
    assert [one["value"] for one in await ann.complete(channel, "imagine", "model", "de", prompt="x")] == ["demo"]
    assert "16:9" in [one["value"] for one in await ann.complete(channel, "imagine", "size", "16", prompt="x")]
    assert await ann.complete(channel, "imagine", "model", "nothing like it", prompt="x") == []

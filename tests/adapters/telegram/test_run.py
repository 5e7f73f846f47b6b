"""`easel run` with only a Telegram token: a separate process and an emulated Telegram over sockets."""

import io
import socket
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from PIL import Image

from bot.core.values import MessageRef
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from tests.adapters.telegram.chat import is_done, words_of
from tests.adapters.web.chat import png
from tests.bot.store.sharing.test_digests import wanted
from tests.emulators.telegram import Telegram
from tests.running import Easel
from tests.stores import ready_made, user_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A picture that is ready at once, and a job that runs long enough to act in the meantime.
SMALL = "--size 64x64 --steps 2 --scheduler euler"
LONG = "--steps 60 --count 6"


def easel_for(telegram, folder, **settings):
    """Return a process for an emulated Telegram."""
    there = {"TELEGRAM__TOKEN": telegram.token, "TELEGRAM__API_BASE": telegram.api_base, "TELEGRAM__FILE_BASE": telegram.file_base}
    return Easel(folder, **there, **settings)


@asynccontextmanager
async def running(telegram, folder, **settings):
    """Yield a connected process."""
    easel = easel_for(telegram, folder, **settings)
    easel.start()
    try:
        await telegram.ready(90.0)
        yield easel
    finally:
        if easel.is_running:
            assert await easel.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def telegram(tmp_path_factory):
    async with Telegram() as started, running(started, tmp_path_factory.mktemp("easel")):
        yield started
        assert started.rejected == []


def answers(telegram, channel):
    """Return the bot's messages in a chat."""
    return [one for one in channel.messages if one.sender is telegram.bot]


async def pictures(telegram, channel, count=1):
    """Wait for this number of messages with finished pictures in a chat, and return all of them."""
    await telegram.until(lambda: sum(map(is_done, answers(telegram, channel))) >= count, 90.0)
    return [one for one in answers(telegram, channel) if is_done(one)]


async def test_its_commands_are_known(telegram):
    """The commands are registered at startup: members see what they may use, and administrators see more."""
    ann, boss = telegram.user("ann"), telegram.user("boss")
    group = telegram.supergroup("Studio", ann)
    group.add(boss, "administrator")
    await telegram.until(lambda: telegram.commands)
    in_private = {one["command"] for one in telegram.commands_for(ann, ann.dm())}
    assert {"imagine", "history", "queue", "cancel", "help"} <= in_private
    assert {one["command"] for one in telegram.commands_for(boss, group)} > {one["command"] for one in telegram.commands_for(ann, group)}


async def test_it_paints_in_private(telegram):
    """A request in a private chat becomes a picture in the message that replied to it."""
    ann = telegram.user("ann")
    said = await ann.say(ann.dm(), "/imagine a large red circle on a blue background --count 1")
    (message,) = await pictures(telegram, ann.dm())
    assert message.reply_to is said
    assert "a large red circle" in words_of(message)
    red, _, blue = Image.open(io.BytesIO(message.photo.data)).convert("RGB").resize((3, 3)).getpixel((1, 1))
    assert red > blue


async def test_it_paints_in_a_group_and_in_a_topic(telegram):
    """A request in a group or a topic gets its picture there."""
    ann, bob = telegram.user("ann"), telegram.user("bob")
    group, forum = telegram.group("Studio", ann, bob), telegram.forum("Forum", ann, bob)
    topic = forum.topic("Ideas")
    await ann.say(group, f"/imagine@{telegram.bot.username} a blue star {SMALL}")
    await bob.say(forum, f"/imagine a green tree {SMALL}", topic=topic)
    (here,) = await pictures(telegram, group)
    (there,) = await pictures(telegram, forum)
    assert "a blue star" in words_of(here)
    assert there.message_thread_id == topic.id


async def test_a_photo_with_words_is_the_source(telegram):
    """A photo with a caption is the source of the picture."""
    ann = telegram.user("ann")
    await ann.photo(ann.dm(), png("red", (128, 128)), caption=f"/imagine a red circle --strength 0.5 {SMALL}")
    (message,) = await pictures(telegram, ann.dm())
    red, green, blue = Image.open(io.BytesIO(message.photo.data)).convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert red > green + 50
    assert red > blue + 50


async def test_four_pictures_are_an_album(telegram):
    """Several pictures are sent as an album, and each original is available."""
    ann = telegram.user("ann")
    await ann.say(ann.dm(), f"a red circle --count 4 {SMALL}")
    card = await telegram.until(lambda: next((one for one in answers(telegram, ann.dm()) if "Again" in dict(one.buttons())), None), 90.0)
    album = [one for one in answers(telegram, ann.dm()) if one.media_group_id]
    assert len(album) == 4
    assert len({one.photo.data for one in album}) == 4
    await ann.press(card, "Original 3")
    given = await telegram.until(lambda: next((one for one in answers(telegram, ann.dm()) if one.document), None))
    picture = Image.open(io.BytesIO(given.document.data))
    assert (picture.format, picture.size) == ("PNG", (64, 64))
    assert "a red circle" in picture.info["parameters"]


async def test_it_can_be_cancelled(telegram):
    """A message shows the progress of a job; after Cancel it says so at once, and nothing follows."""
    ann = telegram.user("ann")
    await ann.say(ann.dm(), f"a green tree {LONG}")
    card = await telegram.until(lambda: next((one for one in answers(telegram, ann.dm()) if "step" in words_of(one)), None), 60.0)
    await ann.press(card, "Cancel")
    await telegram.until(lambda: "Cancel" not in dict(card.buttons()))
    assert "cancelled" in words_of(card)
    await ann.say(ann.dm(), f"a blue star {SMALL}")
    await pictures(telegram, ann.dm())
    assert not card.photo
    assert not [one for one in answers(telegram, ann.dm()) if one.media_group_id]


async def test_missing_words_are_asked_for(telegram):
    """A missing prompt is asked for, and the reply is used."""
    ann = telegram.user("ann")
    await ann.say(ann.dm(), "/imagine")
    question = await telegram.until(lambda: next(iter(answers(telegram, ann.dm())), None))
    await ann.say(ann.dm(), f"a blue star {SMALL}", reply_to=question)
    (message,) = await pictures(telegram, ann.dm())
    assert "a blue star" in words_of(message)


#: The number of users, requests of each, and answers before the process is killed.
PEOPLE, EACH, BEFORE = 4, 5, 5

#: Faults that cause log records.
FAULTS = {"getMe": "reset", "getUpdates": "half", "sendMessage": 500, "editMessageMedia": "reset"}


def webhook():
    """Return the settings of a process with a webhook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = {"MODE": "webhook", "WEBHOOK_URL": f"http://127.0.0.1:{port}/news", "WEBHOOK_PORT": port, "WEBHOOK_SECRET": "open-sesame_1"}
    return {f"TELEGRAM__{name}": value for name, value in names.items()}


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_killed_with_updates_waiting(tmp_path, mode):
    """After a kill, every waiting request is completed once after the restart, and no log record contains the token."""
    settings = {"LOG__LEVEL": "debug"} | (webhook() if mode == "webhook" else {})
    async with Telegram() as telegram:
        people = [telegram.user(f"person{number}") for number in range(PEOPLE)]
        asked = [f"a red circle at night {number}" for number in range(PEOPLE * EACH)]
        for number, words in enumerate(asked):
            user = people[number % PEOPLE]
            await user.say(user.dm(), f"{words} {SMALL}")
        for method, kind in FAULTS.items():
            telegram.fault(method, kind)
        async with running(telegram, tmp_path, **settings) as before:
            await telegram.until(lambda: sum(len(answers(telegram, one.dm())) for one in people) >= BEFORE, 60.0)
            before.kill()
        async with running(telegram, tmp_path, **settings) as after:
            for one in people:
                assert len(await pictures(telegram, one.dm(), EACH)) == EACH
            await telegram.until(lambda: telegram.updates_waiting == 0)
            if mode == "webhook":
                telegram.repeat(people[0].dm().messages[0])
                await telegram.until(lambda: telegram.updates_delivered == telegram.updates_confirmed)
        shown = [message for one in people for message in answers(telegram, one.dm()) if is_done(message)]
        assert sorted(words_of(one).partition(" · ")[0] for one in shown) == sorted(asked)
        assert telegram.rejected == []
        for said in (before.said, after.said):
            assert "debug" in said
            assert telegram.token.encode() not in said.encode()
            assert telegram.token.partition(":")[2] not in said
            assert "open-sesame_1" not in said


async def test_what_is_due_is_told_when_it_starts(tmp_path):
    """A digest that became due while Easel was stopped is posted once after startup."""
    url = f"sqlite+aiosqlite:///{tmp_path}/easel.db"
    async with Telegram() as telegram:
        group = telegram.group("Studio", telegram.user("ann"))
        channel = MessageRef("telegram", str(group.id))
        ready_made(tmp_path / "easel.db")
        async with Database(url) as database:
            store = Store.of(database, BlobStore(str(tmp_path / "files")))
            await store.boards.share(channel, await user_of(store), "a red circle", "{}")
            await wanted(store, channel, weeks=1.01)
            async with running(telegram, tmp_path, STORE__URL=url):
                await telegram.until(lambda: answers(telegram, group), 90.0)
            assert ["a red circle" in words_of(one) for one in answers(telegram, group)] == [True]
            assert await store.digests.due(["telegram"]) == ()
        assert telegram.rejected == []

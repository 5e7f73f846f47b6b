"""Links to the chat with the bot, which anyone can create for anyone."""

import base64

import pytest

from adapters.telegram import deep_links
from tests.adapters.telegram.chat import is_done, words_of

SMALL = "--steps 1 --size 64x64"


def carrying(line):
    """Return the payload of a link with a line."""
    return base64.urlsafe_b64encode(line.encode()).decode().rstrip("=")


async def test_a_link_deletes_nothing(chat):
    """A link to a deletion only greets the user, and nothing is deleted."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    job = await chat.job(message)
    (picture,) = (await chat.store.pictures.of_jobs([job.id]))[job.id]
    said = await ann.start(carrying(f"/delete {picture.id}"))
    assert "I paint" in words_of(await chat.answer(dm, said))
    assert len((await chat.store.pictures.of_jobs([job.id]))[job.id]) == 1


async def test_what_a_link_paints_is_pressed_first(chat):
    """A link to a generating command shows its line, and a button press queues the job."""
    ann, dm = await chat.started()
    said = await ann.start(carrying("/imagine a red circle"))
    question = await chat.answer(dm, said)
    assert "/imagine a red circle" in words_of(question)
    assert not any(is_done(one) for one in chat.answers(dm))
    await ann.press(question, "Paint")
    (message,) = await chat.pictures(dm)
    assert (await chat.job(message)).request.prompt.text == "a red circle"


async def test_a_link_shows_what_is_ones_own(chat):
    """The link under a private answer shows the answer."""
    ann, dm = await chat.started()
    said = await ann.start(carrying("/queue"))
    assert "no queued" in words_of(await chat.answer(dm, said))


@pytest.mark.parametrize("line", ["/help imagine", "/history", "/history fog --page 2", "/preset show poster", "/settings", "/board"])
async def test_what_only_shows_is_carried(chat, line):
    """A read-only command can be carried by a link and is decoded unchanged."""
    carried = deep_links.payload(line, chat.adapter._bot.app)
    assert carried
    assert deep_links.unpacked(carried) == line


@pytest.mark.parametrize(
    "line",
    [
        *(
            "/grant ann 5",
            "/pause",
            "/resume",
            "/cancel x",
            "/delete x",
            "/settings --steps 7",
            "/settle 7",
            "/me forget",
            "/link x",
            "/keep x",
        ),
        *("/imagine a boat", "/retry x", "/preset save poster a boat", "/nothing", "", f"/history {'x' * 60}"),
    ],
)
async def test_what_changes_anything_is_not_carried(chat, line):
    """No link carries a line that changes or generates anything, is no command, or is too long."""
    assert deep_links.payload(line, chat.adapter._bot.app) == ""


@pytest.mark.parametrize("line", ["/again", "/imagine", "/history", f"/imagine {'x' * 60}", "/pause", "/nothing x"])
async def test_what_no_button_paints_is_not_offered(chat, line):
    """A link offers a button only for a generating command that fits into its data."""
    assert deep_links.offered(line, chat.adapter._bot.app) is None

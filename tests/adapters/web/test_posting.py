"""Posts that no command requested, on the chat page: shown at once on an open page, and found in the conversation later."""

import re

import pytest

from bot.core.values import MessageRef
from bot.jobs.board_digests import BoardDigests
from tests.adapters.web.chat import open_chat
from tests.bot.store.sharing.test_digests import wanted


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


def entries(page):
    """Return the ids of the entries of a page in order."""
    return re.findall(r'<article class="entry" id="([\w-]+)"', page)


async def told(chat, address):
    """Let the week of a conversation's digest end, and return the id of the posted entry."""
    one = await chat.store.digests.of(address)
    await wanted(chat.store, one.address, one.user, weeks=1.01)
    assert await BoardDigests(chat.store, chat.adapter, ["web"]).look() == 1
    return f"said-{(await chat.store.digests.of(address)).key}"


async def subscribed(chat, browser):
    """Run a job, share its picture and subscribe to the digest; return the job and its address."""
    job = await browser.job("a red circle --size 64x64")
    await chat.paint("red")
    (picture,) = (await chat.store.pictures.of_jobs([job]))[job]
    await browser.press(f"share::{picture.id}")
    assert "is on" in (await browser.say("/digest on")).text
    return job, (await chat.store.jobs.get(job)).address


async def test_an_open_page_is_told_at_once(chat):
    """An open page of the channel shows a post at once, with an accessible picture and a Board button; other pages do not."""
    async with chat.browser() as ada, chat.browser() as bob, ada.listening() as page, bob.listening() as other:
        _, address = await subscribed(chat, ada)
        entry = await told(chat, address)
        (said,) = await page.until(lambda: page.of("said"))
        assert said["id"] == entry
        assert "One new item" in said["html"]
        assert 'data-wire="board:new"' in said["html"]
        (thumbnail,) = re.findall(r'src="(/files/[^"]+)"', said["html"])
        assert (await ada.client.get(thumbnail)).status_code == 200
        job = await bob.job("a blue star")
        await other.card(job, "waiting")
        assert other.of("said") == []


async def test_a_page_that_was_closed_finds_it_in_its_place(chat):
    """A page opened later has the post once, between the requests before and after it, in its language, until the user unsubscribes."""
    async with chat.browser() as ada:
        before, address = await subscribed(chat, ada)
        assert entries(await ada.open()) == [f"job-{before}"]
        entry = await told(chat, address)
        after = await ada.job("a blue star")
        for _ in range(2):
            assert entries(await ada.open()) == [f"job-{before}", entry, f"job-{after}"]
        german = await ada.client.get("/", headers={"accept-language": "de"})
        assert "ein neuer Beitrag geteilt" in german.text
        await ada.say("/digest off")
        assert entries(await ada.open()) == [f"job-{before}", f"job-{after}"]


async def test_what_was_removed_since_is_not_found(chat):
    """A post lists only items that are still on the board, and disappears if there are none."""
    async with chat.browser() as ada:
        job, address = await subscribed(chat, ada)
        await told(chat, address)
        (code,) = [one.id for one in await chat.store.boards.page([await chat.store.boards.of(address)], "new", 0, 9)]
        await ada.say(f"/remove {code}")
        assert entries(await ada.open()) == [f"job-{job}"]


async def test_it_belongs_to_earlier_entries_after_a_while(chat):
    """A post older than all entries on the page is not shown."""
    async with chat.browser() as ada:
        _, address = await subscribed(chat, ada)
        entry = await told(chat, address)
        for number in range(31):
            await ada.job(f"a circle --seed {number}")
        shown = entries(await ada.open())
        assert len(shown) == 30
        assert entry not in shown


async def test_nobody_else_finds_it(chat):
    """A post appears only in the conversation that subscribed."""
    async with chat.browser() as ada, chat.browser() as bob:
        _, address = await subscribed(chat, ada)
        entry = await told(chat, address)
        assert entry in await ada.open()
        assert "said-" not in await bob.open()
        assert await chat.store.digests.of(MessageRef("web", "nobody")) is None

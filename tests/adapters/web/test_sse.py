"""Event streams: the latest state of each job, however slow the reader is, and only of the reader's channel."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web import sse
from adapters.web.sse import MOST_STREAMS, Hub, Stream
from bot.views.job_card import JobView, Progress
from tests.adapters.web.chat import PATIENCE, open_chat

USUAL = {"owner": "ada", "line": "a circle", "words": "a circle", "width": 64, "height": 64, "count": 1}


def card(job, state="running", n=None, preview=None):
    """Return a card in a state, at a step if `n` is given."""
    progress = Progress(n, 20, preview=preview) if n is not None else None
    return JobView(job=job, state=state, status=f"{state} {n}", progress=progress, **USUAL)


async def batches(stream, most=1):
    """Return the next `most` batches of a stream."""
    found = []
    async with asyncio.timeout(PATIENCE):
        async for batch in stream.follow():
            found.append(batch)
            if len(found) == most:
                break
    return found


async def test_the_latest_card_wins():
    """Of many unread steps only the last one is kept, and the end is never lost."""
    stream = Stream("place")
    for n in range(1_000):
        stream.offer(card("a", n=n))
    stream.offer(card("b", "waiting"))
    ((first, second),) = await batches(stream)
    assert (first.card.progress.n, first.whole, second.card.job) == (999, True, "b")
    for n in range(1_000):
        stream.offer(card("a", n=n))
    stream.offer(card("a", "done"))
    ((end,),) = await batches(stream)
    assert (end.card.state, end.whole) == ("done", True)


async def test_steps_are_told_apart_from_changes():
    """The first card of a job and each change of its state are sent whole; steps in between are not, and contain a new preview once."""
    stream = Stream("place")
    told = []
    for one in (card("a", "waiting"), card("a"), card("a", n=1, preview=b"1"), card("a", n=2, preview=b"1"), card("a", n=3, preview=b"2")):
        stream.offer(one)
        told += [(news.whole, news.preview) for (batch,) in [await batches(stream)] for news in batch]
    assert told == [(True, None), (True, None), (False, b"1"), (False, None), (False, b"2")]


async def test_a_late_step_does_not_open_what_has_ended():
    """A step that arrives after the end is dropped, since tasks may wake in any order."""
    hub = Hub()
    with hub.open("place") as stream:
        for one in (card("a", n=1), card("a", "done"), card("a", n=2)):
            hub.publish(one, "place")
        ((news,),) = await batches(stream)
        assert news.card.state == "done"


async def test_places_do_not_mix():
    """A card is sent only to the pages of its channel."""
    hub = Hub()
    with hub.open("here") as here, hub.open("there") as there:
        hub.publish(card("a"), "here")
        hub.publish(card("b"), "there")
        assert [news.card.job for news in (await batches(here))[0]] == ["a"]
        assert [news.card.job for news in (await batches(there))[0]] == ["b"]


async def test_a_further_page_takes_the_place_of_the_oldest():
    """The number of streams of a visitor is bounded; the oldest is closed, and other visitors keep theirs."""
    hub = Hub()
    with hub.open("there") as other:
        opened = [hub.open("here") for _ in range(MOST_STREAMS + 2)]
        pages = [one.__enter__() for one in opened]
        assert [page.is_closed for page in pages] == [True, True] + [False] * MOST_STREAMS
        assert not other.is_closed
        for one in opened:
            one.__exit__(None, None, None)
    assert not hub._streams


async def test_a_reader_far_behind_starts_anew():
    """The cards for a reader who does not read are bounded; a reader who falls too far behind is disconnected."""
    stream = Stream("place")
    for number in range(1_000):
        stream.offer(card(str(number), "done"))
        if stream.is_closed:
            break
    assert stream.is_closed
    assert number < 500


async def test_a_closed_hub_ends_all_streams():
    """When the hub closes, all streams end, including those opened later."""
    hub = Hub()
    with hub.open("here") as before:
        hub.close()
        with hub.open("here") as after:
            for stream in (before, after):
                assert [batch async for batch in stream.follow()] == []


STATES = st.sampled_from(["waiting", "running"])


@given(st.lists(st.tuples(st.sampled_from("abc"), STATES, st.booleans()), max_size=60), st.randoms())
async def test_what_a_page_shows_in_the_end_is_true(changes, random):
    """Whatever changes and whenever it is read, the page ends with the last state of each job, and each end is sent once."""
    hub, last, told = Hub(), {}, []
    with hub.open("here") as stream:
        for job, state, ends in changes:
            if last.get(job) == "done":
                continue
            last[job] = "done" if ends else state
            hub.publish(card(job, last[job], n=1 if last[job] == "running" else None), "here")
            if random.random() < 0.3:
                told += list(stream._due())
        while stream._waiting:
            await asyncio.sleep(sse.STEP_SECONDS / 4)
            told += list(stream._due())
    assert {news.card.job: news.card.state for news in told} == last
    ends = [news.card.job for news in told if news.card.state == "done"]
    assert len(ends) == len(set(ends))
    assert all(news.whole for news in told if news.card.state != "running")


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


async def test_a_slow_reader_holds_nobody_up(chat, monkeypatch):
    """A page that does not read neither delays others nor fills the memory, and gets the end when it reads again."""
    monkeypatch.setattr(sse, "STEP_SECONDS", 0.0)
    async with chat.browser() as ada, ada.listening() as quick, unread_events(chat, ada) as reader:
        job = await ada.job("a red circle")
        address = (await chat.store.jobs.get(job)).address
        await quick.card(job, "waiting")
        for n in range(200):
            # Distinct data that is larger in total than the socket buffers.
            step = msgspec.structs.replace(card(job), progress=Progress(n + 1, 200, preview=n.to_bytes(2, "big") * 50_000))
            before = len(quick.events)
            await chat.adapter.show(step, address)
            await quick.until(lambda before=before: len(quick.events) > before)
            assert all(len(stream._waiting) <= 1 for stream in chat.adapter._hub._streams[address.channel])
        await chat.paint()
        await quick.card(job, "done")
        seen = b""
        async with asyncio.timeout(PATIENCE):
            while b'"state":"done"' not in seen[-100_000:]:
                seen += await reader.read(2**20)
        assert seen.count(b"event: progress") < 150


@asynccontextmanager
async def unread_events(chat, browser):
    """Yield the event stream of a browser, of which only the first line has been read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", chat.adapter.port, limit=1024)
    try:
        heads = f"GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: easel={browser.client.cookies['easel']}\r\n\r\n"
        writer.write(heads.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        yield reader
    finally:
        writer.close()


async def test_a_stream_that_nobody_can_leave_is_not_kept(chat):
    """A stream request with a body too long to read ends at once, instead of being served forever without a reader."""
    async with chat.browser() as ada:
        reader, writer = await asyncio.open_connection("127.0.0.1", chat.adapter.port)
        heads = f"GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: easel={ada.client.cookies['easel']}\r\nContent-Length: 50000\r\n\r\n"
        writer.write(heads.encode())
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        assert not chat.adapter._hub._streams


async def test_silence_is_filled(chat, monkeypatch):
    """A quiet stream gets regular keep-alive comments."""
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.02)
    async with chat.browser() as ada, ada.listening() as page:
        await page.until(lambda: page.comments > 2)
        job = await ada.job("a red circle")
        await page.card(job, "waiting")


async def test_progress_reaches_the_page(chat):
    """Steps arrive as progress with the preview as a data URL, and a change of the state brings the whole card."""
    async with chat.browser() as ada, ada.listening() as page:
        job = await ada.job("a red circle")
        address = (await chat.store.jobs.get(job)).address
        await page.card(job, "waiting")
        await chat.adapter.show(card(job), address)
        await page.card(job, "running")
        await chat.adapter.show(card(job, n=3, preview=b"\xff\xd8\xff"), address)
        (step,) = await page.until(lambda: page.of("progress", job))
        assert step == {"id": job, "n": 3, "of": 20, "status": "running 3", "preview": "data:image/jpeg;base64,/9j/"}
        await chat.adapter.show(card(job, n=4, preview=b"\xff\xd8\xff"), address)
        _, step = await page.until(lambda: page.of("progress", job)[1:] and page.of("progress", job))
        assert (step["n"], step["preview"]) == (4, None)

"""Requests over the web: a line becomes an entry, and every open page follows its progress."""

import asyncio

import pytest

from tests.adapters.web.chat import PATIENCE, open_chat, png
from tests.pairing import pair, told
from tests.stores import init_of


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


async def test_a_line_becomes_an_entry(chat):
    """An accepted line is returned as its entry, is on the reloaded page, and is queued in the store."""
    async with chat.browser() as ada:
        (job,) = (await ada.say("a red circle --steps 5")).json()["jobs"]
        assert f'id="job-{job["id"]}"' in job["html"]
        assert "a red circle --steps 5" in job["html"]
        assert job["html"] in await ada.open() or f'id="job-{job["id"]}"' in await ada.open()
    kept = await chat.store.jobs.get(job["id"])
    assert (kept.state, kept.request.steps, kept.line) == ("waiting", 5, "a red circle --steps 5")


async def test_the_same_line_twice_is_one_job(chat):
    """A line that is sent again, because the response was lost, stays one request."""
    async with chat.browser() as ada:
        both = await asyncio.gather(*(ada.job("a red circle", key="the-same") for _ in range(5)))
        assert len(set(both)) == 1
        assert await ada.job("a red circle", key="another") not in both


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/imagin a circle", "imagine"),
        ("a circle --stpes 4", "steps"),
        ("a circle --steps 600", "600"),
        ("a circle --steps 4 --steps 5", "steps"),
        ("/queue of bread", "of bread"),
        ("", "empty"),
        ("   \n ", "empty"),
        ("/", "/"),
        ("a" * 5_000, "5000"),
        ("a" * 100_000, "A message can have at most 4000 characters; this one has 100000."),
    ],
)
async def test_mistakes_are_told(chat, line, told):
    """A mistake is answered with one sentence, and nothing is queued."""
    async with chat.browser() as ada:
        answer = await ada.say(line)
        assert answer.status_code == 422 or line == "/"
        assert told in answer.text
        assert await ada.client.get("/queue")
    assert await chat.store.attempts.claim("nobody") is None or line == "/"


async def test_a_picture_comes_along(chat):
    """A picture sent with a line becomes the source; a command without a picture parameter refuses it."""
    async with chat.browser() as ada:
        job = await chat.store.jobs.get(await ada.job("a boat --strength 0.5", picture=png("blue")))
        assert await chat.store.files.get(init_of(job)) == png("blue")
        assert (await ada.client.get(f"/files/{init_of(job)}")).content == png("blue")
        refused = await ada.say("/queue", picture=png())
        assert refused.status_code == 422
        assert "queue" in refused.json()["error"]
        broken = await ada.say("a boat", picture=b"<svg onload=alert(1)>")
        assert broken.status_code == 422
        assert "PNG" in broken.json()["error"]


async def test_pictures_come_along_by_name(chat):
    """A picture sent for a named parameter fills it, and other pictures fill the free parameters."""
    chat.bot.app.commands[pair.name] = pair
    async with chat.browser() as ada:
        both = await ada.say("/pair", pictures=[png("blue")], named={"image": png("red")})
        assert told(png("red"), png("blue")) in both.json()["reply"]
        assert told(None, png("red")) in (await ada.say("/pair", named={"mask": png("red")})).json()["reply"]
        unknown = await ada.say("/pair", named={"colour": png("red")})
        assert unknown.status_code == 422
        many = await ada.say("/pair", pictures=[png("blue")] * 11)
        assert many.status_code == 400


async def test_replies_without_jobs(chat):
    """A command without jobs returns its reply."""
    async with chat.browser() as ada:
        answer = (await ada.say("/help")).json()
        assert answer["jobs"] == []
        assert "imagine" in answer["reply"]


async def test_events_tell_what_becomes_of_a_job(chat):
    """Every open page of a user receives the acceptance and the end of a job, and pages of other users do not."""
    async with chat.browser() as ada, chat.browser() as bob, ada.listening() as first, ada.listening() as second, bob.listening() as other:
        await bob.job("a blue square")
        job = await ada.job("a red circle")
        for page in (first, second):
            await page.card(job, "waiting")
        await chat.paint()
        assert await chat.paint() == job
        for page in (first, second):
            done = await page.card(job, "done")
            assert "/files/" in done["html"]
            await page.until(lambda page=page: "job-" not in page.of("queue")[-1]["html"])
        assert other.of("card", job) == []


async def test_events_begin_with_what_is_open(chat):
    """A page that connects receives queued and recently ended jobs, and then follows changes."""
    async with chat.browser() as ada:
        ended, waits = await ada.job("a red circle"), await ada.job("a blue square")
        await chat.paint()
        for _ in range(2):
            async with ada.listening() as page:
                await page.card(ended, "done")
                await page.card(waits, "waiting")
        async with ada.listening() as page:
            await page.card(waits, "waiting")
            await chat.paint()
            await page.card(waits, "done")


async def test_places_in_line_are_kept_up_to_date(chat):
    """When another user's job ends, the jobs behind it show their new position."""
    async with chat.browser() as ada, chat.browser() as bob, bob.listening() as page:
        await ada.job("a red circle")
        job = await bob.job("a blue square")
        before = await page.card(job, "waiting")
        await chat.paint()
        after = await page.until(lambda: next((one for one in page.of("card", job) if one["html"] != before["html"]), None))
        assert after["state"] == "waiting"


async def test_buttons(chat):
    """Again, Vary, Info, Delete and Cancel work over the web."""
    async with chat.browser() as ada, ada.listening() as page:
        job = await ada.job("a red circle")
        await chat.paint()
        await page.card(job, "done")
        (picture,) = (await chat.store.pictures.of_jobs([job]))[job]
        again = (await ada.press(f"again:{job}")).json()["jobs"][0]["id"]
        vary = (await ada.press(f"vary:{picture.id}")).json()["jobs"][0]["id"]
        assert init_of(await chat.store.jobs.get(vary)) == picture.file
        assert "red circle" in (await ada.press(f"info:{picture.id}")).json()["reply"]
        assert (await ada.press(f"cancel:{again}")).status_code == 200
        await page.card(again, "cancelled")
        assert (await ada.press(f"delete:{picture.id}")).status_code == 200
        await page.until(lambda: "/files/" not in page.of("card", job)[-1]["html"])
    assert await chat.store.pictures.get(picture.id) is None


async def test_a_press_twice_is_one_job(chat):
    """A press that is sent twice makes one request."""
    async with chat.browser() as ada:
        job = await ada.job("a red circle")
        twice = [(await ada.press(f"again:{job}", key="once")).json()["jobs"][0]["id"] for _ in range(2)]
        assert twice[0] == twice[1] != job


@pytest.mark.parametrize("wire", ["", "nothing:1", "again", "again:", "again:none", "imagine:", "x" * 65, "again:\0", ":::"])
async def test_buttons_that_are_none(chat, wire):
    """Invalid button data is refused with a sentence."""
    async with chat.browser() as ada:
        answer = await ada.press(wire)
        assert answer.status_code == 422
        assert answer.json()["error"]


async def test_nobody_presses_anothers_buttons(chat):
    """Buttons of another user's job or picture are refused and change nothing."""
    async with chat.browser() as ada, chat.browser() as bob:
        job = await ada.job("a red circle")
        await chat.paint()
        waits = await ada.job("a blue square")
        (picture,) = (await chat.store.pictures.of_jobs([job]))[job]
        for wire in (f"again:{job}", f"vary:{picture.id}", f"info:{picture.id}", f"delete:{picture.id}", f"cancel:{waits}"):
            refused = await bob.press(wire)
            assert (refused.status_code, wire) == (422, wire)
            assert refused.json()["error"]
        assert (await bob.client.get(f"/earlier?before={job}")).status_code == 422
        assert await bob.press("again:unknown")
    assert (await chat.store.jobs.get(waits)).state == "waiting"
    assert await chat.store.pictures.get(picture.id) is not None


async def test_streams_end_with_the_adapter(tmp_path):
    """Open pages do not delay shutdown, because their streams end first."""
    async with open_chat(tmp_path) as chat, chat.browser() as ada, ada.listening() as page:
        async with asyncio.timeout(PATIENCE):
            await chat.adapter.__aexit__(None, None, None)
            await page.ended.wait()

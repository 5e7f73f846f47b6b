"""The whole path with the real engine: from a line in a browser to its picture."""

import asyncio
import io

import pytest
import pytest_asyncio
from PIL import Image

from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from tests.adapters.web.chat import open_chat
from tests.asking import warmed

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown", "black")
SHAPES = ("circle", "square")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    async with LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS)) as started:
        await warmed(started)
        yield started


async def test_twenty_people_at_once(engine, tmp_path):
    """If twenty users send requests at once, each gets exactly their own pictures, and no one can press or fetch those of others."""
    async with open_chat(tmp_path, engine) as chat:
        both = await asyncio.gather(
            *(one_person(chat, f"a {colour} {shape}", seed) for seed, (colour, shape) in enumerate((c, s) for c in COLOURS for s in SHAPES))
        )
        jobs = [job for job, _ in both]
        kept = await chat.store.pictures.of_jobs(jobs)
        people = {(await chat.store.jobs.get(job)).user for job in jobs}
        assert (len(set(jobs)), len(people)) == (20, 20)
        assert all(len(pictures) == 2 for pictures in kept.values())
        async with chat.browser() as mallory:
            for job, files in both[:5]:
                assert (await mallory.press(f"again:{job}")).status_code == 422
                assert (await mallory.press(f"delete:{kept[job][0].id}")).status_code == 422
                assert (await mallory.client.get(f"/files/{files[0]}")).status_code == 404


async def one_person(chat, words, seed):
    """Request two pictures, wait for them, and return the job and the files; check that both pictures match the request."""
    async with chat.browser() as browser, browser.listening() as page:
        job = await browser.job(f"{words} --seed {seed * 100} --count 2 --steps 3 --size 64x64 --scheduler euler")
        await page.card(job, "done")
        kept = (await chat.store.pictures.of_jobs([job]))[job]
        states = list(dict.fromkeys(one["state"] for one in page.of("card", job)))
        assert states == [state for state in ("waiting", "running", "done") if state in states]
        assert {one["id"] for one in page.of("card") + page.of("progress")} == {job}
        for picture in kept:
            answer = await browser.client.get(f"/files/{picture.file}")
            with Image.open(io.BytesIO(answer.content)) as image:
                settings = image.text["parameters"]
            assert settings.startswith(f"{words}\n")
            assert f"Seed: {seed * 100 + picture.index}," in settings
        return job, [one.file for one in kept]


async def test_progress_with_previews(engine, tmp_path):
    """While a job runs, the page receives its steps in order with previews, and then the picture."""
    async with open_chat(tmp_path, engine) as chat, chat.browser() as ada, ada.listening() as page:
        job = await ada.job("a large red circle on a blue background --steps 40")
        await page.card(job, "done")
        steps = page.of("progress", job)
        assert steps
        assert [one["n"] for one in steps] == sorted(one["n"] for one in steps)
        assert all(one["of"] == 40 for one in steps)
        previews = [one["preview"] for one in steps if one["preview"]]
        assert previews
        assert all(one.startswith("data:image/jpeg;base64,") for one in previews)
        assert len(set(previews)) == len(previews)


async def test_cancel_in_the_middle(engine, tmp_path):
    """A job that is cancelled while it runs stops, is shown as cancelled, and leaves no picture."""
    async with open_chat(tmp_path, engine) as chat, chat.browser() as ada, ada.listening() as page:
        job = await ada.job("a green tree --steps 60 --count 16")
        await page.until(lambda: page.of("progress", job))
        assert (await ada.press(f"cancel:{job}")).status_code == 200
        await page.card(job, "cancelled")
        after = await ada.job("a green tree --steps 1 --size 64x64")
        await page.card(after, "done")
        assert page.of("card", job)[-1]["state"] == "cancelled"
        assert (await chat.store.pictures.of_jobs([job]))[job] == ()


async def test_a_restart_in_the_middle(engine, tmp_path):
    """A job that was running when the bot stopped is run by the next bot and shown once in the same place."""
    async with open_chat(tmp_path, engine) as chat, chat.browser() as ada, ada.listening() as page:
        job = await ada.job("a blue boat --steps 30 --count 2")
        await page.until(lambda: page.of("progress", job))
        cookies = dict(ada.client.cookies)
    async with open_chat(tmp_path, engine) as chat, chat.browser(cookies=cookies) as ada, ada.listening() as page:
        await page.card(job, "done")
        assert (await ada.open()).count(f'id="job-{job}"') == 1
        assert len((await chat.store.pictures.of_jobs([job]))[job]) == 2

"""A request that waited during the upgrade to inputs by role, as the earlier version stored it, in both databases."""

import base64
from datetime import UTC, datetime

from bot.app import App
from bot.commands import COMMANDS
from bot.core.scheduling import picture_steps
from bot.generation.resolve import ModelCatalog
from bot.store import schema
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import Painted
from bot.store.store import Store
from inference.contract.modes import mode_of
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from tests.bot.store.test_schema import fill
from tests.stores import init, init_of, server, url
from tests.talk import PLATFORM, Chat, png

__all__ = ["server", "url"]

#: The revision of that version, and its stored data for `a red circle --strength 0.5 --seed 7 --steps 8 --size 64x64` with a picture.
REVISION = "2026_11_23_search"
WISH = '{"prompt":"a red circle","image":"%s","strength":0.5,"size":"64x64","steps":8,"seed":7}'
REQUEST = base64.b64decode(
    "3gASpnByb21wdIKkdGV4dKxhIHJlZCBjaXJjbGWlcGFydHORkYKkdGV4dKxhIHJlZCBjaXJjbGWmd2VpZ2h0yz/wAAAAAAAAqG5lZ2F0aXZlgqR0ZXh0oKVwYXJ0"
    "c5ClbW9kZWykZGVtb6V3aWR0aECmaGVpZ2h0QKVzdGVwcwioZ3VpZGFuY2XLQAQAAAAAAACpc2NoZWR1bGVyqGRwbSsrIDJtpHNlZWQHpWNvdW50AaZzb3VyY2XA"
    "qHN0cmVuZ3Royz/gAAAAAAAAqHByZXZpZXdzw61hbGxvd19zbWFsbGVywqVzaGFyZbBpSWl3WUllXzlkeERHblZJpndlaWdodMs/8AAAAAAAAKZidWNrZXQApXNl"
    "YXRzkA=="
)


def rows(source):
    """Return the rows of that version: a user, their channel, and a waiting request with a source picture."""
    moment = datetime(2026, 11, 30, 12, tzinfo=UTC)
    job = {"id": "old", "person_id": "ann", "place_id": "here", "line": "a red circle", "wish": WISH % source, "request": REQUEST}
    numbers = {"attempt": 0, "tries": 0, "passed": 0, "credits": 5, "rank": 1, "cost": 0.01}
    words = {"message": "", "day": "2026-11-30", "proof": "", "language": "en", "model": "demo", "state": "waiting"}
    user = {"name": "Ada", "tier": "", "role": "", "paused": False, "language": "", "locale": ""}
    return {
        "person": [{"id": "ann", **user, "created": moment}],
        "identity": [{"platform": PLATFORM, "id": "ada", "person_id": "ann", "created": moment}],
        "place": [{"id": "here", "platform": PLATFORM, "key": "studio", "paused": False, "created": moment}],
        "turn": [{"person_id": "ann", "tag": 0.0, "since": 1, "waiting": True}],
        "job": [{**job, **numbers, **words, "source": source, "created": moment}],
    }


async def test_a_request_of_the_version_before_keeps_its_picture(url, tmp_path):
    """It runs from its picture with as many steps as before; again, edit and branch use that picture, vary uses the result."""
    files = BlobStore(str(tmp_path / "files"))
    source = await files.put(png(64, 64))
    async with Database(url) as database:
        await schema.upgrade(database, REVISION)
        await fill(database, rows(source))
        await schema.upgrade(database)
        store = Store.of(database, files)
        bot = Chat(App(COMMANDS, store, ModelCatalog(read_catalogue([], None, WEIGHTS), "demo")), tmp_path / "files")

        job = await store.attempts.claim("painter")
        assert (job.id, job.inputs) == ("old", init(source))
        assert (mode_of(job.request, job.roles).name, picture_steps(job.request, job.roles)) == ("img2img", 4)
        image = await files.put(png(64, 64, "blue"))
        done = Painted(index=0, seed=7, width=64, height=64, bytes=70, file=image, thumbnail=image)
        assert await store.attempts.finish(job, [done], 1.0)

        (picture,) = (await store.pictures.of_jobs(["old"]))["old"]
        presses = ("again:old", {}), ("edit:old", {"steps": "9"}), (f"branch:{picture.id}", {"steps": "9"})
        for wire, filled in presses:
            asked = await bot.job(await bot.press(wire, filled=filled))
            assert (asked.inputs, asked.request.strength) == (init(source), 0.5), wire
        assert init_of(await bot.job(await bot.press(f"vary:{picture.id}"))) == image
        shown = await bot.press(f"info:{picture.id}")
        assert "0.5" in {fact.told for fact in shown.facts}

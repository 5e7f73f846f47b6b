"""Log lines about a job name the job and its user, from generation to delivery, and no other lines do."""

import asyncio
import logging

import pytest

from bot.core.values import LOG_CONTEXT
from bot.jobs.delivery import Refused
from tests.dispatching import DIED, PAINTED, Script, Wall, dispatching, until
from tests.stores import accepted, user_of


class Heard(logging.Handler):
    """Records each log line with its context."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        """Record a line."""
        self.lines.append((record.getMessage().split()[0], dict(LOG_CONTEXT.get())))

    def of(self, event):
        """Return the contexts of an event's lines."""
        return [about for name, about in self.lines if name == event]


@pytest.fixture
def heard():
    """Record all lines, of every level."""
    handler, logger = Heard(), logging.getLogger("easel")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(before)
    logger.removeHandler(handler)


class Closed(Wall):
    """A platform that refuses everything."""

    async def deliver(self, outgoing):
        """Refuse the delivery."""
        await super().deliver(outgoing)
        return Refused("gone")


async def test_lines_about_a_job_name_it_and_its_person(store, heard):
    """Each line about a job that is retried, fails, and cannot be delivered names it and its user; two concurrent jobs are not mixed up."""
    people = {name: await user_of(store, name) for name in ("ann", "bob")}
    script = Script(**{"a red circle": [(DIED,), (RuntimeError("broken"),)], "a blue boat": [(DIED,), PAINTED]})
    wall = Closed()
    async with dispatching(store, script, wall) as dispatcher:
        jobs = [await accepted(store, people["ann"]), await accepted(store, people["bob"], "a blue boat")]
        dispatcher.wake()
        await wall.until(jobs[0].id, "failed")
        await wall.until(jobs[1].id, "done")
        await until(lambda: len(heard.of("delivery.not_sent")) == 2)
    ann, bob = ({"job": job.id, "person": job.user} for job in jobs)
    assert sorted(heard.of("job.again"), key=str) == sorted([ann, bob], key=str)
    assert heard.of("job.broke") == heard.of("job.failed") == [ann]
    assert sorted(heard.of("delivery.not_sent"), key=str) == sorted([ann, bob], key=str)
    assert dispatcher.meters.failed == {"fault-unexpected": 1}
    assert (dispatcher.meters.done, dispatcher.meters.not_sent) == (1, {"gone": 2})


async def test_other_lines_are_about_nobody(store, heard, monkeypatch):
    """A line that is not about a job names none, also while a job is running."""
    held = asyncio.Event()
    async with dispatching(store, Script(**{"a red circle": [(held, *PAINTED)]}), Wall()) as dispatcher:
        await accepted(store, await user_of(store))
        dispatcher.wake()
        await until(lambda: dispatcher.pictures_in_work)

        async def away(*_):
            raise ConnectionError

        monkeypatch.setattr(store.attempts, "beat", away)
        await until(lambda: heard.of("jobs.beat_failed"))
        held.set()
    assert set(map(str, heard.of("jobs.beat_failed"))) == {"{}"}

"""Views of a job are shown in order, and a message that cannot be changed any more is left alone."""

import asyncio
from types import SimpleNamespace

import pytest

from adapters.shared.card_throttle import CardThrottle
from bot.core.values import MessageRef

GROUP = MessageRef("telegram", "group")


class Gone(Exception):
    """The message cannot be changed any more."""


class Shown:
    """A platform that shows views of one job, or refuses them."""

    def __init__(self):
        self.job = SimpleNamespace(is_open=True, address=GROUP)
        self.bot = SimpleNamespace(app=SimpleNamespace(store=SimpleNamespace(jobs=self)))
        self.seen = asyncio.Queue()
        self.may_refuse = asyncio.Event()
        self.is_refused = True

    async def get(self, _job):
        """Return the job as the store has it."""
        return self.job

    async def show(self, card, _address):
        """Show a view, or refuse it once that is allowed."""
        if self.is_refused:
            self.seen.put_nowait("refused")
            await self.may_refuse.wait()
            raise Gone
        self.seen.put_nowait(card.status)


def view(status, *, is_open=True):
    """Return a view of the job."""
    return SimpleNamespace(job="j", is_open=is_open, language="en", status=status)


@pytest.mark.parametrize("refuses_first", [False, True], ids=["while the end settles", "before the end settles"])
async def test_a_refusal_of_progress_does_not_hide_what_follows_the_end(refuses_first):
    """Progress that a channel refuses says nothing of the message that the result goes to: views after the end are shown."""
    platform = Shown()
    throttle = CardThrottle(platform.show, (Gone,), platform.bot, place_seconds=0.0, message_seconds=0.0)
    throttle.offer(view("step 1"), GROUP)
    async with asyncio.timeout(30):
        assert await platform.seen.get() == "refused"
        if refuses_first:
            platform.may_refuse.set()
        settling = asyncio.create_task(throttle.settle("j"))
        await asyncio.sleep(0)
        platform.may_refuse.set()
        assert await settling
        platform.is_refused, platform.job.is_open = False, False
        throttle.offer(view("deleted", is_open=False), GROUP)
        assert await platform.seen.get() == "deleted"
    await throttle.close()

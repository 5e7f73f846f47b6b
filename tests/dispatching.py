"""A scripted engine, a platform that records the cards it is shown, and a dispatcher that connects them."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bot.jobs.delivery import Sent
from bot.jobs.dispatcher import Dispatcher
from inference.contract.errors import Problem
from inference.contract.request import Done, Failed, Picture, Step
from tests.stores import png

DIED = Failed(Problem("worker-died", {"code": -9, "device": "cpu"}))


def picture(index=0, colour="red"):
    """Return a finished picture as an engine yields it."""
    return Picture(index=index, seed=7 + index, width=8, height=8, image=png(colour), thumbnail=b"\xff\xd8\xff" + colour.encode())


PAINTED = (Step(1, 2), Step(2, 2, b"preview"), picture(), Done(1.5, 2))


class Script:
    """An engine that plays the scripted events of a prompt, one script for each attempt; it waits for an `Event` in the script."""

    def __init__(self, **plays):
        self.plays = {words: list(play) for words, play in plays.items()}
        self.begun = []
        self.closed = []
        self.running = asyncio.Event()

    is_able = True

    def model_infos(self):
        """Return the available models."""
        return {"demo": None}

    async def run(self, request):
        """Play the next script of this prompt."""
        words = request.prompt.text
        self.begun.append(words)
        play = self.plays.get(words, [PAINTED])
        try:
            for one in play.pop(0) if len(play) > 1 else play[0]:
                if isinstance(one, asyncio.Event):
                    self.running.set()
                    await one.wait()
                elif isinstance(one, Exception):
                    raise one
                else:
                    yield one
        finally:
            self.closed.append(words)


class Told:
    """A platform that passes every result to one function; the result counts as delivered when the function returns."""

    def __init__(self, show):
        self.show = show

    def is_mirrored(self, _platform):
        """Return False: all processes write to the same platform."""
        return False

    async def settle(self, _job, _address):
        """Do nothing: no update of a card is pending."""

    async def deliver(self, outgoing):
        """Pass the final card of a job to the function."""
        await self.show(outgoing.card, outgoing.address)
        return Sent()


class Wall:
    """A platform that records every card it is shown and lets a test wait for a card."""

    def __init__(self):
        self.cards = []
        self.changed = asyncio.Condition()

    def is_mirrored(self, _platform):
        """Return True: each process shows cards to its own readers."""
        return True

    async def settle(self, _job, _address):
        """Do nothing: no update of a card is pending."""

    async def deliver(self, outgoing):
        """Record the final card of a job."""
        await self.show(outgoing.card, outgoing.address)
        return Sent()

    async def show(self, card, address):
        """Record a card."""
        assert address.platform == "web"
        async with self.changed:
            self.cards.append(card)
            self.changed.notify_all()

    def of(self, job_id):
        """Return the cards of a job."""
        return [card for card in self.cards if card.job == job_id]

    async def until(self, job_id, state):
        """Wait until the last card of a job has a state, and return it."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.of(job_id) and self.of(job_id)[-1].state == state)
        return self.of(job_id)[-1]


@asynccontextmanager
async def dispatching(store, script, wall, **changes):
    """Run a dispatcher that polls more often than usual."""
    quick = {"platforms": ["web"], "beat_seconds": 0.02, "poll_seconds": 0.02, **changes}
    async with Dispatcher(store, script, wall, **quick) as dispatcher:
        yield dispatcher


async def until(is_so):
    """Poll until a condition holds that has no event to wait for."""
    for _ in range(3000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never was so")

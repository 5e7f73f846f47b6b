"""A job that kills its worker, and the jobs that ran beside it."""

import asyncio

from bot.store.jobs.job import DONE, FAILED
from tests.dispatching import DIED, PAINTED, Script, Wall, dispatching, until
from tests.stores import accepted, user_of


class OneWorker(Script):
    """An engine with one worker, which `poison` kills with all its requests; the first time when it has four."""

    def __init__(self):
        super().__init__()
        self.death = asyncio.Event()
        self.full = asyncio.Event()
        self.together = []
        self.now = set()

    async def run(self, request):
        """Run a request, unless the worker dies first."""
        words, death = request.prompt.text, self.death
        self.begun.append(words)
        self.now.add(words)
        self.together.append(frozenset(self.now))
        try:
            is_first = len(self.begun) <= 4
            if len(self.begun) == 4:
                self.full.set()
            if is_first:
                await self.full.wait()
            # Of the first four all but the poison wait for the end of the worker, however busy the machine is.
            async with asyncio.timeout(0.01 if words == "poison" else 30.0 if is_first else 0.1):
                await death.wait()
        except TimeoutError:
            if words != "poison":
                for one in PAINTED:
                    yield one
                return
            self.death = asyncio.Event()
            death.set()
        finally:
            self.now.discard(words)
        yield DIED


async def test_a_job_that_ends_its_worker_fails_alone(store):
    """Jobs that ran beside the killer are retried one at a time, and all of them finish."""
    ann = await user_of(store)
    poison, *others = [await accepted(store, ann, words) for words in ("poison", "a", "b", "c")]
    engine, wall = OneWorker(), Wall()
    async with dispatching(store, engine, wall):
        await until(lambda: all(wall.of(job.id) and not wall.of(job.id)[-1].is_open for job in (poison, *others)))
    assert [wall.of(job.id)[-1].state for job in (poison, *others)] == [FAILED, DONE, DONE, DONE]
    assert engine.begun.count("poison") == 2
    assert max(map(len, engine.together)) == 4
    assert all(len(one) == 1 for one in engine.together[4:])

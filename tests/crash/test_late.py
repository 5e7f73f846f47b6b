"""A process that is stopped for longer than its leases: others take over, and when it resumes nothing is shown or charged twice."""

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks.standing.chat import BLIND, NUMBERED, POLICY, REPLY, Setup
from benchmarks.standing.judging import judged, told_in_the_end
from benchmarks.standing.platform import Platform
from benchmarks.standing.processes import Chat
from bot.store import schema
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from tests.stores import ALL, server, url

__all__ = ["server", "url"]

#: Rounds of each test that have to succeed; a nightly run should use 200.
ROUNDS = int(os.environ.get("EASEL_TEST_LATE_ROUNDS", "2" if ALL else "1"))

LEASE = 1.2

PATIENCE = 20.0


class Scene(Platform):
    """A platform with two chat processes, one of which can be stopped."""

    def __init__(self, folder, store):
        super().__init__(folder, random.Random(ROUNDS))
        self.store = store
        self.accepted = []
        self.stops_at_delivery = False
        self.stopped = 0

    async def asked(self, words, kind):
        """Request a picture as a user and return its job."""
        await until(lambda: len(self.lines) == 2)
        asked = {"op": "ask", "command": "imagine", "words": words, "person": "ann", "place": f"{kind} of ann"}
        if kind == REPLY:
            asked["message"] = self.placeholder()
        (job,) = (await random.choice(self.lines).ask(asked))["jobs"]
        self.accepted.append(job)
        return job

    def stop(self, pid):
        """Stop a process, as a computer does that runs out of memory or is suspended."""
        self.stopped = pid
        os.kill(pid, signal.SIGSTOP)

    async def go_on(self):
        """Resume the process, and wait until it has finished the interrupted action."""
        os.kill(self.stopped, signal.SIGCONT)
        (line,) = (line for line in self.lines if line.pid == self.stopped)
        await line.ask({"op": "ask", "command": "queue", "person": "ann", "place": "reply of ann"})
        await asyncio.sleep(LEASE / 2)
        self.stopped = 0

    async def arrived(self, said, line):
        """Stop a delivering process just before it learns that its message has arrived."""
        if self.stops_at_delivery and not self.stopped:
            self.stop(line.pid)
        await super().arrived(said, line)


async def until(is_so):
    """Wait until a condition holds, and return whether it did within `PATIENCE` seconds."""
    for _ in range(int(PATIENCE / 0.02)):
        if is_so():
            return True
        await asyncio.sleep(0.02)
    return False


@asynccontextmanager
async def scene(url, folder):
    """Yield a platform and two chat processes that share a store."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url))
        await schema.prepare(database)
        platform = Scene(folder, Store.of(database, BlobStore(str(folder / "files")), POLICY))
        setup = Setup(url, str(folder / "files"), platform.socket, workers=1, lease=LEASE)
        for number in range(2):
            await stack.enter_async_context(Chat(setup, folder / f"chat {number}.log"))
        await stack.enter_async_context(platform)
        try:
            yield platform
        finally:
            if platform.stopped:
                os.kill(platform.stopped, signal.SIGCONT)


async def all_is_well(platform):
    """Assert that all promises were kept for every job."""
    await told_in_the_end(platform.store, platform.accepted, PATIENCE)
    verdict = await judged(platform.store, platform, platform.accepted)
    assert verdict.broken == {}
    assert verdict.done == len(platform.accepted)
    return verdict


async def test_a_late_result_is_refused(url, tmp_path):
    """If a process is stopped while it runs a job, another process takes the job, and the late result of the first changes nothing."""
    taken = 0
    async with scene(url, tmp_path) as platform:
        for number in range(5 * ROUNDS):
            job = await platform.asked(f"picture {number} slow 0.8", (REPLY, NUMBERED, BLIND)[number % 3])
            assert await until(lambda job=job: job in platform.painters)
            await asyncio.sleep(platform._chance.uniform(0.0, 0.7))
            platform.stop(platform.painters[job])
            # If it is stopped in the middle of a transaction, all other processes have to wait for it.
            taken += await until(lambda job=job: job in platform.shown)
            await platform.go_on()
            if taken == ROUNDS:
                break
        verdict = await all_is_well(platform)
    assert taken == ROUNDS
    assert verdict.retried


async def test_a_late_delivery_is_not_repeated(url, tmp_path):
    """If a process is stopped while it delivers, another process takes the delivery, and users see the result once."""
    taken = []
    async with scene(url, tmp_path) as platform:
        for number in range(5 * ROUNDS):
            kind = (REPLY, NUMBERED, BLIND)[len(taken) % 3]
            platform.stops_at_delivery = True
            job = await platform.asked(f"picture {number}", kind)
            assert await until(lambda: platform.stopped)
            platform.stops_at_delivery = False
            assert job in platform.shown
            if await until(lambda job=job: platform.repeats[job] or job in platform.unsure):
                taken.append(kind)
            # If it is stopped in the middle of a transaction, all other processes have to wait for it.
            await platform.go_on()
            if len(taken) == ROUNDS:
                break
        verdict = await all_is_well(platform)
    assert len(taken) == ROUNDS
    assert verdict.unknown == taken.count(BLIND)

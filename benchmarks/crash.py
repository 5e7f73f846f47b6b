"""`kill -9`, hundreds of times, of running processes: engine workers, chat processes, and the PostgreSQL server itself.

Users request pictures on a stand-in for a real platform (it never dies, and remembers everything it ever showed) while processes are killed
at random. A user who gets no answer retries with the same key, as platforms do. The promise is that every request that was reported as
accepted ends, is shown once and charged once. A request may fail if it was running when its worker was killed more than once; then the user
gets the reason and a refund. `--long` runs ten times as much.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import msgspec

from benchmarks.measure import report
from benchmarks.standing.chat import BLIND, NUMBERED, POLICY, REPLY, Setup
from benchmarks.standing.judging import Verdict, judged, told_in_the_end
from benchmarks.standing.platform import Platform
from benchmarks.standing.processes import Chat, Server, postgresql
from bot.store import schema
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store

PERSONS = 15

#: The most jobs that are open at the same time.
_WINDOW = 30

#: The last kill comes when this share of the jobs has ended: the remaining jobs can still go wrong.
_LAST_KILL = 0.95

#: Lease of a job: long enough for a busy machine, short enough for a test. Deaths are noticed at once regardless of it.
_LEASE_SECONDS = 6.0

#: If nothing moves for this long, something is lost.
_QUIET_SECONDS = 60.0


class Plan(msgspec.Struct, frozen=True):
    """How many jobs and kills there are; `servers` counts kills of the database server, `chats` the chat processes that share the store."""

    name: str
    jobs: int
    kills: int
    servers: int = 0
    chats: int = 1
    workers: int = 2

    def part(self, parts: int) -> "Plan":
        """Return one of so many equal parts of the plan."""
        return msgspec.structs.replace(self, jobs=self.jobs // parts, kills=self.kills // parts, servers=-(-self.servers // parts))


PLANS = (Plan("sqlite", 3000, 300), Plan("postgresql", 1200, 100, servers=20, chats=2, workers=1))


class Driver:
    """Sends requests, kills processes, and waits for the end."""

    def __init__(self, plan: Plan, platform: Platform, chats: list[Chat], server: Server | None, chance: random.Random) -> None:
        self._plan = plan
        self._platform = platform
        self._chats = chats
        self._server = server
        self._chance = chance
        #: The accepted jobs by their keys, and the moment and the target of each kill.
        self.accepted: dict[str, str] = {}
        self.refused: list[str] = []
        self.kills: list[tuple[float, str]] = []

    async def run(self) -> bool:
        """Send all requests while processes are killed; return True when all are sent, or False if nothing moves any more."""
        doing = {asyncio.create_task(self._kill())}
        try:
            for number in range(self._plan.jobs):
                await self._platform.until(number - _WINDOW + 1, _QUIET_SECONDS)
                doing.add(asyncio.create_task(self._ask(number)))
            await asyncio.wait_for(asyncio.gather(*doing), 4 * _QUIET_SECONDS)
        except TimeoutError:
            return False
        finally:
            for task in doing:
                task.cancel()
        return True

    async def _ask(self, number: int) -> None:
        """Request a picture until the request is accepted; cancel it in some cases."""
        kind = self._chance.choice((REPLY, REPLY, NUMBERED, BLIND))
        user = f"person {self._chance.randrange(PERSONS)}"
        asked = {"op": "ask", "person": user, "place": f"{kind} of {user}", "key": f"update {number}"}
        if kind == REPLY:
            asked["message"] = self._platform.placeholder()
        words = f"picture {number}{' refused' if self._chance.random() < 0.02 else ''}"
        said = await self._answered({**asked, "command": "imagine", "words": words})
        if "refused" in said:
            self.refused.append(said["refused"])
            return
        (job,) = said["jobs"]
        self.accepted[asked["key"]] = job
        if self._chance.random() < 0.03:
            await asyncio.sleep(self._chance.uniform(0.0, 0.5))
            await self._answered({**asked, "command": "cancel", "given": {"job": job}, "key": f"cancel {number}"})

    async def _answered(self, asked: dict[str, object]) -> dict[str, object]:
        """Repeat a question until a chat process answers it, and return the answer."""
        while True:
            try:
                if self._platform.lines:
                    said = await self._chance.choice(self._platform.lines).ask(asked)
                    if "broke" not in said:
                        return said
            except ConnectionError:
                pass
            await asyncio.sleep(0.1)

    async def _kill(self) -> None:
        """Kill a process or the server at random points of the progress."""
        last = _LAST_KILL * self._plan.jobs
        whats = [*["process"] * self._plan.kills, *["server"] * self._plan.servers]
        for moment, what in sorted((self._chance.uniform(0, last), what) for what in whats):
            await self._platform.until(moment, _QUIET_SECONDS)
            await asyncio.sleep(self._chance.uniform(0.0, 0.1))
            await (self._kill_server() if what == "server" else self._kill_process())

    async def _kill_process(self) -> None:
        """Kill a worker or, in two of five cases, a chat process."""
        while True:
            chat = self._chance.choice(self._chats)
            if self._chance.random() < 0.4:
                if chat.signal(signal.SIGKILL):
                    self.kills.append((time.monotonic(), "chat"))
                    return
            elif workers := chat.workers:
                try:
                    os.kill(self._chance.choice(workers), signal.SIGKILL)
                except ProcessLookupError:
                    pass
                else:
                    self.kills.append((time.monotonic(), "worker"))
                    return
            await asyncio.sleep(0.02)

    async def _kill_server(self) -> None:
        assert self._server is not None
        self._server.kill()
        self.kills.append((time.monotonic(), "server"))
        await asyncio.to_thread(self._server.start)

    def recoveries(self) -> dict[str, float]:
        """Return the longest time from a kill to the next end shown to users, by target of the kill."""
        ends, longest = sorted(self._platform.moments.values()), dict[str, float]()
        for moment, what in self.kills:
            if (after := next((end for end in ends if end > moment), None)) is not None:
                longest[what] = max(longest.get(what, 0.0), after - moment)
        return longest


class Figures(msgspec.Struct, frozen=True):
    """The results of a plan."""

    verdict: Verdict
    went_on: bool
    refused: int
    kills: dict[str, int]
    recoveries: dict[str, float]
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Return whether every promise was kept."""
        return self.went_on and not self.verdict.broken and not self.refused

    def told(self) -> dict[str, object]:
        """Return the figures for the report."""
        one = self.verdict
        return {
            **{"jobs": one.jobs, "kills": sum(self.kills.values()), **{f"kills_of_{what}s": count for what, count in self.kills.items()}},
            **{"lost": len(one.lost), "shown_twice": len(one.shown_twice), "charged_twice": len(one.charged_wrong)},
            **{"ledger_mistakes": len(one.ledger_mistakes), "hidden": len(one.hidden), "untold": len(one.untold)},
            **{"without_pictures": len(one.without_pictures), "integrity": one.integrity, "refused": self.refused, "went_on": self.went_on},
            **{
                "done": one.done,
                "failed": one.failed,
                "failed_by_kills": one.failed_by_kills,
                "cancelled": one.cancelled,
                "retried": one.retried,
                "unknown": one.unknown,
            },
            **{"seconds": self.seconds, "longest_recovery": max(self.recoveries.values(), default=0.0), "recoveries": self.recoveries},
        }


async def carried_out(plan: Plan, folder: Path, url: str, server: Server | None, chance: random.Random) -> Figures:
    """Run a plan and return its results."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url))
        await schema.prepare(database)
        store = Store.of(database, BlobStore(str(folder / "files")), POLICY)
        platform = Platform(folder, chance)
        setup = Setup(url, str(folder / "files"), platform.socket, plan.workers, lease=_LEASE_SECONDS)
        # The order matters: the chat processes exit when the platform hangs up.
        chats = [await stack.enter_async_context(Chat(setup, folder / f"chat {number}.log")) for number in range(plan.chats)]
        await stack.enter_async_context(platform)
        driver = Driver(plan, platform, chats, server, chance)
        went_on = await driver.run()
        await told_in_the_end(store, driver.accepted.values(), _QUIET_SECONDS)
        verdict = await judged(store, platform, driver.accepted.values())
        kinds = [what for _, what in driver.kills]
        kills = {what: kinds.count(what) for what in dict.fromkeys(kinds)}
        return Figures(verdict, went_on, len(driver.refused), kills, driver.recoveries(), time.monotonic() - began)


def run(plan: Plan, folder: Path, seed: int) -> Figures | None:
    """Run a plan on its database; return `None` if PostgreSQL's programs are not installed."""
    folder.mkdir(parents=True)
    chance = random.Random(f"{seed} {plan.name}")
    with ExitStack() as stack:
        server = None
        url = f"sqlite+aiosqlite:///{folder}/easel.db"
        if plan.servers:
            if (programs := postgresql()) is None:
                return None
            server = stack.enter_context(Server(folder / "server", programs))
            url = server.url
        return asyncio.run(carried_out(plan, folder, url, server, chance))


def main() -> int:
    """Run both plans and report; the exit status tells whether every promise was kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--long", action="store_true", help="the whole plan, not a tenth")
    parser.add_argument("--part", type=int, default=10, help="how much: one of so many parts of the plan; 10 unless given")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="what is killed when")
    parser.add_argument("--only", choices=[plan.name for plan in PLANS], help="one of the databases")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    folder, told, kept = Path(tempfile.mkdtemp(prefix="easel-crash-")), dict[str, object](), True
    folder.chmod(0o755)
    for plan in PLANS:
        if given.only in (None, plan.name):
            figures = run(plan if given.long else plan.part(given.part), folder / plan.name, given.seed)
            told[plan.name] = figures.told() if figures is not None else "skipped: PostgreSQL's programs are not here"
            print(f"{plan.name}: {told[plan.name]}", flush=True)
            if figures is not None and not figures.is_kept:
                kept = False
                print(f"{plan.name}: broken: {figures.verdict.broken}; logs are in {folder}", flush=True)
    if kept:
        shutil.rmtree(folder)
    report(ratio=None, seed=given.seed, kept=kept, **_together(told), **told)
    return 0 if kept else 1


def _together(told: dict[str, object]) -> dict[str, float]:
    """Return the combined figures of all databases: sums, and the longest of all recoveries."""
    figures = [one for one in told.values() if isinstance(one, dict)]
    summed = ("jobs", "kills", "lost", "shown_twice", "charged_twice", "ledger_mistakes", "retried", "failed", "failed_by_kills", "seconds")
    return {name: sum(one[name] for one in figures) for name in summed} | {
        "longest_recovery": max((one["longest_recovery"] for one in figures), default=0.0)
    }


if __name__ == "__main__":
    sys.exit(main())

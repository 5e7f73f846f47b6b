"""A platform that never dies: it keeps every message that users ever saw, in memory and in a journal that survives a power failure.

It lives in the process that kills all others, and the judge queries it afterwards.
"""

import asyncio
import itertools
import json
import os
import random
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.standing.line import Line, Message

#: Accepting a result takes up to this long, so that a kill can come in between.
_SLOWEST_SECONDS = 0.02


class Platform:
    """Listens on a socket in `folder`; an async context manager. `lines` are the connections of the current chat processes."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.socket = str(folder / "platform.sock")
        self._journal = (folder / "journal").open("a", encoding="utf-8")
        self._chance = chance
        self._names = (f"m{number}" for number in itertools.count(1))
        self._server: asyncio.Server | None = None
        self.lines: list[Line] = []
        #: Whether a message shows the end of a job, by the id of the message; and the message of each number already posted.
        self._ended: dict[str, bool] = {}
        self._numbered: dict[str, str] = {}
        #: The messages that show how a job ended, and the content of the last of them.
        self.shown: defaultdict[str, set[str]] = defaultdict(set)
        self.last: dict[str, Message] = {}
        #: How often the end of a job was delivered again.
        self.repeats = Counter[str]()
        #: Jobs whose user was asked whether the result had arrived.
        self.unsure: set[str] = set()
        #: Jobs whose end is hidden by an older view now, how often an older view came after the end, and when each end was first shown.
        self.hidden: set[str] = set()
        self.stale = Counter[str]()
        self.moments: dict[str, float] = {}
        #: The process that last reported that it runs a job, by job.
        self.painters: dict[str, int] = {}
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._met, self.socket, limit=2**20)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.close()
        for line in tuple(self.lines):
            line.close()
        self._journal.close()

    def placeholder(self) -> str:
        """Return a new message that acknowledges a request."""
        name = next(self._names)
        self._ended[name] = False
        return name

    async def until(self, jobs: float, quiet_seconds: float) -> None:
        """Wait until users know the end of this many jobs; raises `TimeoutError` if no end arrives for `quiet_seconds`."""
        async with self._news:
            while len(self.shown.keys() | self.unsure) < jobs:
                await asyncio.wait_for(self._news.wait(), quiet_seconds)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, delivering = Line(reader, writer), set[asyncio.Task[None]]()
        async for said in line.heard():
            match said["op"]:
                case "hello":
                    line.pid = said["pid"]
                    self.lines.append(line)
                case "show":
                    self._show(said, line)
                case _:
                    task = asyncio.create_task(self._deliver(said, line))
                    delivering.add(task)
                    task.add_done_callback(delivering.discard)
        if line in self.lines:
            self.lines.remove(line)

    def _show(self, said: Message, line: Line) -> None:
        """Update the placeholder, unless it already shows the end."""
        if said["state"] == "running":
            self.painters[said["job"]] = line.pid
        # An end shown as a plain view, for example after a cancellation, is no delivery. But no older view may replace it.
        if self._ended.get(said["message"]):
            is_open = said["state"] in ("waiting", "paused", "running")
            (self.hidden.add if is_open else self.hidden.discard)(said["job"])
            self.stale[said["job"]] += is_open

    async def _deliver(self, said: Message, line: Line) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, _SLOWEST_SECONDS))
        if said["op"] == "unsure":
            self.unsure.add(said["job"])
            message = ""
        else:
            message = self._posted(said)
            self._ended[message] = True
            self.hidden.discard(said["job"])
            self.repeats[said["job"]] += said["job"] in self.shown
            self.shown[said["job"]].add(message)
            self.last[said["job"]] = said
            self.moments.setdefault(said["job"], time.monotonic())
        self._journal.write(json.dumps({"at": time.time(), **said, "message": message}) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        async with self._news:
            self._news.notify_all()
        await self.arrived(said, line)
        line.answer(said, {"message": message})

    async def arrived(self, said: Message, line: Line) -> None:
        """Wait: a result has arrived here, whether or not its sender lives to receive the answer."""
        del said, line
        await asyncio.sleep(self._chance.uniform(0.0, _SLOWEST_SECONDS))

    def _posted(self, said: Message) -> str:
        """Return the message that shows a result: the edited message, the earlier message with the same number, or a new message."""
        if said["op"] == "edit":
            return str(said["message"])
        number = said.get("number")
        if number is None:
            return next(self._names)
        return self._numbered.setdefault(number, next(self._names))

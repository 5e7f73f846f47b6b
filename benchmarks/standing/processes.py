"""Processes that are killed and come back: chat processes, and a private PostgreSQL server."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil
import psycopg

from benchmarks.standing.chat import Setup

ROOT = Path(__file__).parents[2]

#: Seconds that a process may take to start or to exit cleanly.
_PATIENCE = 30.0


class Chat:
    """A chat process that is restarted whenever it exits; an async context manager. Its output goes to `log`."""

    def __init__(self, setup: Setup, log: Path) -> None:
        self._command = (sys.executable, "-m", "benchmarks.standing.chat", msgspec.json.encode(setup).decode())
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._living: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        self._living = asyncio.create_task(self._live())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing = True
        if self._living is not None:
            done, _ = await asyncio.wait([self._living], timeout=_PATIENCE if kind is None else 0.0)
            if not done:
                self.signal(signal.SIGKILL)
                await self._living

    @property
    def workers(self) -> list[int]:
        """Return the ids of the worker processes that are alive now."""
        if self._process is None or self._process.returncode is not None:
            return []
        try:
            return [child.pid for child in psutil.Process(self._process.pid).children()]
        except psutil.Error:
            return []

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to the chat process itself and return whether it was alive."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.send_signal(number)
        return True

    async def _live(self) -> None:
        with self._log.open("ab") as log:
            while not self._closing:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
                await self._process.wait()
                # As a service manager would.
                await asyncio.sleep(0.1)


class Server:
    """A private PostgreSQL server in `folder`, run as an unprivileged user; a context manager."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        owner = self._user or psutil.Process().username()
        self._plain = f"//{owner}@/postgres?host={folder}"
        self.url = f"postgresql+psycopg:{self._plain}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir()
        if self._user:
            shutil.chown(self._folder, self._user)
        owner = ["--username", self._user] if self._user else []
        made = self._run("initdb", "--auth=trust", "--encoding=UTF8", "--no-sync", *owner, "--pgdata", str(self._data))
        if made.wait(timeout=_PATIENCE):
            raise RuntimeError(f"initdb failed; see {self._folder.parent}/postgresql.log")
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_PATIENCE)

    def start(self) -> None:
        """Start the server and wait until it answers; remains of a killed server may delay it for a moment."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                self._process = self._run("postgres", "-D", str(self._data), "-k", str(self._folder), "-c", "listen_addresses=")
            try:
                psycopg.connect(f"postgresql:{self._plain}", connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the server does not start; see {self._folder.parent}/postgresql.log")

    def kill(self) -> None:
        """Kill the server as `kill -9` does; its backend processes notice that and exit."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder.parent / "postgresql.log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *arguments], user=self._user, group=self._user, extra_groups=[] if self._user else None,
                cwd=self._folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


def postgresql() -> Path | None:
    """Return the folder with the programs of the newest installed PostgreSQL, or `None` if there is none."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(installed, key=lambda path: int(path.parent.name) if path.parent.name.isdecimal() else 0, default=None)

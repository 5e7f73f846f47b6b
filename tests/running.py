"""`easel run` as a separate process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]


@contextmanager
def on_one_core():
    """Restrict the processes started inside to one core: several processes that share cores spend a long time waiting for each other."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[os.getpid() % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class Easel:
    """A process of `easel run` in a folder; `settings` become environment variables, and `said` is its output."""

    def __init__(self, folder, **settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"WEB__PORT": port, **settings}
        # Without Python's bytecode cache, each start would compile Easel again.
        apart = ("EASEL__", "PYTHONDONTWRITEBYTECODE")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(apart)}
        self._environment = plain | {f"EASEL__{name}": str(value) for name, value in settings.items()} | {"PYTHONPATH": str(ROOT)}
        self._folder = folder
        self._file = folder / f"said-{port}"
        self._process = None

    @property
    def said(self):
        """Return the output so far."""
        return self._file.read_text()

    @property
    def is_running(self):
        """Whether the process is running."""
        return self._process.poll() is None

    def start(self):
        """Start the process."""
        command = [sys.executable, "-m", "tests.forked_easel", "run"]
        with self._file.open("wb") as file, on_one_core():
            self._process = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdout=file, stderr=file)

    def kill(self):
        """Kill the process and its workers at once, as a power failure would."""
        chat = psutil.Process(self._process.pid)
        for process in (*chat.children(recursive=True), chat):
            process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=30)

    async def stop(self):
        """Terminate the process and return its exit code."""
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, 30)

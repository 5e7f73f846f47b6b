"""Easel as users meet it: `easel run` in its own process, and visitors that use its chat page over sockets."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import psutil

ROOT = Path(__file__).parents[1]

#: Seconds; longer than a start takes on a slow disk, so a longer wait is a failure.
PATIENCE = 120.0


class Served:
    """`easel run` on its own port, with its store in `folder`; a context manager. `began` is the time when its process was started.

    `module` is the module to run instead of Easel's own command, with its arguments.
    """

    def __init__(self, folder: Path, module: Sequence[str] = ("adapters.cli", "run")) -> None:
        self._module = module
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        settings = {"WEB__PORT": str(self.port), "STORE__URL": f"sqlite+aiosqlite:///{folder}/easel.db", "FILES__URL": f"{folder}/files"}
        # If Python may not write bytecode, every start compiles Easel again, but not the installed libraries.
        apart = ("EASEL__", "PYTHONDONTWRITEBYTECODE")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(apart)}
        self._environment = plain | {f"EASEL__{name}": value for name, value in settings.items()} | {"PYTHONPATH": str(ROOT)}
        self._folder = folder
        self.began = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.began = time.perf_counter()
        command = [sys.executable, "-m", *self._module]
        self._process = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(timeout=30)

    def kill(self) -> None:
        """Kill the chat process and its workers at once, as a power failure would."""
        assert self._process is not None
        chat = psutil.Process(self._process.pid)
        for process in (*chat.children(recursive=True), chat):
            process.kill()
        self._process.wait(timeout=30)

    def megabytes(self) -> float:
        """Return the memory that the chat process holds now, without its workers."""
        assert self._process is not None
        return float(psutil.Process(self._process.pid).memory_info().rss / 1e6)


class Visitor:
    """A user with a browser: keeps the cookie and the page's token, and sends lines."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._headers: dict[str, str] = {}

    def enter(self) -> None:
        """Open the page; wait until the server is reachable."""
        deadline = time.perf_counter() + PATIENCE
        while True:
            try:
                answer, page = self._ask("GET", "/")
                break
            except (OSError, HTTPException):
                if time.perf_counter() > deadline:
                    raise
                time.sleep(0.005)
        if (cookie := answer.getheader("Set-Cookie")) is not None:
            self._headers["Cookie"] = cookie.partition(";")[0]
        found = re.search(rb'<meta name="easel-token" content="([^"]+)"', page)
        assert found is not None, "the page has no token"
        self._headers["X-Easel-Token"] = found[1].decode()

    def moved(self, port: int) -> None:
        """Move to the same page at another port, with the same cookie."""
        self._port = port

    def page(self) -> str:
        """Return the page as it is served now."""
        return self._ask("GET", "/")[1].decode()

    def say(self, line: str) -> list[str]:
        """Send a line and return the ids of the accepted jobs."""
        boundary = "line"
        body = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("line", line), ("key", os.urandom(8).hex()))
        )
        answer, said = self._ask("POST", "/say", f"{body}--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")
        if answer.status != 200:
            raise RuntimeError(f"{line!r} was answered with {answer.status}: {said[:200]!r}")
        return [str(job["id"]) for job in json.loads(said)["jobs"]]

    def press(self, wire: str) -> None:
        """Press a button."""
        self._ask("POST", "/press", urlencode({"wire": wire, "key": os.urandom(8).hex()}).encode(), "application/x-www-form-urlencoded")

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the data of each event that the page would receive, on a separate connection."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        connection.request("GET", "/events", headers=self._headers)
        stream, name = connection.getresponse(), ""
        try:
            for raw in stream:
                line = raw.decode().rstrip("\r\n")
                if line.startswith("event:"):
                    name = line.removeprefix("event:").strip()
                elif line.startswith("data:"):
                    yield name, json.loads(line.removeprefix("data:"))
        finally:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[HTTPResponse, bytes]:
        origin = {"Origin": f"http://127.0.0.1:{self._port}", "Content-Type": kind} if body is not None else {}
        # A new connection for each request: the server closes connections that are idle for some seconds, and generating takes longer.
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method, path, body, self._headers | origin)
            answer = connection.getresponse()
            return answer, answer.read()

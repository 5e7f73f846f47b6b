"""The local engine: one supervised worker process per device. Imports no torch.

If a worker dies or hangs, its running requests get a `Failed` and the worker is restarted; the calling process is not affected.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from time import monotonic
from types import TracebackType
from typing import Self

from inference.contract.errors import Fact, Problem
from inference.contract.model_info import ModelInfo, not_offered
from inference.contract.protocol import Beat, Begin, Broken, Cancel, FromWorker, Paint, Ready, Told, decode_from_worker, frame, length_of
from inference.contract.request import Done, Event, Failed, PictureRequest
from inference.contract.settings import EngineSettings
from inference.images.validation import check_bytes

log = logging.getLogger("easel.engine")

#: A worker that sends no message for this long has hung or lost its machine; it sends a heartbeat every second.
SILENCE_SECONDS = 30.0

#: How long a worker may take to import its libraries on a cold disk.
START_SECONDS = 240.0

#: Pauses in seconds before a start, by the number of consecutive failures; a worker that became ready resets the count.
PAUSES = (0.0, 0.5, 2.0, 5.0, 15.0, 60.0)

#: The command that starts a worker, a process that speaks `contract.protocol` on its standard input and output.
COMMAND = (sys.executable, "-m", "inference.worker.main")


class Worker:
    """A worker process and the requests that run in it; the process is restarted if it ends without being stopped."""

    def __init__(
        self, device: str, settings: EngineSettings, model_infos: dict[str, ModelInfo], command: Sequence[str] | None = None
    ) -> None:
        self.device = device
        self._command = command or COMMAND
        self._begin = Begin(device, settings, model_infos)
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._heard = monotonic()
        self._requests: dict[int, asyncio.Queue[Event]] = {}
        #: The last heartbeat.
        self.beat = Beat(0.0, 0, (), 0)
        self.restarts = 0
        #: Set while the worker cannot start at all; requests fail with it instead of waiting forever.
        self.broken: Problem | None = None

    @property
    def pid(self) -> int | None:
        """Return the id of the current worker process, None before the first start."""
        return self._process.pid if self._process is not None else None

    @property
    def is_ready(self) -> bool:
        """Return whether the worker takes requests now; if not, it is starting or cannot start."""
        return self._ready.is_set()

    @property
    def load(self) -> int:
        """Return the number of requests that run or wait in this worker."""
        return len(self._requests)

    async def supervise(self) -> None:
        """Keep a worker process running until cancelled."""
        failures = 0
        try:
            while True:
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                try:
                    reason = await self._live()
                except OSError as error:
                    reason = self.broken = Problem("worker-start", {"kind": type(error).__name__})
                failures = 1 if self._ready.is_set() else failures + 1
                self._lost(reason)
                self.restarts += 1
                log.warning("worker.lost device=%s reason=%s restarts=%s", self.device, reason, self.restarts)
        finally:
            await self._end()

    async def _live(self) -> Problem:
        """Run a worker process until it ends; return the reason."""
        self._ready.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**20, env=_environment(),
            # A Ctrl-C in the terminal must reach only the calling process, which then cancels in an orderly way.
            start_new_session=True,
        )  # fmt: skip
        self._heard = monotonic()
        self._send(frame(self._begin))
        watch = asyncio.create_task(self._watch(process))
        try:
            reason = await self._listen(process)
        finally:
            watch.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        code = await process.wait()
        return reason or watch_reason(watch) or Problem("worker-died", {"code": code, "device": self.device})

    async def _listen(self, process: asyncio.subprocess.Process) -> Problem | None:
        """Handle messages until the worker ends; return its problem if it reported one or sent an invalid message."""
        assert process.stdout is not None
        try:
            while True:
                body = await process.stdout.readexactly(length_of(await process.stdout.readexactly(4)))
                self._heard = monotonic()
                if (broken := self._hear(decode_from_worker(body))) is not None:
                    return broken
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except ValueError as error:
            # Only a compromised or corrupted worker sends something that is not a message.
            return Problem("worker-garbled", {"detail": str(error)[:200]})

    def _hear(self, message: FromWorker) -> Problem | None:
        if isinstance(message, Told):
            if (waiting := self._requests.get(message.id)) is not None:
                waiting.put_nowait(message.event)
        elif isinstance(message, Beat):
            self.beat = message
        elif isinstance(message, Ready):
            self.broken = None
            self._ready.set()
        elif isinstance(message, Broken):
            self.broken = message.problem
            return message.problem
        return None

    async def _watch(self, process: asyncio.subprocess.Process) -> Problem:
        """Kill the worker if it hangs; return the problem."""
        while True:
            await asyncio.sleep(1.0)
            silent, busy = monotonic() - self._heard, self.beat.busy_seconds
            if silent > (SILENCE_SECONDS if self._ready.is_set() else START_SECONDS):
                facts: dict[str, Fact] = {"seconds": round(silent), "device": self.device}
            elif busy > self._settings.hang_seconds:
                facts = {"seconds": round(busy), "device": self.device}
            else:
                continue
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return Problem("worker-hung", facts)

    def _lost(self, reason: Problem) -> None:
        self.beat = Beat(0.0, 0, (), 0)
        self._ready.clear()
        for waiting in self._requests.values():
            waiting.put_nowait(Failed(reason))

    def _send(self, data: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(data)

    async def run(self, number: int, request: PictureRequest) -> AsyncGenerator[Event, None]:
        """Run a request in this worker; closing the iterator cancels it."""
        events = self._requests[number] = asyncio.Queue[Event]()
        asked = False
        try:
            while not self._ready.is_set():
                if self.broken is not None:
                    yield Failed(self.broken)
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ready.wait(), 0.2)
            # Drop events of a worker that died while starting: it never received this request.
            events = self._requests[number] = asyncio.Queue[Event]()
            self._send(frame(Paint(number, request)))
            asked = True
            while True:
                event = await events.get()
                if isinstance(event, Done | Failed):
                    asked = False
                yield event
                if not asked:
                    return
        finally:
            del self._requests[number]
            if asked:
                self._send(frame(Cancel(number)))

    async def _end(self) -> None:
        """Stop the worker by closing its pipe; kill it if it has not ended after three seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(3):
                await process.wait()
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class LocalEngine:
    """An `Engine` that uses worker processes on this computer; an async context manager."""

    def __init__(self, settings: EngineSettings, model_infos: dict[str, ModelInfo], command: Sequence[str] | None = None) -> None:
        self._model_infos = model_infos
        self.workers = [Worker(device, settings, model_infos, command) for device in devices(settings)]
        self._numbers = itertools.count(1)
        self._living: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._living = [asyncio.create_task(worker.supervise()) for worker in self.workers]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # No task group: it would wrap the caller's exception, and supervisors run until they are cancelled.
        for task in self._living:
            task.cancel()
        await asyncio.gather(*self._living, return_exceptions=True)

    def model_infos(self) -> dict[str, ModelInfo]:
        """Return the models that a request can name, by name."""
        return self._model_infos

    @property
    def is_able(self) -> bool:
        """Return whether any worker runs or may start; see `Engine.is_able`."""
        return any(worker.broken is None for worker in self.workers)

    async def run(self, request: PictureRequest) -> AsyncGenerator[Event, None]:
        """Run a request, preferably on a device that has its model loaded, then on the least busy device; see `Engine.run`."""
        if request.model not in self._model_infos:
            raise not_offered("model", request.model, tuple(self._model_infos))
        self._model_infos[request.model].check(request)
        for given in request.inputs:
            check_bytes(given.data)
        worker = min(self.workers, key=lambda one: (one.broken is not None, request.model not in one.beat.models, one.load))
        async with contextlib.aclosing(worker.run(next(self._numbers), request)) as events:
            async for event in events:
                yield event


def watch_reason(watch: "asyncio.Task[Problem]") -> Problem | None:
    """Return why the watch task killed the worker, or None if it did not."""
    return watch.result() if watch.done() and not watch.cancelled() else None


def devices(settings: EngineSettings) -> tuple[str, ...]:
    """Return the devices to use. For "auto" `nvidia-smi` lists the GPUs, because this process must not load torch."""
    if settings.devices != ("auto",):
        return settings.devices
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ("cpu",)
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, timeout=20, check=False).stdout
    count = sum(line.startswith("GPU ") for line in listed.splitlines())
    return tuple(f"cuda:{number}" for number in range(count)) or ("cpu",)


def _environment() -> dict[str, str]:
    """Return a worker's environment: that of this process, without Easel's settings, which hold the secrets of chat platforms."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("EASEL__")}
    # Threads of libgomp spin at barriers. Beside a busy process that made a picture 50 times as slow; this limit costs little when idle.
    kept.setdefault("GOMP_SPINCOUNT", "10000")
    return {**kept, "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

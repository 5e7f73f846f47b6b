"""The local engine: one supervised worker process per device. Free of torch.

A worker that dies or hangs costs its running requests a `Failed` and itself a restart; the asking process lives on.
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

#: A worker that says nothing for so long has hung or lost its machine; its beat comes every second.
SILENCE_SECONDS = 30.0

#: How long a worker may take to import its libraries on a cold disk.
START_SECONDS = 240.0

#: Pauses before the first, second, … restart in a row; a worker that became ready starts the count anew.
PAUSES = (0.0, 0.5, 2.0, 5.0, 15.0, 60.0)

#: What starts a worker: whatever is started speaks `wire` on its standard input and output.
COMMAND = (sys.executable, "-m", "inference.worker.main")


class Worker:
    """One worker process and the requests that run in it; restarted whenever it ends before it is told to."""

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
        #: What it last said of itself.
        self.beat = Beat(0.0, 0, (), 0)
        self.restarts = 0
        #: Set while the worker cannot start at all; asked requests fail with it instead of waiting for ever.
        self.broken: Problem | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id of the worker that runs now."""
        return self._process.pid if self._process is not None else None

    @property
    def is_ready(self) -> bool:
        """Return whether it takes requests now; if not it is starting, or cannot start."""
        return self._ready.is_set()

    @property
    def load(self) -> int:
        """Return how many requests run or wait here."""
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
        """Run one worker process to its end; return why it ended."""
        self._ready.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**20, env=_environment(),
            # A Ctrl-C in the terminal is for the asking process, which then cancels in order.
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
        """Hear the worker out; return what broke it, if it said so itself."""
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
            # Only a worker that was taken over or is out of its mind says what is not a message.
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
        """Kill the worker when it hangs."""
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
        """Paint a request here; closing the iterator cancels it."""
        events = self._requests[number] = asyncio.Queue[Event]()
        asked = False
        try:
            while not self._ready.is_set():
                if self.broken is not None:
                    yield Failed(self.broken)
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ready.wait(), 0.2)
            # What a worker that died while starting left behind is not about this request, which it never saw.
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
        """Let the worker go: closing its pipe tells it to stop; it is killed if it takes its time."""
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
    """An `Engine` of worker processes on this computer; an async context manager."""

    def __init__(self, settings: EngineSettings, model_infos: dict[str, ModelInfo], command: Sequence[str] | None = None) -> None:
        self._passports = model_infos
        self.workers = [Worker(device, settings, model_infos, command) for device in devices(settings)]
        self._numbers = itertools.count(1)
        self._living: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._living = [asyncio.create_task(worker.supervise()) for worker in self.workers]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # No task group: it would wrap what the caller raised, and a supervisor ends only when it is told to.
        for task in self._living:
            task.cancel()
        await asyncio.gather(*self._living, return_exceptions=True)

    def model_infos(self) -> dict[str, ModelInfo]:
        """Return what can be asked for, by name."""
        return self._passports

    @property
    def is_able(self) -> bool:
        """Return whether a worker runs or may start; see `Engine.is_able`."""
        return any(worker.broken is None for worker in self.workers)

    async def run(self, request: PictureRequest) -> AsyncGenerator[Event, None]:
        """Paint a request on the device that has its model and the least to do; see `Engine.run`."""
        if request.model not in self._passports:
            raise not_offered("model", request.model, tuple(self._passports))
        self._passports[request.model].check(request)
        for given in request.inputs:
            check_bytes(given.data)
        worker = min(self.workers, key=lambda one: (one.broken is not None, request.model not in one.beat.models, one.load))
        async with contextlib.aclosing(worker.run(next(self._numbers), request)) as events:
            async for event in events:
                yield event


def watch_reason(watch: "asyncio.Task[Problem]") -> Problem | None:
    """Return why the watch killed the worker, if it did."""
    return watch.result() if watch.done() and not watch.cancelled() else None


def devices(settings: EngineSettings) -> tuple[str, ...]:
    """Return the devices to use. "auto" asks the NVIDIA driver's own tool, because this process must not load torch."""
    if settings.devices != ("auto",):
        return settings.devices
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ("cpu",)
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, timeout=20, check=False).stdout
    count = sum(line.startswith("GPU ") for line in listed.splitlines())
    return tuple(f"cuda:{number}" for number in range(count)) or ("cpu",)


def _environment() -> dict[str, str]:
    """Return a worker's environment: this one's, without Easel's own settings, which hold the secrets of chat platforms."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("EASEL__")}
    # Threads of libgomp spin at barriers. Beside a busy process that made a picture 50 times as slow; this limit costs little when idle.
    kept.setdefault("GOMP_SPINCOUNT", "10000")
    return {**kept, "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

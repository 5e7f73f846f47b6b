"""The engine around the worker process: it generates, it recovers, and the parent process stays free of torch."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing

import pytest

from inference.contract.errors import InferenceError, NotOffered, OutOfRange, Problem
from inference.contract.inputs import Input, Role
from inference.contract.protocol import Told, decode_from_worker, frame, length_of
from inference.contract.request import Done, Failed, Picture, Step
from inference.contract.settings import EngineSettings
from inference.supervisor import COMMAND, LocalEngine
from inference.worker.main import EventSender
from tests.room import DEMO_INFO, asked

CPU = EngineSettings(devices=("cpu",))


async def told(engine, request, on_event=lambda _event: None):
    """Return every event of a request."""
    events = []
    async with aclosing(engine.run(request)) as stream:
        async for event in stream:
            events.append(event)
            on_event(event)
    return events


async def test_it_paints_and_tells_how_far_it_is():
    """Steps, a picture and the end arrive in this order, also for requests that run together."""
    async with LocalEngine(CPU, {"demo": DEMO_INFO}, COMMAND) as engine:
        both = await asyncio.gather(told(engine, asked(steps=5)), told(engine, asked(steps=3, count=2, seed=9)))

    for events, count in zip(both, (1, 2), strict=True):
        assert isinstance(events[-1], Done)
        assert sum(isinstance(event, Picture) for event in events) == count
        assert events[-1].device_seconds > 0


async def test_a_killed_worker_costs_its_requests_and_nothing_else():
    """kill -9 during generation is reported, the worker restarts, and the next request succeeds."""
    async with LocalEngine(CPU, {"demo": DEMO_INFO}) as engine:
        (worker,) = engine.workers

        def kill(event):
            if isinstance(event, Step) and event.n == 1:
                os.kill(worker.pid, signal.SIGKILL)

        cut = await told(engine, asked(steps=50), kill)
        after = await told(engine, asked(steps=2))

        assert isinstance(cut[-1], Failed)
        assert cut[-1].problem.key == "worker-died"
        assert isinstance(after[-1], Done)
        assert worker.restarts == 1


async def test_a_hanging_worker_is_replaced():
    """A worker that stops responding during generation is noticed, killed and replaced."""
    settings = EngineSettings(devices=("cpu",))
    async with LocalEngine(settings, {"demo": DEMO_INFO}, COMMAND) as engine:
        (worker,) = engine.workers
        await told(engine, asked(steps=1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("inference.supervisor.SILENCE_SECONDS", 2.0)

            def stop(event):
                if isinstance(event, Step) and event.n == 1:
                    os.kill(worker.pid, signal.SIGSTOP)

            cut = await told(engine, asked(steps=50), stop)

        assert isinstance(cut[-1], Failed)
        assert cut[-1].problem.key == "worker-hung"


async def test_closing_the_stream_cancels_the_request():
    """Closing the event stream cancels the work."""
    async with LocalEngine(CPU, {"demo": DEMO_INFO}) as engine:
        async with aclosing(engine.run(asked(steps=60))) as stream:
            async for event in stream:
                if isinstance(event, Step):
                    break
        await told(engine, asked(steps=1))
        (worker,) = engine.workers
        async with asyncio.timeout(30):
            while worker.beat.running:  # noqa: ASYNC110  # a beat comes once a second, and announces itself to nobody
                await asyncio.sleep(0.1)

        assert worker.load == 0


async def test_what_cannot_be_done_is_refused_before_it_is_queued():
    """An unknown model or scheduler, or a number out of range, raises at once with the valid values."""
    engine = LocalEngine(CPU, {"demo": DEMO_INFO})

    for request, kind in (
        (asked(model="demon"), NotOffered),
        (asked(scheduler="euler b"), NotOffered),
        (asked(steps=600), OutOfRange),
        (asked(count=0), OutOfRange),
        (asked(width=130), OutOfRange),
        (asked(guidance=float("nan")), OutOfRange),
        (asked(inputs=(Input(Role.INIT, b"x" * 100),), strength=0.01), OutOfRange),
    ):
        with pytest.raises(kind):
            await told(engine, request)


def test_the_asking_process_never_loads_torch():
    """A process that requests and receives a picture has not loaded torch, diffusers or transformers."""
    script = """
import asyncio, sys
from tests.asking import paint_one
print(asyncio.run(paint_one()))
print(sorted({"torch", "diffusers", "transformers", "compel"} & set(sys.modules)))
print([line for line in open("/proc/self/maps") if "libtorch" in line])
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=True).stdout

    assert told.splitlines() == ["Done", "[]", "[]"]


def test_steps_are_told_as_fast_as_one_can_see():
    """The first, the last and a few of many quick steps are reported; previews and all other events always."""
    said, moment = [], 0.0
    teller = EventSender(said.append, lambda: moment)
    for n in range(1, 61):
        teller.tell(1, Step(n, 60, b"jpeg" if n == 30 else None))
        moment += 1 / 64
    teller.tell(1, Done(1.0, 60))

    assert [one.event.n for one in said[:-1]] == [1, 8, 15, 22, 29, 30, 37, 44, 51, 58, 60]
    assert isinstance(said[-1].event, Done)


def test_messages_survive_the_pipe():
    """A framed message is read back unchanged, and an impossible length is refused."""
    message = Told(3, Failed(Problem("memory-spent", {"stage": "decode", "width": 5})))
    framed = frame(message)

    assert length_of(framed[:4]) == len(framed) - 4
    assert decode_from_worker(framed[4:]) == message
    with pytest.raises(ValueError, match="at most"):
        length_of(b"\xff\xff\xff\xff")


def test_problems_become_their_errors_again():
    """A problem that crossed the process border raises as its original class."""
    assert isinstance(InferenceError.of(Problem("range-number", {"name": "steps"})), OutOfRange)

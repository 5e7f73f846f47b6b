"""One attempt at a job: asking the engine, and keeping what it paints."""

import contextlib
from collections.abc import Callable
from time import monotonic

import msgspec

from bot.cards import Progress
from bot.errors import BotError
from bot.store.files import Files
from bot.store.job import Job, Painted
from inference.engine import Engine
from inference.errors import InferenceError
from inference.proof import Proof
from inference.request import Done, Failed, Note, Picture, Step


class Result(msgspec.Struct, frozen=True):
    """What an attempt came to: its pictures, the files already kept, the seconds they took of the device, and what painted them."""

    pictures: tuple[Painted, ...]
    device_seconds: float
    proof: Proof | None = None


async def attempt(
    job: Job, engine: Engine, files: Files, step: Callable[[Job, Progress], None], note: Callable[[Job, Note], None]
) -> Result:
    """Have a job painted and return what came of it; `step` and `note` hear how it goes.

    Raises `BotError` or `InferenceError` where it failed. Being cancelled cancels the work at its next step.
    """
    # Whose turn it takes is whose job it is now: two persons may have become one since it was accepted.
    request = msgspec.structs.replace(job.request, source=await _source(job, files), share=job.person)
    painted: list[Painted] = []
    clock = _Clock()
    async with contextlib.aclosing(engine.run(request)) as events:
        async for event in events:
            match event:
                case Step():
                    step(job, clock.progress(event))
                case Picture():
                    painted.append(await _kept(event, files))
                case Note():
                    note(job, event)
                case Done(device_seconds, _, proof):
                    return Result(tuple(sorted(painted, key=lambda one: one.index)), device_seconds, proof)
                case Failed(problem):
                    raise InferenceError.of(problem)
    raise RuntimeError("the engine ended without saying how")


class _Clock:
    """Reckons how long the rest of the steps takes, from the first step on: what came before was loading."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._preview: bytes | None = None

    def progress(self, step: Step) -> Progress:
        """Return how far it is after a step."""
        if step.n <= 1:
            self._began = monotonic()
        self._preview = step.preview or self._preview
        left = (monotonic() - self._began) / (step.n - 1) * (step.of - step.n) if 2 <= step.n < step.of else None
        return Progress(step.n, step.of, left, self._preview)


async def _source(job: Job, files: Files) -> bytes | None:
    if job.source is None:
        return None
    try:
        return await files.get(job.source)
    except FileNotFoundError:
        raise BotError("input-picture-gone") from None


async def _kept(picture: Picture, files: Files) -> Painted:
    return Painted(
        index=picture.index,
        seed=picture.seed,
        width=picture.width,
        height=picture.height,
        bytes=len(picture.image),
        file=await files.put(picture.image),
        thumbnail=await files.put(picture.thumbnail),
    )

"""Both sides of the engine benchmarks: a client of Easel's engine, and the stock pipelines it is compared with."""

import asyncio
import io
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any

import numpy as np
import torch
from PIL import Image

from inference.contract.model_info import ModelInfo
from inference.contract.modes import MODES
from inference.contract.request import Event, Failed, Picture, PictureRequest
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from inference.worker.environment import prepare

prepare()

from inference.models.families import FAMILIES  # noqa: E402  # the libraries behind these read what `prepare` has set
from inference.worker.model_loader import load  # noqa: E402
from inference.worker.schedulers import make  # noqa: E402

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def demo() -> ModelInfo:
    """Return the model info of the model that ships with Easel."""
    return read_catalogue([], None, WEIGHTS)["demo"]


class Asking:
    """An engine in a thread with its own event loop, so that plain functions can call it. A context manager."""

    def __init__(self, settings: EngineSettings, model_infos: dict[str, ModelInfo]) -> None:
        self._settings, self._model_infos = settings, model_infos
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._engine: LocalEngine | None = None
        self._closing = asyncio.Event()
        self._living: Future[None] | None = None

    def __enter__(self) -> "Asking":
        opened = threading.Event()
        self._thread.start()
        self._living = asyncio.run_coroutine_threadsafe(self._live(opened), self._loop)
        opened.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        if self._living is not None:
            self._living.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _live(self, opened: threading.Event) -> None:
        with suppress(asyncio.CancelledError):
            async with LocalEngine(self._settings, self._model_infos) as engine:
                self._engine = engine
                opened.set()
                await self._closing.wait()

    async def follow(self, request: PictureRequest, heard: Any = None) -> list[Event]:
        """Return all events of a request; `heard(event)` is called for each event as it arrives. Runs on the engine's loop."""
        assert self._engine is not None
        told: list[Event] = []
        async with aclosing(self._engine.run(request)) as events:
            async for event in events:
                told.append(event)
                if heard is not None:
                    heard(event)
        if isinstance(told[-1], Failed):
            raise RuntimeError(f"the engine failed: {told[-1].problem}")
        return told

    def paint(self, requests: Sequence[PictureRequest]) -> list[Pixels]:
        """Return the first image of each request; all requests are submitted concurrently."""

        async def together() -> list[list[Event]]:
            return await asyncio.gather(*(self.follow(request) for request in requests))

        told = asyncio.run_coroutine_threadsafe(together(), self._loop).result()
        return [decoded(next(event.image for event in events if isinstance(event, Picture))) for events in told]

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine on the engine's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class Stock:
    """The stock diffusers pipelines of a model, called one request at a time."""

    def __init__(self, model_info: ModelInfo, device: str, dtype: torch.dtype) -> None:
        self._loaded = load(model_info, dtype)
        self._loaded.to(torch.device(device))
        family = FAMILIES[model_info.family]
        self._text = self._loaded.pipeline(family.pipeline(MODES["txt2img"]))
        self._image = self._loaded.pipeline(family.pipeline(MODES["img2img"]))

    def paint(self, request: PictureRequest) -> Pixels:
        """Generate one image the way typical diffusers code does: prompt in, image out."""
        pipeline, more = self._text, {"width": request.width, "height": request.height}
        if request.inputs:
            pipeline = self._image
            more = {"image": Image.open(io.BytesIO(request.inputs[0].data)).convert("RGB"), "strength": request.strength}
        pipeline.scheduler = make(request.scheduler, self._loaded.scheduler_config)
        painted = pipeline(
            request.prompt.text,
            negative_prompt=request.negative.text or None,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            **more,
        )
        return np.asarray(painted.images[0])


def decoded(image: bytes) -> Pixels:
    """Return an encoded image as pixels."""
    return np.asarray(Image.open(io.BytesIO(image)))


def farthest(ours: Sequence[Pixels], theirs: Sequence[Pixels]) -> int:
    """Return the largest difference of any channel of any pixel, on a scale of 0 to 255."""
    return max(int(np.abs(one.astype(int) - other.astype(int)).max()) for one, other in zip(ours, theirs, strict=True))

"""Fallbacks for a call that runs out of memory, tried in order while other calls continue.

Free the cache; make the batch smaller; decode in tiles; move idle models off the device; stream the network's weights; and last, if
the user allowed it, make a smaller picture (done by the batch engine, because the picture restarts).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from inference.contract.request import PictureRequest
from inference.worker.batch_size import BatchSize
from inference.worker.batching import Call, run_together
from inference.worker.model_cache import ModelCache, free_cache, is_out_of_memory
from inference.worker.pipelines import PipelineRunner
from inference.worker.text_encoding import Embedded


class OomFallback:
    """Makes calls, and applies the fallbacks if they do not fit into memory."""

    def __init__(self, model_cache: ModelCache, batch_size: BatchSize) -> None:
        self._model_cache, self._batch_size = model_cache, batch_size
        #: How often each fallback was used, for metrics and tests.
        self.used: dict[str, int] = {}

    def make(self, calls: list[Call], bucket: int, firsts: Sequence[int] = ()) -> list[tuple[Call, Exception]]:
        """Answer the calls together, placed as in `run_together`; return those that fail even alone, each with its exception."""
        error = self._attempt(calls, bucket, firsts)
        if error is None:
            return []
        if not is_out_of_memory(error):
            # The arguments of some call are broken: run each call alone, so that only the broken calls fail.
            return [(calls[0], error)] if len(calls) == 1 else [miss for call in calls for miss in self.make([call], bucket)]
        self._count("cache")
        free_cache(self._model_cache.device)
        if self._attempt(calls, bucket, firsts) is None:
            return []
        if len(calls) > 1:
            self._count("batch")
            self._batch_size.too_large(calls[0].key, sum(call.rows for call in calls))
            half = len(calls) // 2
            # Fixed batch slots are given up here: a picture that differs in the last bit is better than none.
            return self.make(calls[:half], 0) + self.make(calls[half:], 0)
        for fallback, relieved in self._reliefs(calls[0]):
            self._count(fallback)
            error = relieved()
            calls[0].eased = fallback if fallback == "tiles" else ""
            if error is None:
                return []
        return [(calls[0], error)]

    def _attempt(self, calls: list[Call], bucket: int, firsts: Sequence[int] = ()) -> Exception | None:
        try:
            answers = run_together(calls, bucket, firsts)
        except torch.AcceleratorError:
            # The device itself is broken for all requests: only a new process helps.
            raise
        except Exception as error:
            # The traceback would keep the frames alive, and with them the tensors that did not fit.
            return error.with_traceback(None)
        for call, answer in zip(calls, answers, strict=True):
            call.answer = answer
        return None

    def read(self, easel: PipelineRunner, request: PictureRequest) -> Embedded:
        """Return the embeddings of a request's prompts; raises the exception of the last fallback."""
        for fallback in ("cache", "words"):
            try:
                return easel.embed(request)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            self._count(fallback)
            free_cache(self._model_cache.device)
            if fallback == "words":
                self._model_cache.clear_others(easel.loaded.model_info.name)
                easel.read_on_cpu()
        return easel.embed(request)

    @property
    def uses(self) -> int:
        """Return how many fallbacks were used so far, over all requests."""
        return sum(self.used.values())

    def _count(self, fallback: str) -> None:
        self.used[fallback] = self.used.get(fallback, 0) + 1

    def _reliefs(self, call: Call) -> Iterator[tuple[str, Callable[[], Exception | None]]]:
        if call.target.stage != "denoise":
            yield "tiles", lambda: self._in_tiles(call)
        yield "offload", lambda: self._without_others(call)
        if call.target.stage == "denoise":
            yield "stream", lambda: self._streamed(call)

    def _in_tiles(self, call: Call) -> Exception | None:
        """Decode or encode in tiles of half the longer side; only for this call, so that later pictures have no seams."""
        vae: Any = call.target.network
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        side = max(next(iter(call.arguments.values())).shape[-2:])
        latents = max(8, (side if call.target.stage == "decode" else side // factor) // 2)
        before = (vae.tile_latent_min_size, vae.tile_sample_min_size)
        vae.tile_latent_min_size, vae.tile_sample_min_size = latents, latents * factor
        vae.enable_tiling()
        vae.enable_slicing()
        try:
            return self._attempt([call], 0)
        finally:
            vae.disable_tiling()
            vae.disable_slicing()
            vae.tile_latent_min_size, vae.tile_sample_min_size = before

    def _without_others(self, call: Call) -> Exception | None:
        self._model_cache.clear_others(call.target.model)
        return self._attempt([call], 0)

    def _streamed(self, call: Call) -> Exception | None:
        """Keep the network's weights in the computer's memory and move each layer to the device when it is needed."""
        network: Any = call.target.network
        self._model_cache.stream(call.target.model)
        network.enable_group_offload(onload_device=self._model_cache.device, offload_device=torch.device("cpu"), offload_type="leaf_level")
        free_cache(self._model_cache.device)
        return self._attempt([call], 0)

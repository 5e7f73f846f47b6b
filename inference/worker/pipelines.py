"""Runs a picture as a stock pipeline call: picks the pipeline, makes its arguments, and returns the pixels."""

import copy
import inspect
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.contract.modes import Images, mode_of
from inference.contract.request import PictureRequest
from inference.models.families import FAMILIES
from inference.worker.batching import Autoencoder, Call, Denoiser
from inference.worker.model_loader import Loaded
from inference.worker.preview import PreviewColours, estimate
from inference.worker.schedulers import make
from inference.worker.text_encoding import Embedded, TextEncoder

#: Callback after each scheduler step: the number of steps done, and their total.
Stepped = Callable[[int, int], None]

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

#: The number of prompts per model whose embeddings are cached, because users often run the same prompts again.
REMEMBERED = 64


def _remember_signatures(denoiser: Any) -> None:
    """Cache the signatures of a network's attention code in `__signature__`, where `inspect` looks first.

    diffusers 0.42 inspects them at every call of every attention, which takes a few percent of a small model's step.
    """
    for kind in {type(processor) for processor in getattr(denoiser, "attn_processors", {}).values()}:
        attend: Any = kind.__call__
        if not hasattr(attend, "__signature__"):
            attend.__signature__ = inspect.signature(attend)


@cache
def _parameters(call: Callable[..., Any]) -> frozenset[str]:
    """Return the parameter names of a pipeline call; cached for each class, because `inspect` is slow."""
    return frozenset(inspect.signature(call).parameters)


class PipelineRunner:
    """Runs a loaded model: its pipelines with stand-ins for the networks, and its cached embeddings."""

    def __init__(self, loaded: Loaded, device: torch.device) -> None:
        self.loaded, self.device = loaded, device
        self._family = FAMILIES[loaded.model_info.family]
        name = loaded.model_info.name
        vae = loaded.components["vae"]
        if vae.dtype == torch.float16 and vae.config.force_upcast:
            # This autoencoder overflows in float16 and gives black pictures.
            vae.to(torch.float32)
        _remember_signatures(loaded.components[self._family.denoiser])
        self.networks = {
            self._family.denoiser: Denoiser(loaded.components[self._family.denoiser], name, device),
            "vae": Autoencoder(vae, name, device),
        }
        self._pipelines: dict[str, Any] = {}
        self._reader = TextEncoder(loaded, device)
        self._embedded: OrderedDict[tuple[object, ...], Embedded] = OrderedDict()
        self._colours: PreviewColours | None = None
        config = loaded.scheduler_config
        #: Whether prompts are encoded on the CPU, because the device lacks memory.
        self.reads_on_cpu = False
        self._alphas = None if loaded.model_info.prediction == "flow" else make("ddim", config).alphas_cumprod

    @property
    def dtype(self) -> str:
        """Return the number type of the denoiser, such as `bfloat16`."""
        return str(self.networks[self._family.denoiser].network.dtype).removeprefix("torch.")

    def _pipeline(self, kind: str, scheduler: str) -> Any:
        """Return a pipeline of this class with a new scheduler; everything else is shared."""
        if kind not in self._pipelines:
            made = self.loaded.pipeline(kind)
            # Prompts are already embedded; without text encoders the pipeline takes every type from the stand-ins.
            vars(made).update({name: None for name in self.loaded.components if name.startswith(("text_encoder", "tokenizer"))})
            vars(made).update(self.networks)
            self._pipelines[kind] = made
        own = copy.copy(self._pipelines[kind])
        # This bypasses the pipeline's setter, which would write the scheduler into the configuration that the copies share.
        vars(own)["scheduler"] = make(scheduler, self.loaded.scheduler_config)
        return own

    def move_to(self, device: torch.device) -> None:
        """Move every network to a device."""
        self.loaded.to(device)
        self._reader = TextEncoder(self.loaded, device)

    def read_on_cpu(self) -> None:
        """Move the text encoders to the CPU and encode prompts there: slower, but takes no memory on the device."""
        for name, part in self.loaded.components.items():
            if name.startswith("text_encoder") and part is not None:
                part.to("cpu")
        self._reader = TextEncoder(self.loaded, torch.device("cpu"))
        self.reads_on_cpu = True

    def embed(self, request: PictureRequest) -> Embedded:
        """Return the embeddings of a request's prompts; called on the device thread."""
        key = self._reader.key(request)
        if key not in self._embedded:
            embedded = self._reader.read(request)
            self._embedded[key] = {name: value.to(self.device) for name, value in embedded.items()}
            if len(self._embedded) > REMEMBERED:
                self._embedded.popitem(last=False)
        self._embedded.move_to_end(key)
        return self._embedded[key]

    def paint(self, request: PictureRequest, words: Embedded, index: int, pictures: Images, on_step: Stepped) -> Pixels:
        """Generate picture `index` of a request; runs in a greenlet and parks at every network call.

        `pictures` are its inputs by role. `on_step(n, of)` is called after each scheduler step. Each picture has its own noise
        generator, on the CPU and in float32, so that a seed gives the same noise with any neighbours and on any device.
        """
        rng = torch.Generator("cpu").manual_seed(request.seed_of(index))
        mode = mode_of(request)
        pipeline = self._pipeline(self._family.pipeline(mode), request.scheduler)

        def stepped(pipe: Any, step: int, _time: object, kept: dict[str, Tensor]) -> dict[str, Tensor]:
            on_step(step + 1, pipe.num_timesteps)
            return kept

        # Some pipelines take the size from the init image and have no parameters for it.
        known, size = _parameters(type(pipeline).__call__), {"width": request.width, "height": request.height}
        painted = pipeline(
            **words,
            **{name: side for name, side in size.items() if name in known},
            **mode.arguments(request, pictures),
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            generator=rng,
            callback_on_step_end=stepped,
            callback_on_step_end_tensor_inputs=[],
            output_type="pt",
            return_dict=False,
        )[0]
        pixels: Pixels = (painted[0] * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return pixels

    def preview(self, call: Call, request: PictureRequest) -> Pixels:
        """Return a preview of the clean image estimated from an answered denoiser call."""
        if self._colours is None:
            self._colours = PreviewColours(self.loaded.components["vae"], self.device)
        clean = estimate(call.arguments, call.answer[0], request.guidance, self.loaded.model_info.prediction, self._alphas)
        return self._colours.look(clean, (request.width, request.height))

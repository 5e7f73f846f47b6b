"""Model info: a model's properties and the limits of its requests. Imports no torch, so every process can read it."""

import difflib
import re

import msgspec

from inference.contract.errors import NotOffered, OutOfRange
from inference.contract.modes import mode_of
from inference.contract.request import SEEDS, TRAITS, PictureRequest, Prompt

#: Seeds fit into 32 bits, the range that A1111, ComfyUI and the readers of their files agree on.
MAX_SEED = SEEDS - 1

#: The upper limits for any model; a model may allow less.
MOST_STEPS, MOST_PICTURES, MOST_GUIDANCE = 60, 16, 30.0


class Limits(msgspec.Struct, frozen=True):
    """The limits of a request: sizes are in pixels and must be divisible by `multiple`."""

    multiple: int
    smallest: int
    largest: int
    most_pixels: int
    most_steps: int = MOST_STEPS
    most_pictures: int = MOST_PICTURES
    most_guidance: float = MOST_GUIDANCE


class Defaults(msgspec.Struct, frozen=True):
    """The settings that suit the model best, used if a request sets none."""

    width: int
    height: int
    steps: int = 24
    guidance: float = 7.0
    scheduler: str = "dpm++ 2m karras"


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A model's properties and limits.

    `family` is one of sd1, sd2, sdxl, sd3; `kind` says how it is stored (folder, file, hub); `prediction` is what its denoiser
    predicts (epsilon, v_prediction, flow); `precision` is that of the denoiser's weights. `sha256` is that of its `Fingerprint`, set
    once it has been loaded. `variant` says which set of weights it holds (full, ema-only, pruned) or what it was made for
    (inpainting). `modes` are the modes that it supports, all modes if empty. `words` is its vocabulary, empty if that is open.
    `features` are the abilities that optional fields of a request can need (`Traits.needs`).
    """

    name: str
    family: str
    kind: str
    source: str
    prediction: str
    precision: str
    bytes: int
    sha256: str
    limits: Limits
    defaults: Defaults
    schedulers: tuple[str, ...]
    config: str = ""
    variant: str = ""
    title: str = ""
    words: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """Return the optional settings that not all models take, but this model does."""
        return tuple(name for name, traits in TRAITS.items() if traits.needs in self.features)

    def check(self, request: PictureRequest) -> None:
        """Raise `OutOfRange` or `NotOffered` if this model cannot run the request."""
        limits = self.limits
        _within("steps", request.steps, 1, limits.most_steps)
        _within("count", request.count, 1, limits.most_pictures)
        _within("guidance", request.guidance, 0.0, limits.most_guidance)
        _within("strength", request.strength, 0.0, 1.0)
        _within("seed", request.seed, 0, MAX_SEED)
        for side, pixels in (("width", request.width), ("height", request.height)):
            _within(side, pixels, limits.smallest, limits.largest)
            if pixels % limits.multiple:
                nearest = max(limits.smallest, round(pixels / limits.multiple) * limits.multiple)
                raise OutOfRange("range-multiple", name=side, given=pixels, multiple=limits.multiple, nearest=nearest)
        if request.width * request.height > limits.most_pixels:
            raise OutOfRange("range-pixels", width=request.width, height=request.height, most=limits.most_pixels)
        self._check_mode(request)
        if request.scheduler not in self.schedulers:
            raise not_offered("scheduler", request.scheduler, self.schedulers)
        for name, traits in TRAITS.items():
            if traits.needs and name not in self.options and getattr(request, name) is not None:
                raise NotOffered("unknown-option-here", name=name, model=self.name)

    def _check_mode(self, request: PictureRequest) -> None:
        mode = mode_of(request)
        if self.modes and mode.name not in self.modes:
            raise NotOffered("unknown-mode-here", model=self.name, given=mode.name, offered=", ".join(self.modes))
        mode.check(request)

    def unknown_words(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the words of a prompt that are not in this model's vocabulary; empty if its vocabulary is open."""
        if not self.words:
            return ()
        known = set(self.words)
        said = re.findall(r"[^\W\d_]+", " ".join(fragment.text for part in prompt.parts for fragment in part).casefold())
        return tuple(dict.fromkeys(word for word in said if word not in known))


def _within(name: str, given: float, low: float, high: float) -> None:
    if not low <= given <= high:
        raise OutOfRange("range-number", name=name, given=given, low=low, high=high)


def not_offered(what: str, given: str, offered: tuple[str, ...]) -> NotOffered:
    """Return the error for an unknown name, with the nearest known name if there is one."""
    near = difflib.get_close_matches(given.casefold(), offered, n=1, cutoff=0.5)
    return NotOffered(f"unknown-{what}", given=given, nearest=near[0] if near else "", offered=", ".join(offered))

"""The value that describes a model family: everything that Easel needs to recognise, load and use its models. Imports no torch.

Classes of diffusers, transformers and compel are given by name; the worker looks them up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference.contract.modes import Mode
from inference.models.safetensors_file import Header

#: Schedulers for models that predict noise or velocity.
DIFFUSION_SCHEDULERS = (
    "euler", "euler a", "dpm++ 2m", "dpm++ 2m karras", "dpm++ 2m sde", "dpm++ 2m sde karras", "lms", "pndm",
    "ddim", "ddpm", "unipc", "heun", "dpm2", "dpm2 a", "deis", "lcm",
)  # fmt: skip

#: Schedulers for models that predict a flow.
FLOW_SCHEDULERS = ("flow euler", "flow heun", "flow dpm++ 2m", "flow unipc")

#: The schedulers that fit each prediction of a denoiser.
SCHEDULERS_OF = {"epsilon": DIFFUSION_SCHEDULERS, "v_prediction": DIFFUSION_SCHEDULERS, "flow": FLOW_SCHEDULERS}

#: Components that a folder may name and that are never loaded, regardless of their class.
IGNORED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})

#: Prefixes of tensor names under which original files keep the components besides the denoiser.
ORIGINAL_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "vae": ("first_stage_model.", "vae."),
    "text_encoder": (
        "cond_stage_model.", "conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer.",
    ),
    "text_encoder_2": ("conditioner.embedders.1.model.", "text_encoders.clip_g.transformer."),
    "text_encoder_3": ("text_encoders.t5xxl.transformer.",),
}  # fmt: skip

#: The (library, class) pairs that a component of a model folder may name.
Classes = frozenset[tuple[str, str]]

UNET: Classes = frozenset({("diffusers", "UNet2DConditionModel")})
VAE: Classes = frozenset({("diffusers", "AutoencoderKL")})
CLIP: Classes = frozenset({("transformers", "CLIPTextModel")})
CLIP_PROJECTED: Classes = frozenset({("transformers", "CLIPTextModelWithProjection")})
CLIP_TOKENIZER: Classes = frozenset({("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")})
T5: Classes = frozenset({("transformers", "T5EncoderModel")})
T5_TOKENIZER: Classes = frozenset({("transformers", "T5Tokenizer"), ("transformers", "T5TokenizerFast")})


@dataclass(frozen=True)
class ClipText:
    """Text encoding by compel: weighted windows of CLIP's hidden states.

    `states` names a member of compel's `ReturnedEmbeddingsType`. `pooled` says whether the pipeline also takes the pooled (whole-prompt)
    embedding of the last encoder.
    """

    states: str
    pooled: bool = False


@dataclass(frozen=True)
class StockText:
    """Text encoding by the `encode_prompt` of the stock pipeline, without weights.

    The prompt goes into the arguments `prompts`, the negative prompt into `negatives` (empty if the family has no negative prompt).
    The results go into the pipeline's arguments `results`, in this order; a result with an empty name is dropped.
    """

    prompts: tuple[str, ...]
    negatives: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """The sizes of a model according to its configuration files.

    `side` is the side of the square pictures it was trained on and `factor` that of a latent position, both in pixels. `channels`
    is the number of input channels of the denoiser, of which `latents` are the latents of the picture.
    """

    side: int
    factor: int
    channels: int
    latents: int


def usual_shape(denoiser: Mapping[str, Any], vae: Mapping[str, Any]) -> Shape:
    """Return the shape of a denoiser with `sample_size` and its autoencoder.

    Raises `KeyError`, `TypeError` or `ValueError` for a broken configuration.
    """
    factor, size = 2 ** (len(vae["block_out_channels"]) - 1), denoiser["sample_size"]
    side = factor * int(max(size) if isinstance(size, list) else size)
    return Shape(side, factor, int(denoiser["in_channels"]), int(vae["latent_channels"]))


def any_configuration(denoiser: Mapping[str, Any]) -> bool:
    """Accept every denoiser, for families that are recognised by the pipeline class alone."""
    del denoiser
    return True


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A model family.

    - Recognition. `accepted` are further pipeline classes that a model folder may name; if several families accept a class,
      `in_configuration` decides by the denoiser's configuration. `in_file` recognises an original file by its header, and
      `channels_in_file` returns the number of input channels of its denoiser, of which `latents` are the latents of the picture.
    - Components. `denoiser` names the denoiser; `components` are required, `optional` may be missing; any other class is refused
      before it is read. `extras` are constructor arguments for components that are never loaded. An original file keeps its
      denoiser under `prefix` and its other components under `prefixes`.
    - Pipelines. A class name is `stem`, the mode's part, and `Pipeline`, as diffusers names them; `pipelines` are the exceptions
      by mode name, and an empty class name says that the family does not support the mode.
    - Text. `text` says how prompts are encoded. `has_guidance` says whether guidance above 1 runs the denoiser twice, with and
      without the prompt; without it the denoiser takes guidance as a number.
    - Sizes. `native` is the side of the square pictures it was trained on (`natives`: by prediction, if that differs), `factor` the
      side of a latent position in pixels, `patch` the side of a denoiser token in latent positions. A picture of any shape may have
      at most `reach` squared times `native` squared pixels. `shape` reads the sizes from a folder's configuration files.
    - Defaults. `prediction` is what the denoiser usually predicts; `steps`, `guidance` and `scheduler` suit the family best.
    """

    name: str
    title: str

    in_file: Callable[[Header], bool]
    channels_in_file: Callable[[Header], int]
    in_configuration: Callable[[Mapping[str, Any]], bool] = any_configuration
    accepted: tuple[str, ...] = ()

    denoiser: str
    components: Mapping[str, Classes]
    optional: Mapping[str, Classes] = field(default_factory=dict)
    extras: Mapping[str, Any]
    prefix: str = "model.diffusion_model."
    prefixes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: ORIGINAL_PREFIXES)

    stem: str
    pipelines: Mapping[str, str] = field(default_factory=dict)

    text: ClipText | StockText
    has_guidance: bool = True

    native: int
    natives: Mapping[str, int] = field(default_factory=dict)
    reach: float
    factor: int = 8
    patch: int = 1
    latents: int = 4
    shape: Callable[[Mapping[str, Any], Mapping[str, Any]], Shape] = usual_shape

    prediction: str
    steps: int = 24
    guidance: float = 7.0
    scheduler: str = "dpm++ 2m karras"

    @property
    def features(self) -> tuple[str, ...]:
        """Return the features that optional request fields can need; `clip` says that only CLIP encodes the prompt."""
        return ("clip",) if isinstance(self.text, ClipText) else ()

    @property
    def schedulers(self) -> tuple[str, ...]:
        """Return the schedulers that fit every model of this family."""
        return SCHEDULERS_OF[self.prediction]

    def accepts(self, pipeline: str) -> bool:
        """Return whether a model folder of this family may name this pipeline class."""
        return pipeline in self.accepted or pipeline in {f"{self.stem}{mode}Pipeline" for mode in ("", "Img2Img", "Inpaint")}

    def pipeline(self, mode: Mode) -> str:
        """Return the name of the diffusers pipeline class for a mode, empty if there is none."""
        return self.pipelines.get(mode.name, f"{self.stem}{mode.pipeline}Pipeline")

    def side(self, prediction: str) -> int:
        """Return the side of the square pictures that a model with this prediction was trained on."""
        return self.natives.get(prediction, self.native)

    def is_guided(self, guidance: float) -> bool:
        """Return whether the denoiser runs with and without the prompt, so that a negative prompt has an effect."""
        return self.has_guidance and guidance > 1

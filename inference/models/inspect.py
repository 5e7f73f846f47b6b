"""The two layouts in which models lie on disk, a diffusers folder and a single original file, read without loading them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from inference.contract.errors import BadModel
from inference.models.families.traits import COMPONENTS, FAMILIES, IGNORED, SCHEDULERS_OF, Family
from inference.models.model_card import ModelCard, read_capped, read_card
from inference.models.safetensors_file import PICKLED, Header, precision_of, read_header

INDEX = "model_index.json"

#: No model paints larger squares; a configuration that says so is broken.
MOST_SIDE = 2**14

_UNET = "model.diffusion_model."
_CROSS = re.compile(r"model\.diffusion_model\.input_blocks\.\d+\.1\.transformer_blocks\.0\.attn2\.to_k\.weight")

#: What the words are to the denoiser of an original file: the width of its cross-attention tells the family.
_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
_REFINER = 1280

_TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")

#: Prefixes under which an original file keeps its parts.
_PREFIXES = {
    "vae": ("first_stage_model.", "vae."),
    "text_encoder": (
        "cond_stage_model.", "conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer.",
    ),
    "text_encoder_2": ("conditioner.embedders.1.model.", "text_encoders.clip_g.transformer."),
    "text_encoder_3": ("text_encoders.t5xxl.transformer.",),
}  # fmt: skip


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder's configuration files say, with or without weights beside them."""

    family: Family
    parts: dict[str, str]
    prediction: str
    scheduler: str
    side: int
    multiple: int


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a model on disk turned out to be.

    `weights` are the denoiser's files, `loaded` those of all networks, `branch` the variant to load ("fp16"). `told` is false where
    the prediction is only what is usual in the family.
    """

    family: Family
    kind: str
    path: Path
    prediction: str
    precision: str
    bytes: int
    variant: str
    side: int
    multiple: int
    weights: tuple[Path, ...]
    loaded: tuple[Path, ...] = ()
    told: bool = True
    scheduler: str = ""
    branch: str = ""
    title: str = ""
    card: ModelCard = ModelCard()


def look(path: Path) -> Inspection:
    """Return what a model folder or file is; raises `BadModel` for what is none, is broken or is refused."""
    if path.is_dir():
        return read_folder(path)
    if path.exists():
        return read_file(path)
    raise BadModel("model-missing", path=str(path), reason="")


def read_settings(folder: Path) -> ConfigFile:
    """Return what the configuration files of a diffusers folder say, and refuse classes that are not known."""
    if not folder.is_dir():
        raise BadModel("model-missing", path=str(folder), reason="")
    if not (folder / INDEX).is_file():
        raise BadModel("model-not-folder", path=str(folder))
    index = _json(folder / INDEX)
    family = _family_of(folder, index)
    parts = _parts(folder, index, family)
    side, factor = _sizes(folder, family)
    scheduler = _json(folder / "scheduler" / "scheduler_config.json")
    prediction = "flow" if "FlowMatch" in parts["scheduler"] else str(scheduler.get("prediction_type", "epsilon"))
    check_prediction(folder, family, prediction)
    return ConfigFile(
        family=family,
        parts=parts,
        prediction=prediction,
        scheduler=parts["scheduler"],
        side=side,
        multiple=factor * family.patch,
    )


def parts_of(folder: Path) -> tuple[str, ...]:
    """Return the names of the components of a diffusers folder that are loaded."""
    return tuple(read_settings(folder).parts)


def _sizes(folder: Path, family: Family) -> tuple[int, int]:
    """Return the side of a native picture and of a latent position, in pixels."""
    denoiser, vae = _json(folder / family.denoiser / "config.json"), _json(folder / "vae" / "config.json")
    try:
        factor = 2 ** (len(vae["block_out_channels"]) - 1)
        size = denoiser["sample_size"]
        side = factor * int(max(size) if isinstance(size, list) else size)
        channels = int(denoiser["in_channels"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel("model-unreadable", path=str(folder)) from error
    if channels != vae.get("latent_channels"):
        raise BadModel("model-mode", path=str(folder), channels=channels)
    if not factor <= side <= MOST_SIDE:
        raise BadModel("model-unreadable", path=str(folder))
    return side, factor


def check_prediction(path: Path, family: Family, prediction: str) -> None:
    """Raise `BadModel` for a prediction that no scheduler here follows, or that is not this family's way."""
    if prediction not in SCHEDULERS_OF or (prediction == "flow") != (family.prediction == "flow"):
        raise BadModel("model-prediction", path=str(path), given=prediction, offered=", ".join(SCHEDULERS_OF))


def _json(path: Path) -> dict[str, Any]:
    try:
        # Not msgspec: diffusers writes -Infinity into scheduler configurations, which strict JSON does not know.
        return msgspec.convert(json.loads(read_capped(path)), dict[str, Any])
    except OSError as error:
        raise BadModel("model-part-missing", path=str(path.parent.parent), part=f"{path.parent.name}/{path.name}") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadModel("model-unreadable", path=str(path)) from error


def _family_of(folder: Path, index: Mapping[str, Any]) -> Family:
    kind = index.get("_class_name")
    accepted = [family for family in FAMILIES.values() if kind in family.accepted]
    if not accepted:
        raise BadModel("model-class", path=str(folder), part="pipeline", given=str(kind))
    if len(accepted) == 1:
        return accepted[0]
    # 1.x and 2.x share their pipeline; 2.x reads the wider text encoder.
    width = _json(folder / "unet" / "config.json").get("cross_attention_dim")
    return FAMILIES["sd2" if width == 1024 else "sd1"]


def _parts(folder: Path, index: Mapping[str, Any], family: Family) -> dict[str, str]:
    """Return the class of each component that is to be loaded."""
    parts: dict[str, str] = {}
    for name, value in index.items():
        if name.startswith("_") or name in IGNORED or not isinstance(value, list) or value == [None, None]:
            continue
        pair = tuple(str(word) for word in value)
        known = pair in COMPONENTS.get(name, ()) if name != "scheduler" else _is_scheduler(pair)
        if not known or name not in (*family.components, *family.optional):
            raise BadModel("model-class", path=str(folder), part=name, given=".".join(pair))
        parts[name] = pair[1]
    for name in (*family.components, *parts):
        if name not in parts or not (folder / name).is_dir():
            raise BadModel("model-part-missing", path=str(folder), part=name)
    return parts


def _is_scheduler(pair: tuple[str, ...]) -> bool:
    return len(pair) == 2 and pair[0] == "diffusers" and re.fullmatch(r"[A-Z]\w{1,60}Scheduler", pair[1]) is not None


def read_folder(folder: Path) -> Inspection:
    """Return what a diffusers folder holds."""
    settings = read_settings(folder)
    family = settings.family
    sets = {part: _weights(folder / part) for part in settings.parts if part not in ("scheduler", *_TOKENIZERS)}
    # One variant serves all parts: diffusers falls back to the plain file of a part that has no other, not the other way.
    branch = next((name for name in ("", "fp16", "bf16") if all({"", name} & found.keys() for found in sets.values())), None)
    if branch is None:
        raise BadModel("model-variant", path=str(folder))
    chosen = {part: found.get(branch) or found[""] for part, found in sets.items()}
    headers = [read_header(path) for path in chosen[family.denoiser]]
    return Inspection(
        family=family,
        kind="folder",
        path=folder,
        prediction=settings.prediction,
        precision=precision_of(tensor for header in headers for tensor in header.tensors.values()),
        bytes=sum(path.stat().st_size for paths in chosen.values() for path in paths),
        variant="full" if "non_ema" in sets[family.denoiser] else "pruned",
        side=settings.side,
        multiple=settings.multiple,
        weights=chosen[family.denoiser],
        loaded=tuple(path for paths in chosen.values() for path in paths),
        scheduler=settings.scheduler,
        branch=branch,
        card=read_card(folder),
    )


_NAME = re.compile(r"(?:diffusion_pytorch_model|model)(?:-\d{5}-of-\d{5})?(?:\.(\w+))?(?:-\d{5}-of-\d{5})?\.safetensors")


def _weights(part: Path) -> dict[str, tuple[Path, ...]]:
    """Return the weights files of one component by variant, the plain one under the empty name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(part.iterdir()):
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match[1] or "", []).append(path)
    if not found:
        pickled = next((path for path in part.iterdir() if path.suffix.lower() in PICKLED), None)
        if pickled:
            raise BadModel("model-pickled", path=str(pickled))
        raise BadModel("model-part-missing", path=str(part.parent), part=part.name)
    return {variant: tuple(paths) for variant, paths in found.items()}


def read_file(path: Path) -> Inspection:
    """Return what a single file in the original layout holds, from its header alone."""
    header = read_header(path)
    family = _family_in(path, header)
    told = _prediction_in(header)
    prediction = told if told and family.prediction != "flow" else family.prediction
    return Inspection(
        family=family,
        kind="file",
        path=path,
        prediction=prediction,
        precision=precision_of(tensor for name, tensor in header.tensors.items() if name.startswith(_UNET)),
        bytes=path.stat().st_size,
        variant=_variant_in(path, header),
        # An SD 2 file that predicts noise is the 512 base model or made from it.
        side=512 if family.name == "sd2" and prediction == "epsilon" else family.native,
        multiple=8 * family.patch,
        weights=(path,),
        loaded=(path,),
        told=bool(told),
        title=header.metadata.get("modelspec.title", "")[:80],
    )


def _family_in(path: Path, header: Header) -> Family:
    tensors = header.tensors
    if f"{_UNET}joint_blocks.0.x_block.attn.qkv.weight" in tensors:
        return FAMILIES["sd3"]
    width = next((tensor.shape[-1] for name, tensor in tensors.items() if tensor.shape and _CROSS.fullmatch(name)), 0)
    entrance = tensors.get(f"{_UNET}input_blocks.0.0.weight")
    if width == _REFINER:
        raise BadModel("model-refiner", path=str(path))
    if entrance is None and any(name.startswith("model_ema.diffusion_model") for name in tensors):
        raise BadModel("model-ema-names", path=str(path))
    if entrance is None or width not in _WIDTHS or len(entrance.shape) != 4:
        raise BadModel("model-unfamiliar", path=str(path))
    if entrance.shape[1] != 4:
        raise BadModel("model-mode", path=str(path), channels=entrance.shape[1])
    return FAMILIES[_WIDTHS[width]]


def _prediction_in(header: Header) -> str:
    """Return what the denoiser predicts where the file says so, else nothing.

    Makers mark velocity by an empty tensor `v_pred` or in the metadata. Most files say nothing, SD 2 files never: then the
    family's own is assumed, for SD 2 velocity, which is right for the 768 models and wrong for the 512 base.
    """
    told = header.metadata.get("modelspec.prediction_type", "")
    if "v_pred" in header.tensors or told in ("v", "v_prediction"):
        return "v_prediction"
    return "epsilon" if told == "epsilon" else ""


def _variant_in(path: Path, header: Header) -> str:
    """Return full (with a second, averaged set of weights), ema-only (the averaged set in place of the other) or pruned."""
    averaged = [name for name in header.tensors if name.startswith("model_ema.")]
    counters = {"model_ema.decay", "model_ema.num_updates"}
    if set(averaged) - counters:
        return "full"
    # The counters of the averaging stay behind when only its result is kept.
    named = re.search(r"ema[-_ ]?only", path.stem.casefold())
    return "ema-only" if averaged or named else "pruned"


def parts_in(header: Header) -> frozenset[str]:
    """Return which components an original file holds beside its denoiser."""
    return frozenset(part for part, prefixes in _PREFIXES.items() if any(name.startswith(prefixes) for name in header.tensors))

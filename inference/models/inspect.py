"""Inspects models on disk without loading them, in two layouts: a diffusers folder and a single original file."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from inference.contract.errors import BadModel
from inference.contract.modes import MODES
from inference.models.families import FAMILIES
from inference.models.families.base import IGNORED, SCHEDULERS_OF, Family, Shape
from inference.models.families.original_unet import REFINER_WIDTH, channels, cross_width
from inference.models.model_card import ModelCard, read_capped, read_card
from inference.models.safetensors_file import PICKLED, Header, precision_of, read_header

INDEX = "model_index.json"

#: No model generates larger squares; a configuration with a larger side is broken.
MOST_SIDE = 2**14

#: The training steps of a schedule; models have 1,000, a few have up to 4,000.
MOST_TIMESTEPS = 100_000

#: The variant of a model whose denoiser also takes a mask and the masked picture, and the modes that it supports.
INPAINTING, _INPAINTING_MODES = "inpainting", ("inpaint",)

_TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a diffusers folder's configuration files; the folder need not hold weights."""

    family: Family
    parts: dict[str, str]
    prediction: str
    scheduler: str
    side: int
    multiple: int
    is_inpainting: bool = False


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """The result of inspecting a model on disk.

    `weights` are the denoiser's files, `loaded` those of all networks, `branch` the variant to load ("fp16"). `told` is false if
    the prediction is only the family's default. `variant` is `INPAINTING` or says which set of weights it holds.
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

    @property
    def modes(self) -> tuple[str, ...]:
        """Return the names of the modes that this model supports."""
        if self.variant == INPAINTING:
            return _INPAINTING_MODES
        return tuple(mode.name for mode in MODES.values() if self.family.pipeline(mode))


def look(path: Path) -> Inspection:
    """Inspect a model folder or file; raises `BadModel` if it is not a model, is broken or is refused."""
    if path.is_dir():
        return read_folder(path)
    if path.exists():
        return read_file(path)
    raise BadModel("model-missing", path=str(path), reason="")


def read_settings(folder: Path) -> ConfigFile:
    """Return the contents of a diffusers folder's configuration files; raises `BadModel` for unknown classes."""
    if not folder.is_dir():
        raise BadModel("model-missing", path=str(folder), reason="")
    if not (folder / INDEX).is_file():
        raise BadModel("model-not-folder", path=str(folder))
    index = _json(folder / INDEX)
    family = _family_of(folder, index)
    parts = _parts(folder, index, family)
    shape = _shape(folder, family)
    scheduler = _json(folder / "scheduler" / "scheduler_config.json")
    prediction = "flow" if "FlowMatch" in parts["scheduler"] else str(scheduler.get("prediction_type", "epsilon"))
    check_prediction(folder, family, prediction)
    _check_timesteps(folder, scheduler)
    return ConfigFile(
        family=family,
        parts=parts,
        prediction=prediction,
        scheduler=parts["scheduler"],
        side=shape.side,
        multiple=shape.factor * family.patch,
        is_inpainting=_is_inpainting(folder, shape.channels, shape.latents),
    )


def _check_timesteps(folder: Path, scheduler: Mapping[str, Any]) -> None:
    """Raise `BadModel` for a schedule that no model was trained with: a scheduler makes tables of that length."""
    given = scheduler.get("num_train_timesteps", 1000)
    if not isinstance(given, int) or not 1 <= given <= MOST_TIMESTEPS:
        raise BadModel("model-timesteps", path=str(folder), given=str(given)[:40], most=MOST_TIMESTEPS)


def parts_of(folder: Path) -> tuple[str, ...]:
    """Return the names of the components of a diffusers folder that are loaded."""
    return tuple(read_settings(folder).parts)


def _shape(folder: Path, family: Family) -> Shape:
    denoiser, vae = _json(folder / family.denoiser / "config.json"), _json(folder / "vae" / "config.json")
    try:
        shape = family.shape(denoiser, vae)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise BadModel("model-unreadable", path=str(folder)) from error
    if not 1 <= shape.factor <= shape.side <= MOST_SIDE:
        raise BadModel("model-unreadable", path=str(folder))
    return shape


def _is_inpainting(path: Path, channels: int, latents: int) -> bool:
    """Return whether a denoiser takes a mask and a masked picture; raises `BadModel` if it takes anything else besides latents."""
    if channels not in (latents, 2 * latents + 1):
        raise BadModel("model-mode", path=str(path), channels=channels)
    return channels != latents


def check_prediction(path: Path, family: Family, prediction: str) -> None:
    """Raise `BadModel` for a prediction that no scheduler here supports, or that does not fit this family."""
    if prediction not in SCHEDULERS_OF or (prediction == "flow") != (family.prediction == "flow"):
        raise BadModel("model-prediction", path=str(path), given=prediction, offered=", ".join(SCHEDULERS_OF))


def _json(path: Path) -> dict[str, Any]:
    try:
        # Not msgspec: diffusers writes -Infinity into scheduler configurations, which strict JSON does not allow.
        return msgspec.convert(json.loads(read_capped(path)), dict[str, Any])
    except OSError as error:
        raise BadModel("model-part-missing", path=str(path.parent.parent), part=f"{path.parent.name}/{path.name}") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadModel("model-unreadable", path=str(path)) from error


def _family_of(folder: Path, index: Mapping[str, Any]) -> Family:
    kind = str(index.get("_class_name"))
    accepting = [family for family in FAMILIES.values() if family.accepts(kind)]
    if len(accepting) > 1:
        # Some families share their pipelines and differ only in their denoiser.
        denoiser = _json(folder / accepting[0].denoiser / "config.json")
        accepting = [family for family in accepting if family.in_configuration(denoiser)]
    if not accepting:
        raise BadModel("model-class", path=str(folder), part="pipeline", given=kind)
    return accepting[0]


def _parts(folder: Path, index: Mapping[str, Any], family: Family) -> dict[str, str]:
    """Return the class name of each component to load."""
    classes = {**family.components, **family.optional}
    parts: dict[str, str] = {}
    for name, value in index.items():
        if name.startswith("_") or name in IGNORED or not isinstance(value, list) or value == [None, None]:
            continue
        pair = tuple(str(word) for word in value)
        if not (_is_scheduler(pair) if name == "scheduler" else pair in classes.get(name, ())):
            raise BadModel("model-class", path=str(folder), part=name, given=".".join(pair))
        parts[name] = pair[1]
    for name in (*family.components, "scheduler", *parts):
        if name not in parts or not (folder / name).is_dir():
            raise BadModel("model-part-missing", path=str(folder), part=name)
    return parts


def _is_scheduler(pair: tuple[str, ...]) -> bool:
    return len(pair) == 2 and pair[0] == "diffusers" and re.fullmatch(r"[A-Z]\w{1,60}Scheduler", pair[1]) is not None


def read_folder(folder: Path) -> Inspection:
    """Inspect a diffusers folder."""
    settings = read_settings(folder)
    family = settings.family
    sets = {part: _weights(folder / part) for part in settings.parts if part not in ("scheduler", *_TOKENIZERS)}
    # All parts use the same variant: diffusers falls back to the plain file of a part without the variant, but not vice versa.
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
        variant=_variant_of(settings, sets[family.denoiser]),
        side=settings.side,
        multiple=settings.multiple,
        weights=chosen[family.denoiser],
        loaded=tuple(path for paths in chosen.values() for path in paths),
        scheduler=settings.scheduler,
        branch=branch,
        card=read_card(folder),
    )


def _variant_of(settings: ConfigFile, weights: Mapping[str, object]) -> str:
    if settings.is_inpainting:
        return INPAINTING
    return "full" if "non_ema" in weights else "pruned"


_NAME = re.compile(r"(?:diffusion_pytorch_model|model)(?:-\d{5}-of-\d{5})?(?:\.(\w+))?(?:-\d{5}-of-\d{5})?\.safetensors")


def _weights(part: Path) -> dict[str, tuple[Path, ...]]:
    """Return the weights files of a component by variant; the plain files have the empty name."""
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
    """Inspect a single file in the original layout; only its header is read."""
    header = read_header(path)
    family = _family_in(path, header)
    told = _prediction_in(header)
    prediction = told if told and family.prediction != "flow" else family.prediction
    return Inspection(
        family=family,
        kind="file",
        path=path,
        prediction=prediction,
        precision=precision_of(tensor for name, tensor in header.tensors.items() if name.startswith(family.prefix)),
        bytes=path.stat().st_size,
        variant=INPAINTING if _is_inpainting(path, family.channels_in_file(header), family.latents) else _variant_in(path, header),
        side=family.side(prediction),
        multiple=family.factor * family.patch,
        weights=(path,),
        loaded=(path,),
        told=bool(told),
        title=header.metadata.get("modelspec.title", "")[:80],
    )


def _family_in(path: Path, header: Header) -> Family:
    for family in FAMILIES.values():
        if family.in_file(header):
            return family
    if cross_width(header) == REFINER_WIDTH:
        raise BadModel("model-refiner", path=str(path))
    if not channels(header) and any(name.startswith("model_ema.diffusion_model") for name in header.tensors):
        raise BadModel("model-ema-names", path=str(path))
    raise BadModel("model-unfamiliar", path=str(path))


def _prediction_in(header: Header) -> str:
    """Return the denoiser's prediction if the file names it, else an empty string.

    Authors mark velocity by an empty tensor `v_pred` or in the metadata. Most files have no mark, and SD 2 files never do: then the
    family's default is assumed. For SD 2 that is velocity, which is right for the 768 models and wrong for the 512 base.
    """
    told = header.metadata.get("modelspec.prediction_type", "")
    if "v_pred" in header.tensors or told in ("v", "v_prediction"):
        return "v_prediction"
    return "epsilon" if told == "epsilon" else ""


def _variant_in(path: Path, header: Header) -> str:
    """Return full (with a second, averaged set of weights), ema-only (only the averaged set) or pruned."""
    averaged = [name for name in header.tensors if name.startswith("model_ema.")]
    counters = {"model_ema.decay", "model_ema.num_updates"}
    if set(averaged) - counters:
        return "full"
    # Files that keep only the averaged weights still hold the counters of the averaging.
    named = re.search(r"ema[-_ ]?only", path.stem.casefold())
    return "ema-only" if averaged or named else "pruned"


def parts_in(header: Header, family: Family) -> frozenset[str]:
    """Return which components an original file holds besides its denoiser."""
    return frozenset(part for part, prefixes in family.prefixes.items() if any(name.startswith(prefixes) for name in header.tensors))

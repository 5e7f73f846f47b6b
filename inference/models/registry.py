"""The catalogue of all available models: the shipped model, configured models and those in the models folder.

It reads only headers and configuration files, so it is fast enough for the chat process.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from inference.contract.errors import BadModel, InferenceError, Problem
from inference.contract.model_info import Defaults, Limits, ModelInfo, not_offered
from inference.models.families import FAMILIES
from inference.models.families.base import Family
from inference.models.inspect import Inspection, check_prediction, look, read_settings
from inference.models.safetensors_file import PICKLED

#: The allowed form of a name, which is shown in chats, typed as a flag and stored in histories.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._+()-]{0,78}[A-Za-z0-9)])?")
_HUB = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")

#: The name of the model that ships with Easel.
SHIPPED = "demo"

#: The scheduler in a model folder which shows that the model was distilled to a few steps.
_DISTILLED = "LCMScheduler"


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[models]]` table of the configuration.

    `source` is a folder, a file, the name of a model in the models folder, or a hub id (`org/name`). `config` is a diffusers
    folder with the tokenizer and configuration files that a single file lacks; its weights, if any, are used only for components
    that the file lacks. For fields that are empty or None the model decides.
    """

    name: str
    source: str
    family: str = ""
    config: str = ""
    title: str = ""
    prediction: str = ""
    schedulers: tuple[str, ...] = ()
    steps: int | None = None
    guidance: float | None = None
    scheduler: str | None = None
    width: int | None = None
    height: int | None = None


class Scan(msgspec.Struct, frozen=True):
    """The contents of a models folder: usable models by name, and the problem of each unusable file by file name."""

    found: dict[str, Inspection]
    refused: dict[str, Problem]


class Catalogue(msgspec.Struct, frozen=True):
    """All usable models by name, and why the others are left out: configured ones by their name, files by their file name."""

    models: dict[str, ModelInfo]
    configured: dict[str, Problem]
    lying: dict[str, Problem]


def survey(entries: Iterable[ModelEntry], models_dir: Path | None, shipped: Path) -> Catalogue:
    """Return all models; a configured model replaces a found model of the same name. One that is unusable does not affect the others.

    Raises `BadModel` if the models folder is missing. Nothing is downloaded.
    """
    lying = scan(models_dir) if models_dir else Scan({}, {})
    models = {SHIPPED: _model_info(ModelEntry(name=SHIPPED, source=""), look(shipped))}
    models |= {name: _model_info(ModelEntry(name=name, source=""), found) for name, found in lying.found.items()}
    refused: dict[str, Problem] = {}
    for entry in entries:
        try:
            models[entry.name] = _configured(entry, lying)
        except InferenceError as error:
            # The found model of this name is not what the operator wants under it.
            models.pop(entry.name, None)
            refused[entry.name] = error.problem
        except Exception as error:
            models.pop(entry.name, None)
            refused[entry.name] = _broken(Path(entry.source), error)
    return Catalogue(models, refused, lying.refused)


def read_catalogue(entries: Iterable[ModelEntry], models_dir: Path | None, shipped: Path) -> dict[str, ModelInfo]:
    """Return the model infos of all models by name, as `survey`; raises the error of the first configured model that is unusable."""
    found = survey(entries, models_dir, shipped)
    for problem in found.configured.values():
        raise (BadModel if problem.key.startswith("model-") else InferenceError).of(problem)
    return found.models


def _broken(path: Path, error: Exception) -> Problem:
    """Return the problem of files that break whoever reads them, such as a folder without read permission or a loop of links."""
    if isinstance(error, OSError | RuntimeError):
        return Problem("model-missing", {"path": str(path), "reason": str(error)})
    return Problem("model-unreadable", {"path": str(path)})


def inspect(path: Path) -> ModelInfo:
    """Return the model info of any model folder or file; raises `BadModel` if it cannot be used."""
    return _model_info(ModelEntry(name=path.stem, source=""), look(path))


def scan(models_dir: Path) -> Scan:
    """Inspect the direct entries of a models folder; raises `BadModel` if the folder is missing."""
    if not models_dir.is_dir():
        raise BadModel("model-folder-missing", path=str(models_dir))
    found: dict[str, Inspection] = {}
    refused: dict[str, Problem] = {}
    for path in sorted(models_dir.iterdir()):
        if not (path.is_dir() or path.suffix.lower() in PICKLED | {".safetensors"}) or path.name.startswith("."):
            continue
        name = path.name if path.is_dir() else path.stem
        try:
            if not _NAME.fullmatch(name) or name in found:
                raise BadModel("model-name", path=str(path))
            if _leads_out(path, models_dir.resolve()):
                raise BadModel("model-outside", path=str(path))
            inspection = look(path)
            # Its card may ask for what cannot be.
            _model_info(ModelEntry(name=name, source=""), inspection)
            found[name] = inspection
        except InferenceError as error:
            refused[path.name] = error.problem
        except Exception as error:  # Whatever is wrong with one model: the others are there all the same.
            refused[path.name] = _broken(path, error)
    return Scan(found, refused)


def _leads_out(path: Path, root: Path) -> bool:
    """Return whether a path, or anything within it, is a link that leads out of the models folder."""
    if not path.resolve().is_relative_to(root):
        return True
    return path.is_dir() and any(not inner.resolve().is_relative_to(root) for inner in path.rglob("*"))


def _configured(entry: ModelEntry, lying: Scan) -> ModelInfo:
    if not _NAME.fullmatch(entry.name):
        raise BadModel("model-name", path=entry.name)
    if entry.family and entry.family not in FAMILIES:
        raise BadModel("model-family", name=entry.name, given=entry.family, offered=", ".join(FAMILIES))
    if entry.source in lying.found:
        return _model_info(entry, lying.found[entry.source])
    if entry.source in lying.refused:
        raise BadModel.of(lying.refused[entry.source])
    path = Path(entry.source).expanduser()
    if not path.exists() and not path.parent.is_dir() and _HUB.fullmatch(entry.source):
        return _model_info(entry, _on_hub(entry))
    return _model_info(entry, look(path))


def _on_hub(entry: ModelEntry) -> Inspection:
    """Return an inspection of a model on the hub, made from its entry and its family only. Nothing is fetched."""
    if not entry.family:
        raise BadModel("model-family", name=entry.name, given="", offered=", ".join(FAMILIES))
    family = FAMILIES[entry.family]
    return Inspection(
        family=family,
        kind="hub",
        path=Path(entry.source),
        prediction=family.prediction,
        precision="",
        bytes=0,
        variant="",
        side=family.native,
        multiple=family.factor * family.patch,
        weights=(),
    )


def _model_info(entry: ModelEntry, found: Inspection) -> ModelInfo:
    if entry.family and entry.family != found.family.name:
        raise BadModel("model-other-family", name=entry.name, given=entry.family, found=found.family.name)
    found = _with_config(entry, found)
    prediction = entry.prediction or found.prediction
    check_prediction(found.path, found.family, prediction)
    schedulers = _schedulers(entry, found)
    return ModelInfo(
        name=entry.name,
        family=found.family.name,
        kind=found.kind,
        source=found.path.as_posix() if found.kind == "hub" else str(found.path.resolve()),
        prediction=prediction,
        precision=found.precision,
        bytes=found.bytes,
        sha256="",
        limits=_limits(found),
        defaults=_defaults(entry, found, schedulers),
        schedulers=schedulers,
        config=entry.config,
        variant=found.variant,
        title=entry.title or found.card.title or found.title,
        words=found.card.words,
        modes=found.modes,
        features=found.family.features,
    )


def _with_config(entry: ModelEntry, found: Inspection) -> Inspection:
    """Return the inspection of a single file, completed from its configuration folder; a hub id adds nothing until it is fetched."""
    if not entry.config or found.kind != "file":
        return found
    folder = Path(entry.config).expanduser()
    if not folder.exists() and not folder.parent.is_dir() and _HUB.fullmatch(entry.config):
        return found
    settings = read_settings(folder)
    if settings.family != found.family:
        raise BadModel("model-other-family", name=entry.name, given=settings.family.name, found=found.family.name)
    return msgspec.structs.replace(
        found,
        # A prediction that the file itself names is more reliable than a configuration shared by its family.
        prediction=found.prediction if found.told else settings.prediction,
        scheduler=settings.scheduler,
        side=settings.side,
        multiple=settings.multiple,
    )


def _schedulers(entry: ModelEntry, found: Inspection) -> tuple[str, ...]:
    fitting = found.family.schedulers
    chosen = entry.schedulers or found.card.schedulers or (("lcm",) if found.scheduler == _DISTILLED else fitting)
    for name in chosen:
        if name not in fitting:
            raise not_offered("scheduler", name, fitting)
    return chosen


def _limits(found: Inspection) -> Limits:
    card = found.card.limits
    if card:
        if card.multiple < 1 or card.multiple % found.multiple or not 1 <= card.smallest <= card.largest:
            raise BadModel("model-card", path=str(found.path), reason=f"limits: {card.multiple}, {card.smallest}, {card.largest}")
        return card
    side, multiple = found.side, found.multiple
    return Limits(
        multiple=multiple,
        smallest=max(multiple, side // 2 // multiple * multiple),
        largest=side * 2,
        most_pixels=int(side * side * found.family.reach**2),
    )


def _defaults(entry: ModelEntry, found: Inspection, schedulers: tuple[str, ...]) -> Defaults:
    """Return the defaults: values of the entry override those of the card, and the card overrides the family."""
    base = found.card.defaults or _family_defaults(found.family, found)
    told = {name: getattr(entry, name) for name in ("width", "height", "steps", "guidance", "scheduler")}
    made = msgspec.structs.replace(base, **{name: value for name, value in told.items() if value is not None})
    if made.scheduler in schedulers:
        return made
    if entry.scheduler:
        raise not_offered("scheduler", entry.scheduler, schedulers)
    return msgspec.structs.replace(made, scheduler=schedulers[0])


def _family_defaults(family: Family, found: Inspection) -> Defaults:
    steps, guidance = (6, 1.5) if found.scheduler == _DISTILLED else (family.steps, family.guidance)
    return Defaults(width=found.side, height=found.side, steps=steps, guidance=guidance, scheduler=family.scheduler)

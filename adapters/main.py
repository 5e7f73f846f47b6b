"""The composition root: from the configuration to the parts that do the work. Nothing else knows which classes those are."""

import os
from pathlib import Path

import inference
from bot.config import Config
from inference.catalogue import ModelEntry, read_catalogue, with_hash
from inference.passport import Passport, not_offered
from inference.process import LocalEngine
from inference.settings import EngineSettings

#: The weights of the model that ships with Easel.
SHIPPED = Path(inference.__file__).parent / "demo" / "weights"


def models_folder(config: Config) -> Path | None:
    """Return the folder to look for models in; one that nobody configured need not exist."""
    named = "models_dir" in config.inference.model_fields_set
    return config.inference.models_dir if named or config.inference.models_dir.is_dir() else None


def passports(config: Config) -> dict[str, Passport]:
    """Return every model that can be asked for; raises `BadModel` for one that is configured and cannot be used."""
    entries = [ModelEntry(**model.model_dump()) for model in config.models]
    return read_catalogue(entries, models_folder(config), SHIPPED)


def chosen(config: Config, name: str | None) -> Passport:
    """Return the passport of a model by name, or of the default model; raises `NotOffered` where there is none."""
    known = passports(config)
    name = config.inference.default_model if name is None else name
    if name not in known:
        raise not_offered("model", name, tuple(known))
    return with_hash(known[name], cache_folder() / "hashes")


def engine(config: Config, offered: dict[str, Passport]) -> LocalEngine:
    """Return the engine that the configuration asks for; entering it starts it."""
    section = config.inference
    settings = EngineSettings(**{name: getattr(section, name) for name in EngineSettings.__struct_fields__ if hasattr(section, name)})
    return LocalEngine(settings, offered)


def cache_folder() -> Path:
    """Return the folder for what can be made again at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "easel"

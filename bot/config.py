"""The configuration: a TOML file and the environment, read once into frozen sections.

A section gets its key here when something acts on it. `config.example.toml` shows every key with its default; a test keeps
the two equal.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.errors import BadConfig
from bot.nearest import nearest

#: Where the configuration is looked for when nobody names a file.
DEFAULT_FILE = Path("easel.toml")

_PREFIX = "EASEL__"

#: The password in an address: what is wrong with a setting is told with its value, but not with this.
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def _listed(value: object) -> object:
    """Return a list from `a, b` too: the environment has no other way to write one."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Section(BaseModel):
    """A part of the configuration: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Inference(Section):
    """`[inference]`: what paints, and with which means."""

    engine: Literal["local"] = "local"
    devices: Words = Field(default=("auto",), min_length=1)
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    default_model: str = "demo"
    models_dir: Path = Path("models")
    max_batch: int = Field(default=16, ge=1, le=256)
    compile: bool = False
    device_memory: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    host_memory: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    allow_downloads: bool = False


class Model(Section):
    """One `[[models]]` entry: a model beside the one that ships, and what it paints best with."""

    name: str = Field(min_length=1)
    source: str = Field(min_length=1)
    family: str = ""
    config: str = ""
    title: str = ""
    prediction: str = ""
    schedulers: Words = ()
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    scheduler: str | None = None
    width: int | None = Field(default=None, ge=1)
    height: int | None = Field(default=None, ge=1)


class Web(Section):
    """`[web]`: the chat page."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = ""
    require_login: bool = False


class StoreSection(Section):
    """`[store]`: where jobs, persons and history are kept."""

    url: str = Field(default="sqlite+aiosqlite:///data/easel.db", min_length=1)


class FilesSection(Section):
    """`[files]`: where pictures are kept."""

    url: str = Field(default="data/files", min_length=1)


class Safety(Section):
    """`[safety]`: what is let in."""

    links: bool = False


class Log(Section):
    """`[log]`: what is written to standard error, and how."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    format: Literal["text", "json"] = "text"


class Config(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="__", enable_decoding=False)

    inference: Inference = Inference()
    models: tuple[Model, ...] = ()
    web: Web = Web()
    store: StoreSection = StoreSection()
    files: FilesSection = FilesSection()
    safety: Safety = Safety()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings


def read(path: Path | None = None) -> Config:
    """Return the configuration of a file, or of `easel.toml` where it exists, with the environment laid over it.

    Raises `BadConfig`, which names the key and what would be right.
    """
    if path is None:
        path = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    _refuse_unknown_sections(os.environ)
    try:
        return Config(**(_parsed(path) if path else {}))
    except ValidationError as error:
        raise _refused(error.errors(include_url=False)[0]) from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadConfig("config-file-missing", file=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig("config-file-unreadable", file=str(path), reason=_reason(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfig("config-file-broken", file=str(path), reason=str(error)) from None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return "it is a folder" if isinstance(error, IsADirectoryError) else "it may not be read from here"


def _refuse_unknown_sections(environment: Mapping[str, str]) -> None:
    """Raise for `EASEL__…` variables of a section that does not exist: pydantic looks at known sections alone."""
    for name in environment:
        section = name.upper().removeprefix(_PREFIX).partition("__")[0].lower()
        if name.upper().startswith(_PREFIX) and section not in Config.model_fields:
            near = nearest(section, list(Config.model_fields))
            raise BadConfig("config-unknown", key=name, nearest=f"{_PREFIX}{near.upper()}" if near else "")


def _refused(error: ErrorDetails) -> BadConfig:
    """Return what pydantic found, as a key of our catalogue with its facts."""
    loc = error["loc"]
    variable = _PREFIX + "__".join(str(step).upper() for step in loc)
    key = variable if variable in {name.upper() for name in os.environ} else _in_file(loc)
    if error["type"] == "extra_forbidden":
        return BadConfig("config-unknown", key=key, nearest=_nearest_setting(loc))
    if error["type"] == "missing":
        return BadConfig("config-missing", key=key)
    told = next((told for start, told in _TOLD.items() if error["type"].startswith(start)), "config-value")
    facts = {name: fact for name, fact in error.get("ctx", {}).items() if name in ("ge", "le", "expected")}
    return BadConfig(told, key=key, given=_PASSWORD.sub(r"\1***@", repr(error["input"]))[:80], **facts)


#: How pydantic's error types begin, and the sentence of each.
_TOLD = {
    "int_": "config-whole",
    "float_": "config-number",
    "finite_": "config-number",
    "bool_": "config-yes-no",
    "string_type": "config-text",
    "path_": "config-text",
    "tuple_": "config-list",
    "literal_": "config-choice",
    "greater_": "config-least",
    "less_": "config-most",
    "too_short": "config-empty",
    "string_too_short": "config-empty",
    "model_": "config-section",
}


def _in_file(loc: tuple[int | str, ...]) -> str:
    """Return a key the way it stands in the file: `[log] level`, `[[models]] 2: steps`."""
    match loc:
        case (str(section), int(number), *rest):
            return f"[[{section}]] {number + 1}" + "".join(f": {step}" for step in rest[:1])
        case (str(section), str(key), *_):
            return f"[{section}] {key}"
        case (str(section),) if section in Config.model_fields:
            return f"[{section}]"
        case _:
            return str(loc[0])


def _nearest_setting(loc: tuple[int | str, ...]) -> str:
    """Return the setting that an unknown key was most likely meant to be."""
    words = [str(step) for step in loc if isinstance(step, str)]
    sections: dict[str, type[Section]] = {
        "inference": Inference,
        "models": Model,
        "web": Web,
        "store": StoreSection,
        "files": FilesSection,
        "safety": Safety,
        "log": Log,
    }
    if len(words) == 2 and (near := nearest(words[1], list(sections[words[0]].model_fields))):
        return near
    elsewhere = [f"[{name}] {key}" for name, section in sections.items() for key in section.model_fields if key == words[-1]]
    return elsewhere[0] if elsewhere else nearest(words[-1], list(sections))

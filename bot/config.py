"""The configuration: a TOML file and the environment, read once into frozen sections.

Every key here has an effect. `config.example.toml` lists every key with its default; a test compares the two.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from bot.core.errors import BadConfig
from bot.core.limits import WHOLE, Policy, Tier
from bot.core.suggest import nearest

#: The configuration file if none is given.
DEFAULT_FILE = Path("easel.toml")

_PREFIX = "EASEL__"

#: An HTTP address without a user name or password.
_ADDRESS = r"^https?://(\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+)(:\d{1,4}|:[1-5]\d{4}|:6[0-4]\d{3}|:65[0-4]\d\d|:655[0-2]\d|:6553[0-5])?(/\S*)?$"

#: The password in a URL: error messages repeat a wrong value, but never this part.
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def _listed(value: object) -> object:
    """Accept a list in the form `a, b` too, for environment variables."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


def _time_zone(value: str) -> str:
    """Return the name of a time zone; raises `PydanticCustomError` for an unknown one."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("time_zone", "unknown") from None
    return value


class Section(BaseModel):
    """A part of the configuration: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Inference(Section):
    """`[inference]`: the engine, its devices and its limits."""

    engine: Literal["local"] = "local"
    devices: Words = Field(default=("auto",), min_length=1)
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    default_model: str = "demo"
    models_dir: Path = Path("models")
    max_batch: int = Field(default=16, ge=1, le=256)
    compile: bool = False
    drain_seconds: float = Field(default=20.0, ge=0.0, le=3600.0, allow_inf_nan=False)
    device_memory: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    host_memory: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    allow_downloads: bool = False


class Model(Section):
    """One `[[models]]` entry: a model in addition to the shipped one, and its defaults."""

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
    price: float = Field(default=1.0, gt=0.0, le=1000.0, allow_inf_nan=False)


class Web(Section):
    """`[web]`: the chat page."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = ""
    require_login: bool = False


class Discord(Section):
    """`[discord]`: the Discord bot, enabled by its token."""

    token: str = Field(default="", repr=False)
    api_base: str = Field(default="https://discord.com/api/v10", pattern=_ADDRESS)
    shards: int = Field(default=1, ge=0, le=10_000)
    presence: str = Field(default="", max_length=128)
    age_restricted: bool = False
    file_mib: float = Field(default=10.0, gt=0.0, le=500.0, allow_inf_nan=False)


class Telegram(Section):
    """`[telegram]`: the Telegram bot, enabled by its token. `api_base` and `file_base` end just before the token."""

    token: str = Field(default="", repr=False)
    api_base: str = Field(default="https://api.telegram.org/bot", pattern=_ADDRESS)
    file_base: str = Field(default="https://api.telegram.org/file/bot", pattern=_ADDRESS)
    mode: Literal["polling", "webhook"] = "polling"
    webhook_url: str = Field(default="", pattern=rf"^$|{_ADDRESS}")
    webhook_secret: str = Field(default="", repr=False, pattern=r"^[A-Za-z0-9_-]{0,256}$")
    webhook_host: str = Field(default="127.0.0.1", min_length=1)
    webhook_port: int = Field(default=8443, ge=0, le=65535)

    @model_validator(mode="after")
    def _is_whole(self) -> "Telegram":
        """Require the values that a webhook needs: without a secret anybody could pretend to be Telegram."""
        if self.mode == "webhook" and not (self.webhook_url and self.webhook_secret):
            raise PydanticCustomError("webhook", "unfinished")
        return self


class StoreSection(Section):
    """`[store]`: the database of jobs, users and history."""

    url: str = Field(default="sqlite+aiosqlite:///data/easel.db", min_length=1)


class FilesSection(Section):
    """`[files]`: where pictures are stored, how long, and how many."""

    url: str = Field(default="data/files", min_length=1)
    keep_days: int = Field(default=0, ge=0)
    keep_gib: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    min_free_gib: float = Field(default=2.0, ge=0.0, allow_inf_nan=False)
    upload_mb: int = Field(default=1_000, ge=0)


class Safety(Section):
    """`[safety]`: whether links are fetched, and whether pictures are covered."""

    links: bool = False
    cover: bool = False


class TierSection(Section):
    """One `[[quota.tiers]]` entry: the allowance of a class of users."""

    name: str = Field(min_length=1)
    credits: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0.0, le=100.0, allow_inf_nan=False)
    open_requests: int | None = Field(default=None, ge=1)


class Quota(Section):
    """`[quota]`: credits a day; 0 means no limit."""

    credits: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    place_credits: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    open_requests: int = Field(default=100, ge=1)
    tiers: tuple[TierSection, ...] = ()

    def policy(self) -> Policy:
        """Return the operator's policy."""
        everybody = Tier(_thousandths(self.credits), 1.0, self.open_requests)
        others = {one.name: self._tier(one) for one in self.tiers}
        return Policy({"": everybody, **others}, _thousandths(self.place_credits), self.time_zone)

    def _tier(self, one: TierSection) -> Tier:
        """Return a tier; missing values come from the default tier."""
        credits = self.credits if one.credits is None else one.credits
        return Tier(_thousandths(credits), one.weight, one.open_requests or self.open_requests)


def _thousandths(credits: float) -> int | None:
    return round(credits * WHOLE) if credits else None


class Log(Section):
    """`[log]`: the level and format of the log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    format: Literal["text", "json"] = "text"


class Config(Section):
    """The whole configuration."""

    inference: Inference = Inference()
    models: tuple[Model, ...] = ()
    web: Web = Web()
    discord: Discord = Discord()
    telegram: Telegram = Telegram()
    store: StoreSection = StoreSection()
    files: FilesSection = FilesSection()
    quota: Quota = Quota()
    safety: Safety = Safety()
    log: Log = Log()


def read(path: Path | None = None) -> Config:
    """Return the configuration in a file, or in `easel.toml` if it exists, overridden by the environment.

    Raises `BadConfig`, which names the key and the allowed values.
    """
    if path is None:
        path = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    _refuse_unknown_sections(os.environ)
    try:
        return Config.model_validate(_laid_over(_parsed(path) if path else {}, os.environ))
    except ValidationError as error:
        raise _refused(error.errors(include_url=False)[0]) from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        # Editors on Windows write a byte-order mark.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadConfig("config-file-missing", file=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig("config-file-unreadable", file=str(path), reason=_reason(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfig("config-file-broken", file=str(path), reason=str(error)) from None


def _laid_over(settings: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return settings overridden by the variables `EASEL__SECTION__KEY`, in upper or lower case."""
    laid = dict(settings)
    # Backwards, so that an error of a whole section is not hidden by errors of its keys.
    for name in sorted(environment, reverse=True):
        if name.upper().startswith(_PREFIX):
            *above, key = name.lower().split("__")[1:]
            within = laid
            for step in above:
                held = within.get(step)
                within[step] = within = dict(held) if isinstance(held, dict) else {}
            within[key] = environment[name]
    return laid


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return "it is a folder" if isinstance(error, IsADirectoryError) else "access is denied"


def _refuse_unknown_sections(environment: Mapping[str, str]) -> None:
    """Raise `BadConfig` for `EASEL__…` variables of an unknown section, with the nearest name of a setting."""
    for name in environment:
        section = name.upper().removeprefix(_PREFIX).partition("__")[0].lower()
        if name.upper().startswith(_PREFIX) and section not in Config.model_fields:
            near = nearest(section, list(Config.model_fields))
            raise BadConfig("config-unknown", key=name, nearest=f"{_PREFIX}{near.upper()}" if near else "")


def _refused(error: ErrorDetails) -> BadConfig:
    """Convert an error of pydantic into a `BadConfig` with a sentence of our catalogue."""
    loc = error["loc"]
    variable = _PREFIX + "__".join(str(step).upper() for step in loc)
    key = variable if variable in {name.upper() for name in os.environ} else _in_file(loc)
    if error["type"] == "extra_forbidden":
        return BadConfig("config-unknown", key=key, nearest=_nearest_setting(loc))
    if error["type"] == "missing":
        return BadConfig("config-missing", key=key)
    told = next((told for start, told in _TOLD.items() if error["type"].startswith(start)), "config-value")
    facts = {name: fact for name, fact in error.get("ctx", {}).items() if name in ("ge", "le", "expected")}
    return BadConfig(told, key=key, given=_shown(loc, error["input"]), **facts)


def _shown(loc: tuple[int | str, ...], value: object) -> str:
    """Return a wrong value for display: without a password, and nothing for a secret."""
    return "***" if loc[-1] in ("token", "webhook_secret", "discord", "telegram") else _PASSWORD.sub(r"\1***@", repr(value))[:80]


#: The beginnings of pydantic's error types, and the sentence for each.
_TOLD = {
    "int_": "config-whole",
    "float_": "config-number",
    "finite_": "config-number",
    "bool_": "config-yes-no",
    "string_type": "config-text",
    "string_pattern": "config-address",
    "string_too_long": "config-long",
    "path_": "config-text",
    "tuple_": "config-list",
    "literal_": "config-choice",
    "greater_": "config-least",
    "less_": "config-most",
    "too_short": "config-empty",
    "time_zone": "config-time-zone",
    "webhook": "config-webhook",
    "string_too_short": "config-empty",
    "model_": "config-section",
}


def _in_file(loc: tuple[int | str, ...]) -> str:
    """Return a key as it is written in the file: `[log] level`, `[[models]] 2: steps`."""
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
    """Return the setting that an unknown key most likely means."""
    words = [str(step) for step in loc if isinstance(step, str)]
    sections: dict[str, type[Section]] = {
        "inference": Inference,
        "models": Model,
        "web": Web,
        "discord": Discord,
        "telegram": Telegram,
        "store": StoreSection,
        "files": FilesSection,
        "quota": Quota,
        "safety": Safety,
        "log": Log,
    }
    if len(words) == 2 and (near := nearest(words[1], list(sections[words[0]].model_fields))):
        return near
    elsewhere = [f"[{name}] {key}" for name, section in sections.items() for key in section.model_fields if key == words[-1]]
    return elsewhere[0] if elsewhere else nearest(words[-1], list(sections))

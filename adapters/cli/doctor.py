"""`easel doctor`: reports the configuration, what is missing, and what to type next."""

import asyncio
import importlib.metadata
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from adapters import bootstrap
from adapters.cli.exit_codes import BAD_INPUT, FAILED, code_of
from adapters.observability.redaction import Redaction
from adapters.web.auth.origin_policy import needs_login
from bot import config as configuration
from bot.config import Config
from bot.core.errors import BadConfig, BotError
from bot.i18n.translate import tell, text
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.schema import Schema, state
from inference.contract.errors import InferenceError, Problem
from inference.contract.model_info import not_offered

_SECONDS_FOR_THE_DRIVER = 10


@dataclass(frozen=True)
class Finding:
    """One line of the report; `code` is its exit code, 0 if Easel can generate all the same."""

    state: Literal["ok", "note", "problem"]
    sentence: str
    code: int = 0


def _wrong(problem: Problem) -> Finding:
    return Finding("problem", tell(problem), code_of(problem))


def findings(path: Path | None) -> Iterator[Finding]:
    """Yield the findings about this computer, the configuration and the models, in this order."""
    yield Finding("ok", text("doctor-python", version=platform.python_version()))
    try:
        config = configuration.read(path)
    except BadConfig as error:
        config = Config.model_construct()
        yield _wrong(error.problem)
    else:
        file = path or configuration.DEFAULT_FILE
        yield Finding("ok", text("doctor-config", file=str(file)) if file.exists() else text("doctor-no-config"))
    yield from _libraries()
    yield from _devices(config)
    yield from _models(config)
    yield _store(config)
    yield _page(config)
    yield from _discord(config)
    yield from _telegram(config)
    yield _folder()


def _store(config: Config) -> Finding:
    """Report the state of the store; this reads only, and creates and changes nothing."""
    try:
        BlobStore(config.files.url)
        url = make_url(config.store.url)
        if url.drivername.startswith("sqlite") and url.database and not Path(url.database).exists():
            return Finding("ok", text("doctor-store-blank", store=url.database))
        schema, name = asyncio.run(_stands(config.store.url))
    except (ArgumentError, ValueError):
        # The store itself reports this in its own words, and without the address, which may hold a password.
        return _wrong(Problem("config-store", {"offered": "sqlite+aiosqlite, postgresql+psycopg"}))
    except BotError as error:
        return _wrong(error.problem)
    return _wrong(schema.problems[0]) if schema.problems else Finding("ok", text("doctor-store", store=name))


async def _stands(url: str) -> tuple[Schema, str]:
    async with Database(url) as database:
        return await state(database), database.name


def _page(config: Config) -> Finding:
    address = f"http://{config.web.host}:{config.web.port}/"
    return Finding("ok", text("doctor-page-login" if needs_login(config.web) else "doctor-page", address=address))


def _discord(config: Config) -> Iterator[Finding]:
    """Report the bot on Discord, if there is a token; without a token its library is not even loaded."""
    if not config.discord.token:
        return
    from adapters.discord import probe

    try:
        known = asyncio.run(probe.who(config.discord))
    except probe.Unwelcome:
        yield Finding("problem", text("doctor-discord-refused"), BAD_INPUT)
    except probe.Away as error:
        address = Redaction().masked(config.discord.api_base)
        yield Finding("problem", text("doctor-discord-away", address=address, reason=str(error)), FAILED)
    else:
        yield Finding("ok", text("doctor-discord", name=known.name, invite=known.invitation))
        if known.is_elsewhere:
            yield Finding("problem", text("doctor-discord-elsewhere"), BAD_INPUT)


def _telegram(config: Config) -> Iterator[Finding]:
    """Report the bot on Telegram, if there is a token."""
    section = config.telegram
    if not section.token:
        return
    from adapters.telegram import probe

    try:
        known = asyncio.run(probe.who(section))
    except probe.Unwelcome:
        yield Finding("problem", text("doctor-telegram-refused"), BAD_INPUT)
    except probe.Away as error:
        yield Finding("problem", text("doctor-telegram-away", address=Redaction().masked(section.api_base), reason=str(error)), FAILED)
    else:
        yield Finding("ok", text("doctor-telegram", name=known.name, link=known.link))
        if known.hears_groups:
            yield Finding("note", text("doctor-telegram-privacy"))
        if known.webhook and section.mode == "polling":
            yield Finding("note", text("doctor-telegram-webhook"))


def _libraries() -> Iterator[Finding]:
    for name in ("torch", "diffusers", "transformers"):
        try:
            yield Finding("ok", text("doctor-library", name=name, version=importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("problem", text("doctor-library-missing", name=name), FAILED)


def _devices(config: Config) -> Iterator[Finding]:
    """Report the devices. The driver is asked, not torch, which this process does not load."""
    found = _gpus()
    for name in found:
        yield Finding("ok", text("doctor-gpu", name=name))
    if found and _built_for_processor():
        version, _, _ = importlib.metadata.version("torch").partition("+")
        yield Finding("note", text("doctor-gpu-unused", version=version))
    elif not found and any(device.startswith("cuda") for device in config.inference.devices):
        yield Finding("problem", text("doctor-gpu-missing", devices=", ".join(config.inference.devices)), FAILED)
    elif not found:
        yield Finding("ok", text("doctor-processor"))


def _gpus() -> list[str]:
    driver = shutil.which("nvidia-smi")
    if not driver:
        return []
    query = [driver, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS_FOR_THE_DRIVER, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in told.splitlines() if line.strip()]


def _built_for_processor() -> bool:
    try:
        return importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False


def _models(config: Config) -> Iterator[Finding]:
    try:
        found = bootstrap.catalogue(config)
    except InferenceError as error:
        yield _wrong(error.problem)
        return
    known = found.models
    for name, problem in found.configured.items():
        yield Finding("problem", text("doctor-model-refused", name=name, reason=tell(problem)), _wrong(problem).code)
    for model_info in known.values():
        yield Finding("ok", text("doctor-model", name=model_info.name, family=model_info.family, source=model_info.source))
    folder = bootstrap.models_folder(config)
    if folder is None:
        yield Finding("note", text("doctor-models-folder-missing", folder=str(config.inference.models_dir)))
    else:
        yield from (Finding("note", tell(problem)) for problem in found.lying.values())
    default = config.inference.default_model
    if default not in known and default not in found.configured:
        yield _wrong(not_offered("model", default, tuple(known)).problem)


def _folder() -> Finding:
    here = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=here):
            return Finding("ok", text("doctor-folder", folder=str(here)))
    except OSError:
        return Finding("problem", text("output-folder-unwritable", folder=str(here)), BAD_INPUT)

"""The composition root: builds the parts that do the work from the configuration. No other module knows their classes."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec

from adapters.base import Adapter, Bot
from adapters.observability.health import Health
from adapters.shared import cache
from bot.app import App
from bot.commands import COMMANDS
from bot.commands.inputs import Fetch
from bot.config import Config
from bot.core.scheduling import Costs
from bot.generation.resolve import ModelCatalog
from bot.i18n.translate import tell
from bot.jobs import board_digests
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import MOST_RUNNING, Dispatcher
from bot.jobs.retention import Limits, Retention
from bot.store import schema
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from inference.contract.errors import BadModel
from inference.contract.model_info import ModelInfo, not_offered
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import SHIPPED, Catalogue, ModelEntry, survey
from inference.supervisor import LocalEngine

log = logging.getLogger("easel.main")


def models_folder(config: Config) -> Path | None:
    """Return the folder with the models; a folder that is not configured need not exist."""
    named = "models_dir" in config.inference.model_fields_set
    return config.inference.models_dir if named or config.inference.models_dir.is_dir() else None


def catalogue(config: Config) -> Catalogue:
    """Return every usable model, and why the others are left out; raises `BadModel` if the models folder is missing."""
    entries = [ModelEntry(**model.model_dump(exclude={"price"})) for model in config.models]
    return survey(entries, models_folder(config), WEIGHTS)


def chosen(config: Config, name: str | None) -> ModelInfo:
    """Return the model info for a name, or for the default model; raises `NotOffered` if there is none."""
    return _named(catalogue(config), config.inference.default_model if name is None else name)


def _named(known: Catalogue, name: str) -> ModelInfo:
    if name in known.configured:
        raise BadModel.of(known.configured[name])
    if name not in known.models:
        raise not_offered("model", name, tuple(known.models))
    return known.models[name]


def _default(known: Catalogue, name: str) -> str:
    """Return the default model; if it is configured but unusable, the demo model takes its place, and the log says so."""
    for given, problem in known.configured.items():
        log.error("model.left_out name=%s problem=%r", given, tell(problem))
    for file, problem in known.lying.items():
        log.warning("model.left_out file=%r problem=%r", file, tell(problem))
    if name in known.configured:
        log.error("model.default_left_out name=%s instead=%s", name, SHIPPED)
        return SHIPPED
    return _named(known, name).name


def engine(config: Config, offered: dict[str, ModelInfo]) -> LocalEngine:
    """Return the engine for the configuration; entering it starts it."""
    section = config.inference
    settings = EngineSettings(**{name: getattr(section, name) for name in EngineSettings.__struct_fields__ if hasattr(section, name)})
    return LocalEngine(msgspec.structs.replace(settings, hashes=str(cache.folder() / "hashes")), offered)


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Store]:
    """Open the store with its tables as this version needs them. Raises `BotError` if that fails."""
    async with Database(config.store.url) as database:
        await schema.prepare(database)
        yield Store.of(database, BlobStore(config.files.url), config.quota.policy(), cover=config.safety.cover)


async def run(config: Config, said: Callable[[str, Adapter], None], ending: Callable[[int], None]) -> None:
    """Run everything that is configured until told to stop.

    `said` is called for each platform once it is ready, `ending` with the number of images still to be finished at the end.
    """
    # Imported here because other commands of the terminal do not need the platform libraries.
    from adapters.registry import REGISTRY
    from adapters.terminal.file_delivery import FileDelivery

    found = catalogue(config)
    known = found.models
    prices = {model.name: model.price for model in config.models}
    offer = ModelCatalog(known, _default(found, config.inference.default_model), factors=prices)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(config))
        painter = await stack.enter_async_context(engine(config, known))
        router, learned = Router(), Costs()
        drain = config.inference.drain_seconds
        least_free = round(config.files.min_free_gib * 2**30)
        devices = len(painter.workers)
        dispatcher = Dispatcher(
            store,
            painter,
            router,
            (),
            # Enough to fill the batches of every device, few enough that the fair queue still decides the order.
            max(MOST_RUNNING, devices * config.inference.max_batch),
            costs=learned,
            devices=devices,
            drain_seconds=drain,
            least_free=least_free,
        )
        app = App(
            COMMANDS,
            store,
            offer,
            fetch=_fetch(config),
            wake=dispatcher.wake,
            foresee=dispatcher.sight.foresee,
            learned=learned,
            in_work=lambda: dispatcher.pictures_in_work,
            least_free=least_free,
            most_brought=config.files.upload_mb * 1_000_000,
        )
        bot = Bot(config, app, dispatcher.card, dispatcher.show, Health(store, dispatcher, painter.workers))
        router.adapters[FileDelivery.platform] = FileDelivery(store)
        ready = [(name, adapter) for name, open_adapter in REGISTRY.items() if (adapter := open_adapter(bot)) is not None]
        # Jobs left by a terminal are queued again if the server that had taken them was stopped.
        dispatcher.serve((*(name for name, _ in ready), FileDelivery.platform))
        for name, adapter in ready:
            router.adapters[name] = await stack.enter_async_context(adapter)
        await stack.enter_async_context(Retention(store, Limits(config.files.keep_days, config.files.keep_gib)))
        await stack.enter_async_context(board_digests.BoardDigests(store, router, [name for name, _ in ready]))
        await stack.enter_async_context(dispatcher)
        for name, adapter in ready:
            said(name, adapter)
        await _told_to_stop()
        log.info("main.stopping")
        if dispatcher.pictures_in_work and config.inference.drain_seconds:
            ending(dispatcher.pictures_in_work)


def _fetch(config: Config) -> Fetch | None:
    if not config.safety.links:
        return None
    from adapters.shared.link_fetcher import fetch

    return fetch


async def _told_to_stop() -> None:
    """Wait for Ctrl-C or a termination signal."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    # Windows has no signal handlers in its loop; there Ctrl-C ends the wait as an exception.
    with suppress(NotImplementedError):
        for number in signals:
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
    # A second signal means that the user does not want to wait for an orderly end.
    with suppress(NotImplementedError):
        for number in signals:
            loop.remove_signal_handler(number)

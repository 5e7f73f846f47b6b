"""The composition root: from the configuration to the parts that do the work. Nothing else knows which classes those are."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from adapters.base import Adapter, Bot
from bot.app import App, Offer
from bot.cards import Card
from bot.commands import COMMANDS
from bot.config import Config
from bot.given import Fetch
from bot.jobs.dispatcher import Dispatcher
from bot.store import schema
from bot.store.files import Files
from bot.store.session import Database
from bot.store.store import Store
from bot.values import Address
from inference.catalogue import ModelEntry, read_catalogue, with_hash
from inference.demo import WEIGHTS
from inference.passport import Passport, not_offered
from inference.process import LocalEngine
from inference.settings import EngineSettings

log = logging.getLogger("easel.main")


def models_folder(config: Config) -> Path | None:
    """Return the folder to look for models in; one that nobody configured need not exist."""
    named = "models_dir" in config.inference.model_fields_set
    return config.inference.models_dir if named or config.inference.models_dir.is_dir() else None


def passports(config: Config) -> dict[str, Passport]:
    """Return every model that can be asked for; raises `BadModel` for one that is configured and cannot be used."""
    entries = [ModelEntry(**model.model_dump()) for model in config.models]
    return read_catalogue(entries, models_folder(config), WEIGHTS)


def chosen(config: Config, name: str | None) -> Passport:
    """Return the passport of a model by name, or of the default model; raises `NotOffered` where there is none."""
    return hashed(_named(passports(config), config.inference.default_model if name is None else name))


def _named(known: dict[str, Passport], name: str) -> Passport:
    if name not in known:
        raise not_offered("model", name, tuple(known))
    return known[name]


def hashed(passport: Passport) -> Passport:
    """Return a passport with the hash of its weights, which is reckoned once and remembered."""
    return with_hash(passport, cache_folder() / "hashes")


def engine(config: Config, offered: dict[str, Passport]) -> LocalEngine:
    """Return the engine that the configuration asks for; entering it starts it."""
    section = config.inference
    settings = EngineSettings(**{name: getattr(section, name) for name in EngineSettings.__struct_fields__ if hasattr(section, name)})
    return LocalEngine(settings, offered)


def cache_folder() -> Path:
    """Return the folder for what can be made again at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "easel"


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Store]:
    """Give the store, its tables as this version needs them. Raises `BotError` where that cannot be."""
    async with Database(config.store.url) as database:
        await schema.prepare(database)
        yield Store.of(database, Files(config.files.url))


class Shows(Protocol):
    """What the router needs of an adapter."""

    async def show(self, card: Card, address: Address) -> None:
        """Show a card, new or changed."""
        ...


class Router:
    """Takes each card to the adapter of its platform."""

    def __init__(self) -> None:
        self.adapters: dict[str, Shows] = {}

    async def show(self, card: Card, address: Address) -> None:
        """Show a card where it belongs; a platform that is not running now shows it when it is asked again."""
        if (adapter := self.adapters.get(address.platform)) is not None:
            await adapter.show(card, address)


async def run(config: Config, said: Callable[[str, Adapter], None]) -> None:
    """Run everything that is configured until told to stop; `said` hears of each platform when it is ready to be spoken to."""
    # Here and not above: other commands of the terminal do without the libraries of the platforms.
    from adapters.registry import REGISTRY
    from adapters.terminal.leftovers import Leftovers

    known = passports(config)
    offer = Offer(known, _named(known, config.inference.default_model).name)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(config))
        painter = await stack.enter_async_context(engine(config, {name: _with_known_hash(one, config) for name, one in known.items()}))
        router = Router()
        # What a terminal left behind waits in line again once a server that had taken it was stopped.
        dispatcher = Dispatcher(store, painter, router.show, (*REGISTRY, Leftovers.platform))
        bot = Bot(config, App(COMMANDS, store, offer, fetch=_fetch(config), wake=dispatcher.wake), dispatcher.card, dispatcher.show)
        router.adapters[Leftovers.platform] = Leftovers(store)
        ready = [(name, adapter) for name, open_adapter in REGISTRY.items() if (adapter := open_adapter(bot)) is not None]
        for name, adapter in ready:
            router.adapters[name] = await stack.enter_async_context(adapter)
        await stack.enter_async_context(dispatcher)
        for name, adapter in ready:
            said(name, adapter)
        await _told_to_stop()
        log.info("main.stopping")


def _with_known_hash(passport: Passport, config: Config) -> Passport:
    # Hashing many gigabytes would keep everybody waiting: large models that are not the default are hashed when `easel models
    # inspect` or a painting in the terminal first needs it.
    small = passport.bytes < 2**30
    return hashed(passport) if small or passport.name == config.inference.default_model else passport


def _fetch(config: Config) -> Fetch | None:
    if not config.safety.links:
        return None
    from adapters.links import fetch

    return fetch


async def _told_to_stop() -> None:
    """Wait for Ctrl-C or a polite request to end."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    # Windows has no signal handlers in its loop; there Ctrl-C ends the wait as an exception.
    with suppress(NotImplementedError):
        for number in signals:
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
    # Whoever asks a second time does not want to wait for an orderly end.
    with suppress(NotImplementedError):
        for number in signals:
            loop.remove_signal_handler(number)

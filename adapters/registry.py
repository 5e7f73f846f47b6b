"""The registry of platforms: one line for each platform."""

from collections.abc import Callable

from adapters import discord, telegram
from adapters.base import Adapter, Bot
from adapters.web import adapter as web

#: Opens an adapter, or returns `None` if the configuration does not enable its platform.
Open = Callable[[Bot], Adapter | None]

REGISTRY: dict[str, Open] = {
    "web": web.open_adapter,
    "discord": discord.open_adapter,
    "telegram": telegram.open_adapter,
}

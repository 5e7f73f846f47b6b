"""The platforms there are: one line for each."""

from collections.abc import Callable

from adapters import discord, telegram
from adapters.base import Adapter, Bot
from adapters.web import adapter as web

#: Opens an adapter, or returns nothing where the configuration does not ask for its platform.
Open = Callable[[Bot], Adapter | None]

REGISTRY: dict[str, Open] = {
    "web": web.open_adapter,
    "discord": discord.open_adapter,
    "telegram": telegram.open_adapter,
}

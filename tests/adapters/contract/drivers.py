"""The worlds of the contract tests, one for each platform in the registry."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tests.adapters.contract import discord, telegram, web
from tests.adapters.contract.talker import World

WORLDS: dict[str, Callable[[], AbstractAsyncContextManager[World]]] = {
    "web": web.world,
    "discord": discord.world,
    "telegram": telegram.world,
}

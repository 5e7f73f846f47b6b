"""Determine what a button, list entry or form means: its command and the parameter values."""

import dataclasses
from contextlib import asynccontextmanager

from bot.commands import COMMANDS
from bot.core.values import MessageRef, UserRef
from bot.framework.reply import Reply
from tests.talk import PLATFORM, talk


class Caught:
    """All commands, with handlers that only record their parameters."""

    def __init__(self):
        self.asked = []
        self.commands = tuple(dataclasses.replace(one, run=self._caught(one.name)) for one in COMMANDS)

    def _caught(self, name):
        async def run(ctx, want):
            del ctx
            self.asked.append((name, want.model_dump(exclude_none=True)))
            return Reply(text="caught")

        return run


class Pressed:
    """A bot whose handlers only record their parameters."""

    def __init__(self, bot, caught):
        self._bot = bot
        self._caught = caught

    async def meant(self, wire, filled=None):
        """Return the command and the parameter values that a press, or a submitted form, binds to."""
        self._caught.asked.clear()
        await self._bot.app.pressed(wire, UserRef(PLATFORM, "ada"), MessageRef(PLATFORM, "studio"), filled=filled)
        (asked,) = self._caught.asked
        return asked


@asynccontextmanager
async def pressing(folder):
    """Yield a bot whose handlers only record their parameters, over an empty store."""
    caught = Caught()
    async with talk(folder, caught.commands) as bot:
        yield Pressed(bot, caught)


def wire_of(carried):
    """Return the button data in a platform's string: Discord's and Telegram's forms put a prefix before it."""
    if carried.startswith("form:"):
        return carried.removeprefix("form:")
    return carried.partition(".")[2] if carried.startswith("+") else carried

"""What the contract tests need of each platform: its environment and users in it.

Only the platform's front end is used: sockets, emulated servers, what users see.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adapters.base import Adapter
from bot.config import Config


@dataclass(frozen=True)
class Heard:
    """What a user sees at once: the jobs of new cards, the text, and whether it was a refusal."""

    jobs: tuple[str, ...]
    said: str
    is_refused: bool


class Talker(Protocol):
    """A user in their own channel. `event` is the platform's id of a message or press: a known id is a repeat."""

    async def say(self, line: str, event: str = "", pictures: Sequence[bytes] = (), file: tuple[str, bytes] | None = None) -> Heard:
        """Send a line with pictures or a named file; a line beyond the platform's limit is truncated as by its input field."""
        ...

    async def handed(self) -> tuple[str, bytes]:
        """Wait until the bot has sent a file that is not a picture; return the name and the content of the last one."""
        ...

    async def press(self, wire: str, event: str = "") -> Heard:
        """Press a button, possibly a guessed or copied button."""
        ...

    async def until(self, job: str, state: str) -> None:
        """Wait until a job's card is in a state."""
        ...

    def seen(self, job: str) -> list[str]:
        """Return the visible states of a job's card in order; a step of progress is `step`."""
        ...

    def covered(self, job: str) -> list[bool]:
        """Return whether each visible picture and preview of a job was covered, in order."""
        ...

    async def hears(self, words: str) -> str:
        """Wait for a message with these words in the conversation, requested or not, and return its visible text."""
        ...

    async def cards(self) -> list[str]:
        """Return the jobs of all cards that are in the conversation now, including duplicates."""
        ...


class World(Protocol):
    """The environment of a platform, which outlives a bot. The same name is the same user for every bot."""

    platform: str

    def config(self, folder: Path) -> Config:
        """Return the configuration of a bot in this world that stores its data in a folder."""
        ...

    def user(self, adapter: Adapter, name: str) -> AbstractAsyncContextManager[Talker]:
        """Open a conversation of a user with a running bot."""
        ...

"""What the contract's tests need of each platform: a world around it, and people in it.

Nothing but the platform's own front is used: sockets, emulated servers, what people see.
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
    """What a person sees at once: the jobs whose cards appeared, what was said, and whether it was a refusal."""

    jobs: tuple[str, ...]
    said: str
    is_refused: bool


class Talker(Protocol):
    """One person in their own place. `event` is the platform's own id of a message or press: the same one is a repeat."""

    async def say(self, line: str, event: str = "", pictures: Sequence[bytes] = (), file: tuple[str, bytes] | None = None) -> Heard:
        """Type a line, with pictures or a named file; of one that is longer than the platform lets people type, what it lets through."""
        ...

    async def handed(self) -> tuple[str, bytes]:
        """Wait until the bot has handed over a file that is no picture; return the last one's name and what is in it."""
        ...

    async def press(self, wire: str, event: str = "") -> Heard:
        """Press a button, one that was guessed or copied too."""
        ...

    async def until(self, job: str, state: str) -> None:
        """Wait until a job's card is seen in a state."""
        ...

    def seen(self, job: str) -> list[str]:
        """Return the states that a job's card was seen in, in their order; a step of progress is `step`."""
        ...

    def covered(self, job: str) -> list[bool]:
        """Return of everything that was seen of a job's pictures and previews, in its order, whether it was covered."""
        ...

    async def hears(self, words: str) -> str:
        """Wait until something is said in the conversation that holds some words, asked for or not, and return what is seen of it."""
        ...

    async def cards(self) -> list[str]:
        """Return the jobs whose cards are in the conversation now, as often as they are."""
        ...


class World(Protocol):
    """Where a platform is: it is there before the bot, and after it. The same name is the same person, whatever bot they talk to."""

    platform: str

    def config(self, folder: Path) -> Config:
        """Return the configuration of a bot that is in this world, and keeps what it keeps in a folder."""
        ...

    def user(self, adapter: Adapter, name: str) -> AbstractAsyncContextManager[Talker]:
        """Open a way for a person to talk to a bot that runs."""
        ...

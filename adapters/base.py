"""What every platform's adapter is: the contract that `tests/adapters/contract` asks of each one in the registry."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from bot.app import App
from bot.cards import Card
from bot.config import Config
from bot.store.jobs import Job
from bot.values import Address


@dataclass(frozen=True)
class Bot:
    """What an adapter is given: the configuration, the bot, and the two things that it asks about a job."""

    config: Config
    app: App
    #: Returns the card of a job as it is now.
    card: Callable[[Job], Awaitable[Card]]
    #: Shows a job as it is now where it belongs; to be called after a command changed it.
    refresh: Callable[[str], Awaitable[None]]


class Adapter(Protocol):
    """A platform. Entering it connects, leaving it says good-bye; in between it turns what arrives into invocations.

    `show` makes a job's card visible at its address, or changes the one that is there. It is called with every change, from any
    task, and may drop what is overtaken. It never raises: what a platform refuses is the adapter's to mend or to log.
    """

    platform: str

    @property
    def address(self) -> str:
        """Return where people find it: what `easel run` prints when it is ready."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    async def show(self, card: Card, address: Address) -> None:
        """Show a card, new or changed."""
        ...

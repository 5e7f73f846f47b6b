"""What every platform's adapter is: the contract that `tests/adapters/contract` asks of each one in the registry."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from adapters.observability.health import Health
from bot.app import App
from bot.config import Config
from bot.core.values import MessageRef
from bot.framework.reply import Reply
from bot.jobs.delivery import Outcome, OutgoingResult
from bot.store.jobs.job import Job
from bot.views.job_card import JobView


@dataclass(frozen=True)
class Bot:
    """What an adapter is given: the configuration, the bot, and the two things that it asks about a job."""

    config: Config
    app: App
    #: Returns the card of a job as it is now.
    card: Callable[[Job], Awaitable[JobView]]
    #: Shows a job as it is now where it belongs; to be called after a command changed it.
    refresh: Callable[[str], Awaitable[None]]
    #: Answers for how all of this is doing; nothing where nobody asks.
    operation: Health | None = None


class Adapter(Protocol):
    """A platform. Entering it connects, leaving it says good-bye; in between it turns what arrives into invocations.

    `show` makes a job's card visible at its address, or changes the one that is there. It is called with every change, from any
    task, and may drop what is overtaken. It never raises: what a platform refuses is the adapter's to mend or to log.

    `settle` is called before the end of a job is kept, where it was painted: whichever process tells the end, no progress may come
    after it. It waits for a moment at most, and never raises.

    `deliver` shows how a job ended, in place of its placeholder. It is called again with the same parcel after a crash, after
    `Later` and after a silence, and must show the result once however often that happens; where the platform gives no way to
    be sure it says `Unknown`, after asking the person. `Sent` is said only when the platform has taken it.

    `post` says something that nobody asked for, such as a digest, where an address is, and calls nobody by name. It never raises:
    `Later` means that nothing was said, unless `unsure`, and that it may be tried again; `Refused` that the place is gone, or closed to
    the bot, and nothing need be said there any more; `Unknown` whatever else. `key` is what it is known by: a platform that can tells
    what is posted again under the same one once.
    """

    platform: str

    @property
    def address(self) -> str:
        """Return where people find it: what `easel run` prints when it is ready."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show a card, new or changed."""
        ...

    def is_mirrored(self, platform: str) -> bool:
        """Return whether every process shows to readers of its own; False where all of them speak to one and the same platform."""
        ...

    async def settle(self, job: str, address: MessageRef) -> None:
        """Drop what was to be shown of a job, and wait for what is on its way."""
        ...

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended."""
        ...

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Say something that nobody asked for."""
        ...

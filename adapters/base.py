"""The contract of every platform adapter: `tests/adapters/contract` checks it for each adapter in the registry."""

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
    """What an adapter receives: the configuration, the bot, and the two callbacks for jobs."""

    config: Config
    app: App
    #: Returns the current view of a job.
    card: Callable[[Job], Awaitable[JobView]]
    #: Shows the current state of a job in its channel; call it after a command changed the job.
    refresh: Callable[[str], Awaitable[None]]
    #: Reports health and metrics; `None` if nothing asks for them.
    operation: Health | None = None


class Adapter(Protocol):
    """A platform. Entering it connects, leaving it disconnects; in between it turns what arrives into invocations.

    `show` displays a job view at its address, or updates the view already shown. It is called with every change, from any
    task, and may drop outdated views. It never raises: the adapter itself repairs or logs what a platform refuses.

    `settle` is called before the end of a job is stored, in the process that ran it: no progress may be shown after the end,
    whichever process shows the end. It waits briefly at most, and never raises.

    `deliver` shows how a job ended, in place of its placeholder. It is called again with the same delivery after a crash, after
    `Later` and after a time-out, and must show the result exactly once however often that happens; if the platform offers no way to
    be sure, it returns `Unknown`, after asking the user. It returns `Sent` only once the platform has accepted the result.

    `post` sends an unsolicited message, such as a digest, to an address, and mentions no user. It never raises:
    `Later` means that nothing was sent, unless `unsure`, and that it may be retried; `Refused` means that the channel is gone, or closed to
    the bot, and needs no further messages; `Unknown` is everything else. `key` identifies the message: a platform that supports it sends
    a message that is posted again under the same key only once.
    """

    platform: str

    @property
    def address(self) -> str:
        """Return the address at which users reach it: `easel run` prints it when it is ready."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show a new or changed job view."""
        ...

    def is_mirrored(self, platform: str) -> bool:
        """Return whether each process shows to readers of its own; False if all processes write to one and the same platform."""
        ...

    async def settle(self, job: str, address: MessageRef) -> None:
        """Drop pending views of a job, and wait for those being sent."""
        ...

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended."""
        ...

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Send an unsolicited message."""
        ...

"""Writes images into files, also for terminals that have closed."""

import asyncio
from pathlib import Path

from adapters.terminal import args
from bot.core.errors import BadStore, BotError
from bot.core.values import MessageRef
from bot.framework.reply import Reply
from bot.jobs.delivery import Later, Outcome, OutgoingResult, Refused, Sent
from bot.store.jobs.job import DONE, Job
from bot.store.store import Store
from bot.views.job_card import JobView

PLATFORM = "terminal"


class FileDelivery:
    """Delivers the images of terminals that closed during a job; `easel run` uses it as the adapter of the terminal."""

    platform = PLATFORM

    def __init__(self, store: Store) -> None:
        self._store = store

    async def show(self, _card: JobView, _address: MessageRef) -> None:
        """Show nothing: that terminal is closed."""

    def is_mirrored(self, _platform: str) -> bool:
        """Return False: there is nothing to show twice."""
        return False

    async def settle(self, _job: str, _address: MessageRef) -> None:
        """Do nothing: no view is being sent."""

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Write the files of a finished job."""
        job = await self._store.jobs.get(outgoing.card.job)
        if job is None or job.state != DONE:
            return Sent()
        try:
            await deliver(self._store, job)
        except BadStore as error:
            return Later(error.problem.key)
        except BotError as error:
            return Refused(error.problem.key)
        except OSError as error:
            return Later(type(error).__name__)
        return Sent()

    async def post(self, _address: MessageRef, _reply: Reply, _key: str) -> Outcome:
        """Send nothing: the terminal is closed."""
        return Refused("terminal closed")


async def deliver(store: Store, job: Job) -> None:
    """Write a job's images into the files of its address; doing it twice changes nothing."""
    pictures = (await store.pictures.of_jobs([job.id]))[job.id]
    for name, picture in zip(job.address.message.split("/"), pictures, strict=True):
        await asyncio.to_thread(args.write, Path(job.address.channel) / name, await store.files.get(picture.file))

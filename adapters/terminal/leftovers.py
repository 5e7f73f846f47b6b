"""Pictures on their way into files, also of terminals that are not there any more."""

import asyncio
import logging
from pathlib import Path

from adapters.terminal import inbound
from bot.cards import Card
from bot.errors import BotError
from bot.store.jobs import DONE, Job
from bot.store.store import Store
from bot.values import Address

log = logging.getLogger("easel.terminal")

PLATFORM = "terminal"


class Leftovers:
    """Delivers the pictures of terminals that went away in the middle; `easel run` takes it for the adapter of the terminal."""

    platform = PLATFORM

    def __init__(self, store: Store) -> None:
        self._store = store

    async def show(self, card: Card, _address: Address) -> None:
        """Write the files of a finished job."""
        job = None if card.is_open else await self._store.jobs.get(card.job)
        if job is None or job.state != DONE:
            return
        try:
            await deliver(self._store, job)
        except (BotError, OSError) as error:
            log.warning("terminal.undelivered job=%s %s", job.id, error)


async def deliver(store: Store, job: Job) -> None:
    """Write a job's pictures into the files that its address names; doing it twice changes nothing."""
    pictures = (await store.pictures.of_jobs([job.id]))[job.id]
    for name, picture in zip(job.address.message.split("/"), pictures, strict=True):
        await asyncio.to_thread(inbound.write, Path(job.address.place) / name, await store.files.get(picture.file))

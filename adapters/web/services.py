"""Services shared by all web routes: the bot, access, the open pages, and a few queries about jobs."""

from dataclasses import dataclass

from adapters.base import Bot
from adapters.web.auth.access import Access, Visitor
from adapters.web.sse import Hub
from bot.i18n.translate import speak
from bot.store.jobs.job import Job
from bot.store.store import Store
from bot.views.job_card import JobView


@dataclass(frozen=True)
class Services:
    """The parts that answer requests."""

    bot: Bot
    access: Access
    hub: Hub

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.bot.app.store

    async def speak(self, visitor: Visitor) -> None:
        """Use the visitor's language: the language they chose, else that of their browser, else the language they used elsewhere."""
        user = await self.store.people.find(visitor.caller)
        if user is not None and (said := user.language or visitor.caller.language or user.locale):
            speak(said)

    async def cards(self, jobs: tuple[Job, ...]) -> tuple[JobView, ...]:
        """Return the current views of jobs."""
        return tuple([await self.bot.card(job) for job in jobs])

    async def queue(self, visitor: Visitor) -> tuple[JobView, ...]:
        """Return the views of a visitor's queued jobs, oldest first."""
        user = await self.store.people.find(visitor.caller)
        return () if user is None else await self.cards(await self.store.jobs.open_of(user.id))

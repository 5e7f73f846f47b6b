"""What all pages of the web chat share: the bot, who is let in, the open pages, and a few questions about jobs."""

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
        """Go on in the language of a visitor: what they chose, else what their browser asks for, else what they spoke elsewhere."""
        user = await self.store.people.find(visitor.caller)
        if user is not None and (said := user.language or visitor.caller.language or user.locale):
            speak(said)

    async def cards(self, jobs: tuple[Job, ...]) -> tuple[JobView, ...]:
        """Return the cards of jobs as they are now."""
        return tuple([await self.bot.card(job) for job in jobs])

    async def queue(self, visitor: Visitor) -> tuple[JobView, ...]:
        """Return the cards of what a visitor waits for, oldest first."""
        user = await self.store.people.find(visitor.caller)
        return () if user is None else await self.cards(await self.store.jobs.open_of(user.id))

"""What all pages of the web chat share: the bot, who is let in, the open pages, and a few questions about jobs."""

from dataclasses import dataclass

from adapters.base import Bot
from adapters.web.access import Access, Visitor
from adapters.web.streams import Hub
from bot.cards import Card
from bot.store.jobs import Job
from bot.store.store import Store


@dataclass(frozen=True)
class Desk:
    """The parts that answer requests."""

    bot: Bot
    access: Access
    hub: Hub

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.bot.app.store

    async def cards(self, jobs: tuple[Job, ...]) -> tuple[Card, ...]:
        """Return the cards of jobs as they are now."""
        return tuple([await self.bot.card(job) for job in jobs])

    async def queue(self, visitor: Visitor) -> tuple[Card, ...]:
        """Return the cards of what a visitor waits for, oldest first."""
        person = await self.store.people.find(visitor.caller)
        return () if person is None else await self.cards(await self.store.jobs.open_of(person.id))

"""Persons, how platforms know them, and the places where they talk."""

import msgspec
from sqlalchemy import Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.models import IdentityRow, PersonRow, PlaceRow
from bot.store.session import Database, add_if_new
from bot.values import Caller, new_id


class Person(msgspec.Struct, frozen=True):
    """Somebody that Easel knows, whatever platform they speak from."""

    id: str
    name: str


class People:
    """Finds persons and places, and remembers those it meets for the first time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def person(self, caller: Caller) -> Person:
        """Return the person behind a platform's identity; a new one is remembered, once, however many messages arrive at once."""
        if (known := await self.find(caller)) is not None:
            return known
        new = Person(new_id(), caller.name)
        async with self._database.write() as session:
            await session.execute(insert(PersonRow).values(id=new.id, name=new.name))
            identity = {"platform": caller.platform, "id": caller.id, "person_id": new.id}
            if not await add_if_new(session, IdentityRow, identity):
                # Another message was quicker: its person it is.
                await session.execute(delete(PersonRow).where(PersonRow.id == new.id))
                row = (await session.scalars(_person_of(caller))).one()
                return Person(row.id, row.name)
        return new

    async def introduce(self, caller: Caller, person: Person) -> None:
        """Remember that an identity is a person who is known already; nothing changes where the identity is known."""
        if await self.find(caller) is None:
            async with self._database.write() as session:
                await add_if_new(session, IdentityRow, {"platform": caller.platform, "id": caller.id, "person_id": person.id})

    async def find(self, caller: Caller) -> Person | None:
        """Return the person behind an identity, or nothing where it is not known."""
        async with self._database.read() as session:
            row = await session.scalar(_person_of(caller))
        return None if row is None else Person(row.id, row.name)


def _person_of(caller: Caller) -> Select[PersonRow]:
    return (
        select(PersonRow)
        .join(IdentityRow, IdentityRow.person_id == PersonRow.id)
        .where(IdentityRow.platform == caller.platform, IdentityRow.id == caller.id)
    )


async def place_id(session: AsyncSession, platform: str, key: str) -> str:
    """Return the id of a place; a new one is remembered. To be called inside a writing transaction."""
    known = select(PlaceRow.id).where(PlaceRow.platform == platform, PlaceRow.key == key)
    if (found := await session.scalar(known)) is not None:
        return found
    await add_if_new(session, PlaceRow, {"id": new_id(), "platform": platform, "key": key})
    return (await session.scalars(known)).one()

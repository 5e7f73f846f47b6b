"""Persons, how platforms know them, and the places where they talk."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import BadInput
from bot.core.quota import Policy
from bot.core.values import Address, Caller, new_id
from bot.store.billing import carryover
from bot.store.database import Database, add_if_new
from bot.store.sharing import digests
from bot.store.tables.columns import storable
from bot.store.tables.core import MODERATOR as MODERATOR
from bot.store.tables.core import OPERATOR as OPERATOR
from bot.store.tables.core import IdentityRow, JobRow, PersonRow, PlaceRow
from bot.store.users import channel_migration
from bot.store.users.channels import place_id


class Person(msgspec.Struct, frozen=True):
    """Somebody that Easel knows, whatever platform they speak from. `role` and `tier` are what operators gave them.

    `language` is what they chose to be spoken to in, `locale` what their platform said last that they speak; each may be empty.
    """

    id: str
    name: str
    role: str = ""
    tier: str = ""
    paused: bool = False
    language: str = ""
    locale: str = ""

    def speaks(self, here: str = "") -> str:
        """Return the locale that this person is spoken to in, or nothing where nobody knows; `here` is the language of a place."""
        return self.language or here or self.locale

    @property
    def moderates(self) -> bool:
        """Return whether this person looks after everybody."""
        return self.role in (MODERATOR, OPERATOR)

    @property
    def told(self) -> str:
        """Return the name with the id: names are chosen, and several may choose the same."""
        return f"{self.name} ({self.id})" if self.name else self.id


def digest_of(caller: Caller) -> str:
    """Return what is kept of how a platform knows somebody who was forgotten."""
    return hashlib.sha256(storable(f"{caller.platform}:{caller.id}").encode()).hexdigest()


class People:
    """Finds persons and places, and remembers those it meets for the first time."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def person(self, caller: Caller) -> Person:
        """Return the person behind a platform's identity; a new one is remembered, once, however many messages arrive at once."""
        if (known := await self.find(caller)) is not None:
            if news := _news(caller, known):
                await self._change(known.id, news)
            return msgspec.structs.replace(known, **news)
        new = Person(new_id(), caller.name, locale=caller.language[:_LONGEST_LOCALE])
        async with self._database.write() as session:
            await session.execute(insert(PersonRow).values(id=new.id, name=new.name, locale=new.locale))
            identity = {"platform": caller.platform, "id": caller.id, "person_id": new.id}
            if not await add_if_new(session, IdentityRow, identity):
                # Another message was quicker: its person it is.
                await session.execute(delete(PersonRow).where(PersonRow.id == new.id))
                row = (await session.scalars(_person_of(caller))).one()
                return _person(row)
            await carryover.come_back(session, self._policy, new.id, digest_of(caller))
        return new

    async def _change(self, person: str, values: Mapping[str, str]) -> None:
        async with self._database.write() as session:
            await session.execute(update(PersonRow).where(PersonRow.id == person).values(values))

    async def address_in(self, person: str, language: str) -> None:
        """Speak to a person in a language that they chose; with none it is again what their platform says."""
        await self._change(person, {"language": language})

    async def introduce(self, caller: Caller, person: Person) -> None:
        """Remember that an identity is a person who is known already; nothing changes where the identity is known."""
        if await self.find(caller) is None:
            async with self._database.write() as session:
                if await add_if_new(session, IdentityRow, {"platform": caller.platform, "id": caller.id, "person_id": person.id}):
                    await carryover.come_back(session, self._policy, person.id, digest_of(caller))

    async def find(self, caller: Caller) -> Person | None:
        """Return the person behind an identity, or nothing where it is not known."""
        async with self._database.read() as session:
            row = await session.scalar(_person_of(caller))
        return None if row is None else _person(row)

    async def named(self, reference: str) -> tuple[Person, ...]:
        """Return whom a reference means: a person's id, `platform:id` of one of their identities, or everybody of a name.

        What looks like an identity is never a name: people choose their names, and could choose that one.
        """
        platform, colon, id = reference.partition(":")
        known = _person_of(Caller(platform, id)) if colon else select(PersonRow).where(PersonRow.id == reference)
        async with self._database.read() as session:
            found = (await session.scalars(known)).all()
            if not found and not colon:
                same = select(PersonRow).where(PersonRow.id.in_(await _namesakes(session, reference)))
                found = (await session.scalars(same.order_by(PersonRow.created))).all()
        return tuple(map(_person, found))

    async def one(self, reference: str) -> Person:
        """Return the person that a reference means; raises `BadInput` where that is nobody, or several."""
        found = await self.named(reference.strip())
        if len(found) != 1:
            raise BadInput("input-person" if not found else "input-person-several", given=reference[:_LONGEST_REFERENCE])
        return found[0]

    async def latest(self, most: int) -> tuple[tuple[Person, tuple[Caller, ...]], ...]:
        """Return the persons whom Easel met last, each with their identities."""
        async with self._database.read() as session:
            rows = (await session.scalars(select(PersonRow).order_by(PersonRow.created.desc()).limit(most))).all()
            owned = await session.scalars(select(IdentityRow).where(IdentityRow.person_id.in_([row.id for row in rows])))
            known: dict[str, list[Caller]] = {row.id: [] for row in rows}
            for one in owned:
                known[one.person_id].append(Caller(one.platform, one.id))
        return tuple((_person(row), tuple(known[row.id])) for row in rows)

    async def is_known(self, person: str) -> bool:
        """Return whether there is a person of an id: somebody may be one with another by now, or forgotten."""
        async with self._database.read() as session:
            return await session.get(PersonRow, person) is not None

    async def identities(self, person: str) -> tuple[Caller, ...]:
        """Return how platforms know a person."""
        async with self._database.read() as session:
            rows = await session.scalars(select(IdentityRow).where(IdentityRow.person_id == person))
            return tuple(Caller(row.platform, row.id) for row in rows)

    async def appoint(self, person: str, *, role: str | None = None, tier: str | None = None) -> None:
        """Give a person a role or a tier; an empty one takes it away."""
        changed = {name: value for name, value in (("role", role), ("tier", tier)) if value is not None}
        if changed:
            async with self._database.write() as session:
                await session.execute(update(PersonRow).where(PersonRow.id == person).values(changed))

    async def place(self, address: Address) -> str:
        """Return the id of a place; a new one is remembered."""
        async with self._database.write() as session:
            return await place_id(session, address.platform, address.place)

    async def moved(self, old: Address, new: Address, renamed: Callable[[str], str]) -> None:
        """Have what belongs to a place belong to another one: its platform calls it otherwise now. A repeat changes nothing.

        `renamed` returns what the platform calls a message of the old place in the new one.
        """
        here = PlaceRow.platform == old.platform, PlaceRow.key == old.place
        async with self._database.write() as session:
            known = await session.scalar(select(PlaceRow.id).where(*here).with_for_update())
            if known is None:
                return
            jobs = (await session.execute(select(JobRow.id, JobRow.message).where(JobRow.place_id == known).order_by(JobRow.id))).all()
            if messages := [{"id": job, "message": renamed(message)} for job, message in jobs]:
                await session.execute(update(JobRow), messages)
            await digests.renamed(session, known, renamed)
            there = await session.scalar(select(PlaceRow.id).where(PlaceRow.platform == new.platform, PlaceRow.key == new.place))
            if there is None:
                await session.execute(update(PlaceRow).where(*here).values(platform=new.platform, key=new.place))
            else:
                # Somebody asked there before it was known: both are one place now.
                await session.execute(update(JobRow).where(JobRow.place_id == known).values(place_id=there))
                await digests.move(session, known, there)
                await channel_migration.move(session, known, there)


#: Of a reference that finds nobody no more is shown.
_LONGEST_REFERENCE = 80

#: Of persons of one name so many are told apart; more is no name.
_MOST_NAMESAKES = 5


async def _namesakes(session: AsyncSession, name: str) -> Sequence[str]:
    """Return the ids of whoever has a name, however it is written: not every server knows the capitals of more than English."""
    like = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name.lower())
    likely = select(PersonRow.id, PersonRow.name).where(func.lower(PersonRow.name).like(like)).order_by(PersonRow.created)
    return [id for id, called in await session.execute(likely) if called.lower() == name.lower()][:_MOST_NAMESAKES]


#: Locales are a few letters; more is none.
_LONGEST_LOCALE = 35


def _person(row: PersonRow) -> Person:
    return Person(row.id, row.name, row.role, row.tier, row.paused, row.language, row.locale)


def _news(caller: Caller, known: Person) -> dict[str, str]:
    """Return what a platform says of a person that was not known.

    Whoever is called differently now is not to be mistaken for somebody else by their old name.
    """
    said = {"name": caller.name, "locale": caller.language[:_LONGEST_LOCALE]}
    return {name: value for name, value in said.items() if value and value != getattr(known, name)}


def _person_of(caller: Caller) -> Select[PersonRow]:
    return (
        select(PersonRow)
        .join(IdentityRow, IdentityRow.person_id == PersonRow.id)
        .where(IdentityRow.platform == caller.platform, IdentityRow.id == caller.id)
    )

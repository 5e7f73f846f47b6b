"""Persons, how platforms know them, and the places where they talk."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import BadInput
from bot.core.quota import Policy
from bot.core.values import MessageRef, UserRef, new_id
from bot.store.billing import carryover
from bot.store.database import Database, add_if_new
from bot.store.sharing import digests
from bot.store.tables.columns import storable
from bot.store.tables.core import MODERATOR as MODERATOR
from bot.store.tables.core import OPERATOR as OPERATOR
from bot.store.tables.core import AccountRow, ChannelRow, JobRow, UserRow
from bot.store.users import channel_migration
from bot.store.users.channels import place_id


class User(msgspec.Struct, frozen=True):
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


def digest_of(caller: UserRef) -> str:
    """Return what is kept of how a platform knows somebody who was forgotten."""
    return hashlib.sha256(storable(f"{caller.platform}:{caller.id}").encode()).hexdigest()


class Users:
    """Finds persons and places, and remembers those it meets for the first time."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def user(self, caller: UserRef) -> User:
        """Return the person behind a platform's identity; a new one is remembered, once, however many messages arrive at once."""
        if (known := await self.find(caller)) is not None:
            if news := _news(caller, known):
                await self._change(known.id, news)
            return msgspec.structs.replace(known, **news)
        new = User(new_id(), caller.name, locale=caller.language[:_LONGEST_LOCALE])
        async with self._database.write() as session:
            await session.execute(insert(UserRow).values(id=new.id, name=new.name, locale=new.locale))
            identity = {"platform": caller.platform, "id": caller.id, "person_id": new.id}
            if not await add_if_new(session, AccountRow, identity):
                # Another message was quicker: its person it is.
                await session.execute(delete(UserRow).where(UserRow.id == new.id))
                row = (await session.scalars(_person_of(caller))).one()
                return _person(row)
            await carryover.come_back(session, self._policy, new.id, digest_of(caller))
        return new

    async def _change(self, user: str, values: Mapping[str, str]) -> None:
        async with self._database.write() as session:
            await session.execute(update(UserRow).where(UserRow.id == user).values(values))

    async def address_in(self, user: str, language: str) -> None:
        """Speak to a person in a language that they chose; with none it is again what their platform says."""
        await self._change(user, {"language": language})

    async def introduce(self, caller: UserRef, user: User) -> None:
        """Remember that an identity is a person who is known already; nothing changes where the identity is known."""
        if await self.find(caller) is None:
            async with self._database.write() as session:
                if await add_if_new(session, AccountRow, {"platform": caller.platform, "id": caller.id, "person_id": user.id}):
                    await carryover.come_back(session, self._policy, user.id, digest_of(caller))

    async def find(self, caller: UserRef) -> User | None:
        """Return the person behind an identity, or nothing where it is not known."""
        async with self._database.read() as session:
            row = await session.scalar(_person_of(caller))
        return None if row is None else _person(row)

    async def named(self, reference: str) -> tuple[User, ...]:
        """Return whom a reference means: a person's id, `platform:id` of one of their identities, or everybody of a name.

        What looks like an identity is never a name: people choose their names, and could choose that one.
        """
        platform, colon, id = reference.partition(":")
        known = _person_of(UserRef(platform, id)) if colon else select(UserRow).where(UserRow.id == reference)
        async with self._database.read() as session:
            found = (await session.scalars(known)).all()
            if not found and not colon:
                same = select(UserRow).where(UserRow.id.in_(await _namesakes(session, reference)))
                found = (await session.scalars(same.order_by(UserRow.created))).all()
        return tuple(map(_person, found))

    async def one(self, reference: str) -> User:
        """Return the person that a reference means; raises `BadInput` where that is nobody, or several."""
        found = await self.named(reference.strip())
        if len(found) != 1:
            raise BadInput("input-person" if not found else "input-person-several", given=reference[:_LONGEST_REFERENCE])
        return found[0]

    async def latest(self, most: int) -> tuple[tuple[User, tuple[UserRef, ...]], ...]:
        """Return the persons whom Easel met last, each with their identities."""
        async with self._database.read() as session:
            rows = (await session.scalars(select(UserRow).order_by(UserRow.created.desc()).limit(most))).all()
            owned = await session.scalars(select(AccountRow).where(AccountRow.person_id.in_([row.id for row in rows])))
            known: dict[str, list[UserRef]] = {row.id: [] for row in rows}
            for one in owned:
                known[one.person_id].append(UserRef(one.platform, one.id))
        return tuple((_person(row), tuple(known[row.id])) for row in rows)

    async def is_known(self, user: str) -> bool:
        """Return whether there is a person of an id: somebody may be one with another by now, or forgotten."""
        async with self._database.read() as session:
            return await session.get(UserRow, user) is not None

    async def identities(self, user: str) -> tuple[UserRef, ...]:
        """Return how platforms know a person."""
        async with self._database.read() as session:
            rows = await session.scalars(select(AccountRow).where(AccountRow.person_id == user))
            return tuple(UserRef(row.platform, row.id) for row in rows)

    async def appoint(self, user: str, *, role: str | None = None, tier: str | None = None) -> None:
        """Give a person a role or a tier; an empty one takes it away."""
        changed = {name: value for name, value in (("role", role), ("tier", tier)) if value is not None}
        if changed:
            async with self._database.write() as session:
                await session.execute(update(UserRow).where(UserRow.id == user).values(changed))

    async def channel(self, address: MessageRef) -> str:
        """Return the id of a place; a new one is remembered."""
        async with self._database.write() as session:
            return await place_id(session, address.platform, address.channel)

    async def moved(self, old: MessageRef, new: MessageRef, renamed: Callable[[str], str]) -> None:
        """Have what belongs to a place belong to another one: its platform calls it otherwise now. A repeat changes nothing.

        `renamed` returns what the platform calls a message of the old place in the new one.
        """
        here = ChannelRow.platform == old.platform, ChannelRow.key == old.channel
        async with self._database.write() as session:
            known = await session.scalar(select(ChannelRow.id).where(*here).with_for_update())
            if known is None:
                return
            jobs = (await session.execute(select(JobRow.id, JobRow.message).where(JobRow.place_id == known).order_by(JobRow.id))).all()
            if messages := [{"id": job, "message": renamed(message)} for job, message in jobs]:
                await session.execute(update(JobRow), messages)
            await digests.renamed(session, known, renamed)
            there = await session.scalar(select(ChannelRow.id).where(ChannelRow.platform == new.platform, ChannelRow.key == new.channel))
            if there is None:
                await session.execute(update(ChannelRow).where(*here).values(platform=new.platform, key=new.channel))
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
    likely = select(UserRow.id, UserRow.name).where(func.lower(UserRow.name).like(like)).order_by(UserRow.created)
    return [id for id, called in await session.execute(likely) if called.lower() == name.lower()][:_MOST_NAMESAKES]


#: Locales are a few letters; more is none.
_LONGEST_LOCALE = 35


def _person(row: UserRow) -> User:
    return User(row.id, row.name, row.role, row.tier, row.paused, row.language, row.locale)


def _news(caller: UserRef, known: User) -> dict[str, str]:
    """Return what a platform says of a person that was not known.

    Whoever is called differently now is not to be mistaken for somebody else by their old name.
    """
    said = {"name": caller.name, "locale": caller.language[:_LONGEST_LOCALE]}
    return {name: value for name, value in said.items() if value and value != getattr(known, name)}


def _person_of(caller: UserRef) -> Select[UserRow]:
    return (
        select(UserRow)
        .join(AccountRow, AccountRow.person_id == UserRow.id)
        .where(AccountRow.platform == caller.platform, AccountRow.id == caller.id)
    )

"""Users, their platform accounts and channels, and their settings: defaults for options that a request leaves out."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import BadInput
from bot.core.limits import Policy
from bot.core.values import Given, MessageRef, UserRef, new_id
from bot.generation.resolve import SavedDefaults
from bot.store.billing import usage
from bot.store.database import Database, add_if_new, storable
from bot.store.tables.core import MODERATOR as MODERATOR
from bot.store.tables.core import OPERATOR as OPERATOR
from bot.store.tables.core import AccountRow, ChannelRow, SettingRow, UserRow
from bot.store.tables.sharing import BoardChannelRow


class User(msgspec.Struct, frozen=True):
    """A user, on any platform. `role` and `tier` are assigned by operators.

    `language` is the language they chose, `locale` the latest locale from their platform; each may be empty.
    """

    id: str
    name: str
    role: str = ""
    tier: str = ""
    paused: bool = False
    language: str = ""
    locale: str = ""

    def speaks(self, here: str = "") -> str:
        """Return the locale for messages to this user, or an empty text if unknown; `here` is the language of a channel."""
        return self.language or here or self.locale

    @property
    def moderates(self) -> bool:
        """Return whether this user moderates all channels."""
        return self.role in (MODERATOR, OPERATOR)

    @property
    def told(self) -> str:
        """Return the name with the id: names are chosen freely and need not be unique."""
        return f"{self.name} ({self.id})" if self.name else self.id


def digest_of(caller: UserRef) -> str:
    """Return the digest of a deleted user's platform account."""
    return hashlib.sha256(storable(f"{caller.platform}:{caller.id}").encode()).hexdigest()


class Users:
    """Finds users and channels, and adds new users and channels."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def user(self, caller: UserRef) -> User:
        """Return the user of a platform account; a new user is added once, however many messages arrive at once."""
        if (known := await self.find(caller)) is not None:
            if news := _news(caller, known):
                await self._change(known.id, news)
            return msgspec.structs.replace(known, **news)
        new = User(new_id(), caller.name, locale=caller.language[:_LONGEST_LOCALE])
        async with self._database.write() as session:
            await session.execute(insert(UserRow).values(id=new.id, name=new.name, locale=new.locale))
            identity = {"platform": caller.platform, "id": caller.id, "person_id": new.id}
            if not await add_if_new(session, AccountRow, identity):
                # Another message was quicker: its user is used.
                await session.execute(delete(UserRow).where(UserRow.id == new.id))
                row = (await session.scalars(_person_of(caller))).one()
                return _person(row)
            await usage.come_back(session, self._policy, new.id, digest_of(caller))
        return new

    async def _change(self, user: str, values: Mapping[str, str]) -> None:
        async with self._database.write() as session:
            await session.execute(update(UserRow).where(UserRow.id == user).values(values))

    async def address_in(self, user: str, language: str) -> None:
        """Set the language that a user chose; an empty language restores the platform's."""
        await self._change(user, {"language": language})

    async def introduce(self, caller: UserRef, user: User) -> None:
        """Add an account to an existing user; nothing changes if the account is known."""
        if await self.find(caller) is None:
            async with self._database.write() as session:
                if await add_if_new(session, AccountRow, {"platform": caller.platform, "id": caller.id, "person_id": user.id}):
                    await usage.come_back(session, self._policy, user.id, digest_of(caller))

    async def find(self, caller: UserRef) -> User | None:
        """Return the user of an account, or None if it is unknown."""
        async with self._database.read() as session:
            row = await session.scalar(_person_of(caller))
        return None if row is None else _person(row)

    async def named(self, reference: str) -> tuple[User, ...]:
        """Return the users that a reference matches: a user id, `platform:id` of an account, or a name.

        A reference that looks like an account is never matched as a name: users could choose a name that looks like another's account.
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
        """Return the user that a reference matches; raises `BadInput` if it matches no user, or several."""
        found = await self.named(reference.strip())
        if len(found) != 1:
            raise BadInput("input-person" if not found else "input-person-several", given=reference[:_LONGEST_REFERENCE])
        return found[0]

    async def latest(self, most: int) -> tuple[tuple[User, tuple[UserRef, ...]], ...]:
        """Return the newest users, each with their accounts."""
        async with self._database.read() as session:
            rows = (await session.scalars(select(UserRow).order_by(UserRow.created.desc()).limit(most))).all()
            owned = await session.scalars(select(AccountRow).where(AccountRow.person_id.in_([row.id for row in rows])))
            known: dict[str, list[UserRef]] = {row.id: [] for row in rows}
            for one in owned:
                known[one.person_id].append(UserRef(one.platform, one.id))
        return tuple((_person(row), tuple(known[row.id])) for row in rows)

    async def is_known(self, user: str) -> bool:
        """Return whether a user id exists: the user may have been merged or deleted by now."""
        async with self._database.read() as session:
            return await session.get(UserRow, user) is not None

    async def identities(self, user: str) -> tuple[UserRef, ...]:
        """Return a user's accounts."""
        async with self._database.read() as session:
            rows = await session.scalars(select(AccountRow).where(AccountRow.person_id == user))
            return tuple(UserRef(row.platform, row.id) for row in rows)

    async def appoint(self, user: str, *, role: str | None = None, tier: str | None = None) -> None:
        """Assign a role or a tier to a user; an empty value removes it."""
        changed = {name: value for name, value in (("role", role), ("tier", tier)) if value is not None}
        if changed:
            async with self._database.write() as session:
                await session.execute(update(UserRow).where(UserRow.id == user).values(changed))

    async def channel(self, address: MessageRef) -> str:
        """Return the id of a channel, which is added if it is new."""
        async with self._database.write() as session:
            return await place_id(session, address.platform, address.channel)


#: The shown length of a reference that matches no user.
_LONGEST_REFERENCE = 80

#: At most this many users with the same name are listed.
_MOST_NAMESAKES = 5


async def _namesakes(session: AsyncSession, name: str) -> Sequence[str]:
    """Return the ids of the users with a name, in any case: not every server handles capitals outside English."""
    like = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name.lower())
    likely = select(UserRow.id, UserRow.name).where(func.lower(UserRow.name).like(like)).order_by(UserRow.created)
    return [id for id, called in await session.execute(likely) if called.lower() == name.lower()][:_MOST_NAMESAKES]


#: The maximal length of a locale.
_LONGEST_LOCALE = 35


def _person(row: UserRow) -> User:
    return User(row.id, row.name, row.role, row.tier, row.paused, row.language, row.locale)


def _news(caller: UserRef, known: User) -> dict[str, str]:
    """Return the changed data of a user in a platform's message.

    The name is updated, so that a renamed user is not mistaken for another by the old name.
    """
    said = {"name": caller.name, "locale": caller.language[:_LONGEST_LOCALE]}
    return {name: value for name, value in said.items() if value and value != getattr(known, name)}


def _person_of(caller: UserRef) -> Select[UserRow]:
    return (
        select(UserRow)
        .join(AccountRow, AccountRow.person_id == UserRow.id)
        .where(AccountRow.platform == caller.platform, AccountRow.id == caller.id)
    )


class UserSettings:
    """The settings of users and channels. `cover`: pictures are behind a spoiler everywhere, whatever a channel sets."""

    def __init__(self, database: Database, *, cover: bool = False) -> None:
        self._database = database
        self.cover = cover

    async def of(self, user: str, channel: MessageRef) -> SavedDefaults:
        """Return the defaults of a user in a channel."""
        async with self._database.read() as session:
            rows = (await session.scalars(_saved(user, channel))).all()
        users = next((row.given for row in rows if row.person_id is not None), None)
        channels = next((row.given for row in rows if row.place_id is not None), None)
        return SavedDefaults.read(users, channels)

    async def covers(self, channel: MessageRef) -> bool:
        """Return whether pictures in a channel are behind a spoiler."""
        return self.cover or (await self.of("", channel)).cover

    async def covered(self, boards: Collection[str], channel: MessageRef) -> frozenset[str]:
        """Return the boards whose pictures are behind a spoiler in a channel: by its own settings, or by a channel of the board."""
        if await self.covers(channel):
            return frozenset(boards)
        wanted = select(BoardChannelRow.board_id, SettingRow.given).join(SettingRow, SettingRow.place_id == BoardChannelRow.place_id)
        async with self._database.read() as session:
            rows = (await session.execute(wanted.where(BoardChannelRow.board_id.in_(boards)))).all()
        return frozenset(board for board, given in rows if SavedDefaults.read(None, given).cover)

    async def change(self, owner: str | MessageRef, changes: Mapping[str, Given], without: Collection[str] = ()) -> None:
        """Change settings of a user, by id, or of a channel; settings named in `without` are removed."""
        async with self._database.write() as session:
            channel = await place_id(session, owner.platform, owner.channel) if isinstance(owner, MessageRef) else None
            whose = {"person_id": owner} if channel is None else {"place_id": channel}
            await add_if_new(session, SettingRow, {"id": new_id(), **whose, "given": "{}"})
            known = json.loads(await session.scalar(select(SettingRow.given).filter_by(**whose).with_for_update()) or "{}")
            left = {name: value for name, value in {**known, **changes}.items() if name not in without}
            await session.execute(update(SettingRow).filter_by(**whose).values(given=json.dumps(left)))


def _saved(user: str, channel: MessageRef) -> Select[SettingRow]:
    """Return the query for the rows of a user and of a channel: the channel is a subquery, so that each row is found by its index."""
    here = select(ChannelRow.id).where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel).scalar_subquery()
    return select(SettingRow).where(or_(SettingRow.person_id == user, SettingRow.place_id == here))


def is_theirs(user: str, platform: str | SQLColumnExpression[str], key: str | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Return the condition for a user's private channel: platforms give it the same key as the user."""
    return select(AccountRow.id).where(AccountRow.person_id == user, AccountRow.platform == platform, AccountRow.id == key).exists()


async def place_id(session: AsyncSession, platform: str, key: str) -> str:
    """Return the id of a channel, which is added if it is new. Call it inside a writing transaction."""
    known = select(ChannelRow.id).where(ChannelRow.platform == platform, ChannelRow.key == key)
    if (found := await session.scalar(known)) is not None:
        return found
    await add_if_new(session, ChannelRow, {"id": new_id(), "platform": platform, "key": key})
    return (await session.scalars(known)).one()

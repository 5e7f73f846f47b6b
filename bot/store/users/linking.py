"""One person over several platforms: joined by a code that one name of theirs makes, another types, and the first agrees to.

A code alone joins nobody: whoever types it only asks. It is typed once; the digest is all that is kept of it.
"""

import re
import secrets
from collections.abc import Collection
from datetime import timedelta

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.quota import Policy
from bot.core.values import UserRef, new_id
from bot.store.billing import carryover
from bot.store.database import Database
from bot.store.jobs import fair_queue
from bot.store.sharing import digests
from bot.store.tables.core import AccountRow, LinkCodeRow, MembershipRow, TokenRow, UserRow
from bot.store.users import merging
from bot.store.users.tokens import PLATFORM as TOKEN
from bot.store.users.tokens import digest
from bot.store.users.users import User

#: How long a code may be typed and agreed to.
LIFE = timedelta(minutes=10)

#: Signs that nobody mistakes for each other, five bits each, and how many make 128 bits.
_SIGNS, _LENGTH, _GROUP = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26, 5

#: What people type where they read one of the signs.
_MISTAKEN = str.maketrans("OIL", "011")

#: Where the names of tokens let their person in: whoever leaves it takes the tokens along.
_WEB = "web"


class Asked(msgspec.Struct, frozen=True):
    """Whoever typed a code and waits to be joined; `known` is how platforms know them."""

    user: User
    known: tuple[UserRef, ...]


class Linking:
    """Joining and parting the names of persons."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def make(self, user: str) -> str:
        """Make a code for a person and return it: it is not seen again. What they made before ends."""
        code = "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))
        async with self._database.write() as session:
            # Of two who make one at once, only the later one's is left.
            await _hold(session, [user])
            await session.execute(delete(LinkCodeRow).where(*_made_by(user)))
            row = {"digest": digest(code), "person_id": user, "until": self._database.moment(LIFE)}
            await session.execute(insert(LinkCodeRow).values(row))
        return "-".join(code[first : first + _GROUP] for first in range(0, _LENGTH, _GROUP))

    async def ask(self, code: str, requester: str) -> bool:
        """Ask to be joined with whoever made a code; False where it is none, is over, was typed by another, or is the asker's own."""
        signs = re.sub(r"[^0-9A-Z]", "", code.upper()).translate(_MISTAKEN)
        free = (LinkCodeRow.asker_id.is_(None)) | (LinkCodeRow.asker_id == requester)
        open_one = (
            LinkCodeRow.digest == digest(signs),
            LinkCodeRow.person_id != requester,
            LinkCodeRow.until > self._database.moment(),
            free,
        )
        async with self._database.write() as session:
            await session.execute(select(UserRow.id).where(UserRow.id == requester).with_for_update(read=True, key_share=True))
            asked = update(LinkCodeRow).where(*open_one).values(asker_id=requester).returning(LinkCodeRow.digest)
            return (await session.execute(asked)).first() is not None

    async def asked(self, user: str) -> Asked | None:
        """Return who typed a person's code and waits, or nothing; raises `LookupError` where the person has no open code."""
        mine = select(LinkCodeRow.asker_id).where(*_made_by(user), LinkCodeRow.until > self._database.moment())
        async with self._database.read() as session:
            code = (await session.execute(mine)).first()
            if code is None:
                raise LookupError(user)
            row = await session.get(UserRow, code[0]) if code[0] is not None else None
            if row is None:
                return None
            known = await session.scalars(select(AccountRow).where(AccountRow.person_id == row.id).order_by(AccountRow.created))
            return Asked(User(row.id, row.name), tuple(UserRef(one.platform, one.id) for one in known))

    async def refuse(self, user: str) -> None:
        """End a person's code, whoever typed it."""
        async with self._database.write() as session:
            await session.execute(delete(LinkCodeRow).where(*_made_by(user)))

    async def join(self, user: str, requester: str) -> bool:
        """Make one of two persons: all that is the asker's is the person's, who agrees to that with this.

        False where nobody, or somebody else, typed an open code of theirs; so of those who agree at once one joins.
        """
        agreed = *_made_by(user), LinkCodeRow.asker_id == requester, LinkCodeRow.until > self._database.moment()
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            await _hold(session, [user, requester])
            if (await session.execute(delete(LinkCodeRow).where(*agreed).returning(LinkCodeRow.digest))).first() is None:
                return False
            await merging.merge(session, self._policy, user, requester)
        return True

    async def part(self, user: str, leaving: Collection[UserRef], name: str = "") -> str | None:
        """Make somebody new of some of a person's names and return their id, or nothing where no name would be left.

        History and presets stay. What is held against the person holds for both: who is held back, and what was used today.
        """
        async with self._database.write() as session:
            await _hold(session, [user])
            rows = (await session.scalars(select(AccountRow).where(AccountRow.person_id == user))).all()
            gone = {(one.platform, one.id) for one in leaving}
            if any(row.platform == TOKEN for row in rows) and any(one.platform == _WEB for one in leaving):
                gone |= {(row.platform, row.id) for row in rows if row.platform in (_WEB, TOKEN)}
            parted = [row for row in rows if (row.platform, row.id) in gone]
            if not parted or len(parted) == len(rows):
                return None
            new = await _twin(session, user, name)
            for row in parted:
                row.person_id = new
            if any(row.platform == TOKEN for row in parted):
                await session.execute(update(TokenRow).where(TokenRow.person_id == user).values(person_id=new))
            await session.flush()
            # Whose conversation it was they are no more: of the boards of the one the other is told nothing.
            await digests.part(session, user, {row.platform for row in parted})
            await carryover.part(session, self._policy, user, new)
        return new


def _made_by(user: str) -> tuple[ColumnElement[bool], ...]:
    return (LinkCodeRow.person_id == user, LinkCodeRow.board_id.is_(None))


async def _hold(session: AsyncSession, users: Collection[str]) -> None:
    """Hold persons until the transaction ends: they bring no jobs meanwhile."""
    held = select(UserRow.id).where(UserRow.id.in_(users)).order_by(UserRow.id)
    await session.execute(held.with_for_update(key_share=True))


async def _twin(session: AsyncSession, user: str, name: str) -> str:
    """Add somebody new who is held back where a person is, and return their id."""
    old, new = await session.get_one(UserRow, user), new_id()
    row = {"id": new, "name": name or old.name, "paused": old.paused, "language": old.language, "locale": old.locale}
    await session.execute(insert(UserRow).values(row))
    barred = await session.scalars(select(MembershipRow.place_id).where(MembershipRow.person_id == user, MembershipRow.paused))
    for channel in barred.all():
        await session.execute(insert(MembershipRow).values(person_id=new, place_id=channel, paused=True))
    return new

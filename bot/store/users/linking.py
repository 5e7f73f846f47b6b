"""Link accounts of several platforms to one user: one account creates a code, the other enters it, and the first confirms.

A code alone links no accounts: entering it only sends a request. It can be entered once; only its digest is stored.
"""

import re
import secrets
from collections.abc import Collection
from datetime import timedelta

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.limits import Policy
from bot.core.values import UserRef, new_id
from bot.store.billing import usage
from bot.store.database import Database
from bot.store.jobs import fair_queue
from bot.store.sharing import digests
from bot.store.tables.core import AccountRow, LinkCodeRow, MembershipRow, TokenRow, UserRow
from bot.store.users import merging
from bot.store.users.tokens import PLATFORM as TOKEN
from bot.store.users.tokens import digest
from bot.store.users.users import User

#: How long a code may be entered and confirmed.
LIFE = timedelta(minutes=10)

#: Unambiguous characters, five bits each, and how many make 128 bits.
_SIGNS, _LENGTH, _GROUP = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26, 5

#: Look-alikes that users type for some of the characters.
_MISTAKEN = str.maketrans("OIL", "011")

#: The platform of token names: a user who unlinks such an account takes its tokens along.
_WEB = "web"


class Asked(msgspec.Struct, frozen=True):
    """A user who entered a code and waits for confirmation; `known` is how platforms know them."""

    user: User
    known: tuple[UserRef, ...]


class Linking:
    """Links and unlinks accounts."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def make(self, user: str) -> str:
        """Create a code for a user and return it: it is not shown again. Their earlier codes end."""
        code = "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))
        async with self._database.write() as session:
            # Of two concurrent codes only the later remains.
            await _hold(session, [user])
            await session.execute(delete(LinkCodeRow).where(*_made_by(user)))
            row = {"digest": digest(code), "person_id": user, "until": self._database.moment(LIFE)}
            await session.execute(insert(LinkCodeRow).values(row))
        return "-".join(code[first : first + _GROUP] for first in range(0, _LENGTH, _GROUP))

    async def ask(self, code: str, requester: str) -> bool:
        """Request a link with the creator of a code; False if the code is unknown, expired, already used, or the requester's own."""
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
        """Return who entered a user's code and waits, or None; raises `LookupError` if the user has no open code."""
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
        """End a user's code, whoever entered it."""
        async with self._database.write() as session:
            await session.execute(delete(LinkCodeRow).where(*_made_by(user)))

    async def join(self, user: str, requester: str) -> bool:
        """Merge two users: everything of the requester becomes the user's, who confirms this by the call.

        False unless the requester has entered an open code of the user; so of concurrent confirmations one succeeds.
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
        """Move some of a user's accounts to a new user and return its id, or None if the user would keep no account.

        History and presets stay. Restrictions apply to both: pauses, and today's usage.
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
            # The private channel no longer belongs to them: neither user receives digests of the other's boards.
            await digests.part(session, user, {row.platform for row in parted})
            await usage.part(session, self._policy, user, new)
        return new


def _made_by(user: str) -> tuple[ColumnElement[bool], ...]:
    return (LinkCodeRow.person_id == user, LinkCodeRow.board_id.is_(None))


async def _hold(session: AsyncSession, users: Collection[str]) -> None:
    """Lock users until the transaction ends: they add no jobs meanwhile."""
    held = select(UserRow.id).where(UserRow.id.in_(users)).order_by(UserRow.id)
    await session.execute(held.with_for_update(key_share=True))


async def _twin(session: AsyncSession, user: str, name: str) -> str:
    """Add a new user with the same pause as a user, and return its id."""
    old, new = await session.get_one(UserRow, user), new_id()
    row = {"id": new, "name": name or old.name, "paused": old.paused, "language": old.language, "locale": old.locale}
    await session.execute(insert(UserRow).values(row))
    barred = await session.scalars(select(MembershipRow.place_id).where(MembershipRow.person_id == user, MembershipRow.paused))
    for channel in barred.all():
        await session.execute(insert(MembershipRow).values(person_id=new, place_id=channel, paused=True))
    return new

"""Merge the boards of two groups: a code from the first, entered in the second, whose answer code is entered in the first.

So a moderator of each side consents, and an intercepted code is useless: the answer is valid only in the group of the
first code. Only digests are stored.
"""

import base64
import hashlib
import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.values import MessageRef
from bot.store.database import Database
from bot.store.sharing import board
from bot.store.tables.core import LinkCodeRow

#: How long a code is valid, and its number of random bytes.
_GOOD_FOR, _BYTES = timedelta(hours=1), 16


class Entered(NamedTuple):
    """The result of a code: the boards are merged, or `answer` must be entered on the other side."""

    joined: bool
    answer: str = ""


class Joining:
    """Merges boards by codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def invite(self, channel: MessageRef) -> str:
        """Return a code for merging another group's board with a channel's; earlier codes of this board end."""
        code = _new_code()
        async with self._database.write() as session:
            here = await board.held(session, channel)
            await session.execute(delete(LinkCodeRow).where(LinkCodeRow.board_id == here))
            await self._keep(session, _digest(code), here)
        return code

    async def enter(self, code: str, channel: MessageRef) -> Entered | None:
        """Enter a code in a channel; None if it is unknown, used or expired. A code is used together with its effect, or not at all."""
        async with self._database.write() as session:
            here = await board.opened(session, channel)
            answered, asked = _digest(code, here), _digest(code)
            good = LinkCodeRow.digest.in_((answered, asked)), LinkCodeRow.board_id != here, LinkCodeRow.until > self._database.moment()
            other = await session.scalar(select(LinkCodeRow.board_id).where(*good))
            # In one statement: two groups that enter each other's codes at once do not deadlock.
            if other is None or not await board.hold(session, here, other) or await session.scalar(board.board_of(channel)) != here:
                return None
            used = (await session.scalars(delete(LinkCodeRow).where(*good).returning(LinkCodeRow.digest))).first()
            if used == answered:
                return Entered(joined=await board.join(session, here, other))
            if used is None:
                return None
            answer = _new_code()
            await self._keep(session, _digest(answer, other), here)
            return Entered(joined=False, answer=answer)

    async def _keep(self, session: AsyncSession, digest: str, here: str) -> None:
        until = self._database.moment(_GOOD_FOR)
        await session.execute(insert(LinkCodeRow).values(digest=digest, board_id=here, until=until))


def _new_code() -> str:
    """Return a code of letters and digits that are hard to confuse, in either case."""
    return base64.b32encode(secrets.token_bytes(_BYTES)).decode().rstrip("=").lower()


def _digest(code: str, board: str = "") -> str:
    return hashlib.sha256(f"{code.strip().lower()}:{board}".encode()).hexdigest()

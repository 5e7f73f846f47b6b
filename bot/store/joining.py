"""Joining the boards of two groups: a code from the first, entered in the second, whose answer is entered in the first.

Each side so says yes by somebody who looks after it, and a code that was overheard opens nothing: the answer is worth something
only where the first code came from. Only digests are kept.
"""

import base64
import hashlib
import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, insert

from bot.store.boards import Boards
from bot.store.models import LinkCodeRow
from bot.store.session import Database

#: How long a code can be entered, and how many bytes of chance are in it.
_GOOD_FOR, _BYTES = timedelta(hours=1), 16


class Entered(NamedTuple):
    """What came of a code: the boards are one now, or `answer` has to be entered on the other side."""

    joined: bool
    answer: str = ""


class Joining:
    """Joins boards."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._boards = Boards(database)

    async def invite(self, board: str) -> str:
        """Return a code that another group can be joined with; earlier ones of this board end."""
        code = _new_code()
        async with self._database.write() as session:
            await session.execute(delete(LinkCodeRow).where(LinkCodeRow.board_id == board))
            until = self._database.moment(_GOOD_FOR)
            await session.execute(insert(LinkCodeRow).values(digest=_digest(code), board_id=board, until=until))
        return code

    async def enter(self, code: str, board: str) -> Entered | None:
        """Enter a code for a group that looks at a board; nothing where it is none, was used, or is too old."""
        async with self._database.write() as session:
            good = LinkCodeRow.until > self._database.moment()
            answered = delete(LinkCodeRow).where(LinkCodeRow.digest == _digest(code, board), good).returning(LinkCodeRow.board_id)
            other = (await session.scalars(answered)).first()
            if other is None:
                asked = delete(LinkCodeRow).where(LinkCodeRow.digest == _digest(code), LinkCodeRow.board_id != board, good)
                first = (await session.scalars(asked.returning(LinkCodeRow.board_id))).first()
                if first is None:
                    return None
                answer = _new_code()
                until = self._database.moment(_GOOD_FOR)
                await session.execute(insert(LinkCodeRow).values(digest=_digest(answer, first), board_id=board, until=until))
                return Entered(joined=False, answer=answer)
        await self._boards.join(board, other)
        return Entered(joined=True)


def _new_code() -> str:
    """Return a code of letters and digits that are hard to mistake for each other, in capitals or not."""
    return base64.b32encode(secrets.token_bytes(_BYTES)).decode().rstrip("=").lower()


def _digest(code: str, board: str = "") -> str:
    return hashlib.sha256(f"{code.strip().lower()}:{board}".encode()).hexdigest()

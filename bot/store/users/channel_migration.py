"""Move everything of a channel to the channel that replaced it. Call it inside a writing transaction that locks the old channel."""

import json
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.billing import member_quota
from bot.store.sharing import board
from bot.store.tables.core import ChannelRow, MembershipRow, SettingRow
from bot.store.tables.sharing import BoardChannelRow


async def move(session: AsyncSession, old: str, new: str) -> None:
    """Move boards, settings, pauses and usage of one channel to another; of two conflicting settings the new channel's wins."""
    await member_quota.move(session, old, new)
    await _held_back(session, old, new)
    await _settings(session, old, new)
    await _board(session, old, new)


async def _held_back(session: AsyncSession, old: str, new: str) -> None:
    """Carry over pauses: no user escapes a pause by being in the channel under its new name."""
    paused = select(ChannelRow.id).where(ChannelRow.id == old, ChannelRow.paused).exists()
    await _run(session, update(ChannelRow).where(ChannelRow.id == new, paused).values(paused=True))
    known = select(MembershipRow.person_id).where(MembershipRow.place_id == new)
    barred = select(MembershipRow.person_id).where(MembershipRow.place_id == old, MembershipRow.paused)
    there = MembershipRow.place_id == new, MembershipRow.person_id.in_(barred)
    await _run(session, update(MembershipRow).where(*there).values(paused=True))
    alone = MembershipRow.place_id == old, MembershipRow.person_id.not_in(known)
    await _run(session, update(MembershipRow).where(*alone).values(place_id=new))


async def _settings(session: AsyncSession, old: str, new: str) -> None:
    of = {row.place_id: row for row in await session.scalars(select(SettingRow).where(SettingRow.place_id.in_((old, new))))}
    if old in of and new in of:
        of[new].given = json.dumps({**json.loads(of[old].given), **json.loads(of[new].given)})
        await session.delete(of[old])
    elif old in of:
        of[old].place_id = new
    await session.flush()


async def _board(session: AsyncSession, old: str, new: str) -> None:
    """Merge the boards of both channels, and point the new channel to the result."""
    of = {
        row.place_id: row.board_id for row in await session.scalars(select(BoardChannelRow).where(BoardChannelRow.place_id.in_((old, new))))
    }
    if old in of and new in of:
        await board.join(session, of[new], of[old])
    elif old in of:
        await _run(session, update(BoardChannelRow).where(BoardChannelRow.place_id == old).values(place_id=new))


async def _run(session: AsyncSession, change: Any) -> None:
    await session.execute(change.execution_options(synchronize_session=False))

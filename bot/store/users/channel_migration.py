"""Move everything of a channel to the channel that replaced it."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.values import MessageRef
from bot.store.billing import usage
from bot.store.database import Database
from bot.store.sharing import board, digests
from bot.store.tables.core import ChannelRow, JobRow, MembershipRow, SettingRow
from bot.store.tables.sharing import BoardChannelRow


class ChannelMigration:
    """Moves channels whose platform gave them another key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def moved(self, old: MessageRef, new: MessageRef, renamed: Callable[[str], str]) -> None:
        """Move everything of a channel to another, after its platform changed the key. A repeat changes nothing.

        `renamed` maps message ids of the old channel to those of the new channel.
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
                # A request arrived in the new channel before the move: both are the same channel now.
                await session.execute(update(JobRow).where(JobRow.place_id == known).values(place_id=there))
                await digests.move(session, known, there)
                await move(session, known, there)


async def move(session: AsyncSession, old: str, new: str) -> None:
    """Move boards, settings, pauses and usage of one channel to another; of two conflicting settings the new channel's wins.

    Call it inside a writing transaction that locks the old channel.
    """
    await usage.move(session, old, new)
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

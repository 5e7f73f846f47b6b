"""Changes to a single board. Call these functions inside a writing transaction.

A transaction that shares to a board, or moves a board, locks its row: meanwhile no other transaction merges it or checks it for a
duplicate. Rows are always locked in one order, which prevents deadlocks: channels, users, boards by id, presets, shares.
"""

from collections.abc import Collection

from sqlalchemy import Select, and_, delete, false, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.values import MessageRef, new_id
from bot.store.database import add_if_new
from bot.store.sharing import preset_names
from bot.store.tables.core import ChannelRow, LinkCodeRow, UserRow
from bot.store.tables.sharing import BoardChannelRow, BoardRow, PresetRow, ShareRow, VoteRow
from bot.store.users.users import place_id


def board_of(channel: MessageRef) -> Select[str]:
    """Return the query for the board of a channel."""
    here = ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel
    return select(BoardChannelRow.board_id).join(ChannelRow, ChannelRow.id == BoardChannelRow.place_id).where(*here)


async def opened(session: AsyncSession, channel: MessageRef) -> str:
    """Return the board of a channel; a new board if it has none."""
    if (known := await session.scalar(board_of(channel))) is not None:
        return known
    return await _new(session, await place_id(session, channel.platform, channel.channel))


async def held(session: AsyncSession, channel: MessageRef, user: str = "") -> str:
    """Return the board of a channel, a new board if it has none, locked: it stays the channel's until the transaction ends.

    `user` is the user who shares something there; their row is locked too.
    """
    while True:
        board = await opened(session, channel)
        await hold_person(session, user)
        await hold(session, board)
        # A transaction that held the lock before may have merged the board with another.
        if await session.scalar(board_of(channel)) == board:
            return board


async def hold_person(session: AsyncSession, user: str) -> None:
    """Lock a user: meanwhile they are neither deleted nor merged, and their presets and shares are stored one after the other."""
    await session.scalar(select(UserRow.id).where(UserRow.id == user).with_for_update(key_share=True))


async def hold(session: AsyncSession, *boards: str) -> bool:
    """Lock boards; return whether all of them exist."""
    rows = select(BoardRow.id).where(BoardRow.id.in_(boards)).order_by(BoardRow.id).with_for_update()
    return len((await session.scalars(rows)).all()) == len(set(boards))


async def join(session: AsyncSession, kept: str, other: str) -> bool:
    """Move all shares and channels of another board to this board; the other board is deleted.

    Returns False, and changes nothing, if either is already deleted, or both are the same.
    """
    if kept == other or not await hold(session, kept, other):
        return False
    await session.execute(update(BoardChannelRow).where(BoardChannelRow.board_id == other).values(board_id=kept))
    await _move_presets(session, other, kept)
    await session.execute(update(ShareRow).where(ShareRow.board_id == other).values(board_id=kept))
    await session.execute(delete(BoardRow).where(BoardRow.id == other))
    return True


async def part(session: AsyncSession, channel: MessageRef) -> bool:
    """Give a channel a new board of its own; False if it does not share its board. Existing shares stay."""
    if await session.scalar(board_of(channel)) is None:
        return False
    board = await held(session, channel)
    looking = (await session.scalars(select(BoardChannelRow.place_id).where(BoardChannelRow.board_id == board))).all()
    if len(looking) < 2:
        return False
    here = await place_id(session, channel.platform, channel.channel)
    await session.execute(delete(BoardChannelRow).where(BoardChannelRow.place_id == here))
    # A channel that leaves must not confirm a merge for those that stay.
    await session.execute(delete(LinkCodeRow).where(LinkCodeRow.board_id == board))
    await _new(session, here)
    return True


async def put(
    session: AsyncSession, board: str, user: str, words: str, params: str, *, picture: str | None = None, preset: str | None = None
) -> str:
    """Share something on a locked board, and return its id; for a duplicate of the same user, the id of the existing share."""
    same = (ShareRow.picture_id == picture) if picture else and_(ShareRow.params == params, ShareRow.picture_id.is_(None))
    if preset:
        same = ShareRow.preset_id == preset
    known = select(ShareRow.id).where(ShareRow.board_id == board, ShareRow.person_id == user, ShareRow.removed == false(), same)
    if (found := await session.scalar(known.limit(1))) is not None:
        return found
    row = {"id": new_id(), "board_id": board, "person_id": user, "picture_id": picture, "preset_id": preset}
    await session.execute(insert(ShareRow).values(**row, words=words, params=params))
    return str(row["id"])


async def count(session: AsyncSession, shares: Collection[str]) -> None:
    """Recount the votes on shares that still exist: not added up, because voters may be deleted or merged."""
    there = select(ShareRow.id).where(ShareRow.id.in_(shares)).order_by(ShareRow.id).with_for_update()
    for share in (await session.scalars(there)).all():
        votes = select(func.count()).select_from(VoteRow).where(VoteRow.share_id == share).scalar_subquery()
        counted = update(ShareRow).where(ShareRow.id == share).values(votes=votes)
        await session.execute(counted.execution_options(synchronize_session=False))


async def _new(session: AsyncSession, channel: str) -> str:
    """Return a new board for a channel without a board, or the board that another transaction has just created for it."""
    board = new_id()
    await session.execute(insert(BoardRow).values(id=board))
    if await add_if_new(session, BoardChannelRow, {"place_id": channel, "board_id": board}):
        return board
    await session.execute(delete(BoardRow).where(BoardRow.id == board))
    return (await session.scalars(select(BoardChannelRow.board_id).where(BoardChannelRow.place_id == channel))).one()


async def _move_presets(session: AsyncSession, old: str, new: str) -> None:
    """Move presets to another board's list; a preset whose name is taken there gets a number."""
    taken = set(await session.scalars(select(PresetRow.key).where(PresetRow.shelf == new)))
    moving = select(PresetRow).where(PresetRow.shelf == old).order_by(PresetRow.created, PresetRow.id).with_for_update()
    for row in (await session.scalars(moving)).all():
        await preset_names.rename(session, row, preset_names.free_name(row.name, taken))
        taken.add(row.key)
        row.shelf, row.board_id = new, new
    await session.flush()

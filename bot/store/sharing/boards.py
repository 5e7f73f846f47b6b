"""Boards of shared pictures, prompts and presets. A channel has one board; several channels may have the same board."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Select, delete, false, func, or_, select, update

from bot.core.values import MessageRef
from bot.store.database import Database, add_if_new, now
from bot.store.sharing import board as one_board
from bot.store.sharing.board import board_of
from bot.store.tables.core import ChannelRow, JobRow, PictureRow, UserRow
from bot.store.tables.sharing import BoardChannelRow, PresetRow, ReportRow, ShareRow, VoteRow
from bot.store.users.users import is_theirs

#: The order of a board.
Order = Literal["new", "used", "liked"]


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """A share on a board: a picture with its prompt, a prompt alone, or a preset. `params` holds the parameters, as JSON."""

    id: str
    board: str
    user: str
    maker: str
    picture: str | None
    preset: str | None
    words: str
    params: str
    pinned: bool
    removed: bool
    uses: int
    votes: int
    created: datetime


class Boards:
    """The boards, and their shares."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, channel: MessageRef) -> str | None:
        """Return the board of a channel, or None if nothing was ever shared."""
        async with self._database.read() as session:
            return await session.scalar(board_of(channel))

    async def opened(self, channel: MessageRef) -> str:
        """Return the board of a channel; a new board if it has none."""
        async with self._database.write() as session:
            return await one_board.opened(session, channel)

    async def channels(self, board: str) -> tuple[MessageRef, ...]:
        """Return the channels of a board."""
        wanted = (
            select(ChannelRow).join(BoardChannelRow, BoardChannelRow.place_id == ChannelRow.id).where(BoardChannelRow.board_id == board)
        )
        async with self._database.read() as session:
            return tuple(
                MessageRef(row.platform, row.key) for row in await session.scalars(wanted.order_by(ChannelRow.platform, ChannelRow.key))
            )

    async def of_person(self, user: str) -> tuple[str, ...]:
        """Return the boards of the channels in which a user has requested something."""
        async with self._database.read() as session:
            return tuple(await session.scalars(_of_person(user)))

    async def looked_at(self, user: str, channel: MessageRef) -> tuple[str, ...]:
        """Return the boards that a user may see in a channel: the channel's own, and in a private channel those of all their channels."""
        async with self._database.read() as session:
            here = await session.scalar(board_of(channel))
            is_private = await session.scalar(_is_private(user, channel))
        theirs = await self.of_person(user) if is_private else ()
        return tuple(dict.fromkeys([*([here] if here else []), *theirs]))

    async def is_private(self, user: str, channel: MessageRef) -> bool:
        """Return whether a channel is, by its key, a private channel with a user."""
        async with self._database.read() as session:
            return bool(await session.scalar(_is_private(user, channel)))

    async def join(self, kept: str, other: str) -> bool:
        """Move all shares and channels of another board to this board; the other board is deleted.

        Returns False, and changes nothing, if either is already deleted, or both are the same.
        """
        async with self._database.write() as session:
            return await one_board.join(session, kept, other)

    async def part(self, channel: MessageRef) -> bool:
        """Give a channel a new board of its own; False if it does not share its board. Existing shares stay."""
        async with self._database.write() as session:
            return await one_board.part(session, channel)

    async def share(
        self, channel: MessageRef, user: str, words: str, params: str, *, picture: str | None = None, preset: str | None = None
    ) -> Shared:
        """Share something on the board of a channel; for a duplicate of the same user, the existing share is returned."""
        async with self._database.write() as session:
            board = await one_board.held(session, channel, user)
            id = await one_board.put(session, board, user, words, params, picture=picture, preset=preset)
        found = await self.get(id)
        assert found is not None
        return found

    async def get(self, share_id: str) -> Shared | None:
        """Return a share, or None if it does not exist or was removed."""
        async with self._database.read() as session:
            row = (await session.execute(_whole().where(ShareRow.id == share_id, ShareRow.removed == false()))).first()
        return None if row is None else _shared(*row)

    async def page(self, boards: Sequence[str], order: Order, first: int, most: int) -> tuple[Shared, ...]:
        """Return the shares of boards from the `first` on, counted from 0: pinned shares, then in `order`, the newest among equals."""
        by: dict[Order, tuple[ColumnElement[int], ...]] = {"new": (), "used": (ShareRow.uses.desc(),), "liked": (ShareRow.votes.desc(),)}
        wanted = _whole().where(ShareRow.board_id.in_(boards), ShareRow.removed == false())
        ordered = wanted.order_by(ShareRow.pinned.desc(), *by[order], ShareRow.created.desc(), ShareRow.id)
        async with self._database.read() as session:
            return tuple(_shared(*row) for row in await session.execute(ordered.limit(most).offset(first)))

    async def news(self, boards: Sequence[str], since: datetime, until: datetime, most: int) -> tuple[int, tuple[Shared, ...]]:
        """Return the number of shares added after a moment and until another, and the top shares by votes, then by uses.

        Presets that were archived or made private again are left out.
        """
        taken_back = or_(PresetRow.archived, PresetRow.shelf == PresetRow.person_id)
        gone = select(PresetRow.id).where(PresetRow.id == ShareRow.preset_id, taken_back).exists()
        new = ShareRow.board_id.in_(boards), ShareRow.created > since, ShareRow.created <= until, ShareRow.removed == false(), ~gone
        best = _whole().where(*new).order_by(ShareRow.votes.desc(), ShareRow.uses.desc(), ShareRow.created.desc(), ShareRow.id)
        async with self._database.read() as session:
            count = await session.scalar(select(func.count()).select_from(ShareRow).where(*new)) or 0
            return count, tuple(_shared(*row) for row in await session.execute(best.limit(most)))

    async def show(self, boards: Sequence[str], file: str) -> bool:
        """Return whether a file is, as a picture or as a thumbnail, on one of these boards."""
        is_it = or_(PictureRow.file == file, PictureRow.thumbnail == file)
        wanted = select(ShareRow.id).join(PictureRow, PictureRow.id == ShareRow.picture_id)
        there = wanted.where(is_it, ShareRow.board_id.in_(boards), ShareRow.removed == false()).limit(1)
        async with self._database.read() as session:
            return await session.scalar(there) is not None

    async def count(self, boards: Sequence[str]) -> int:
        """Return the number of shares on boards."""
        wanted = select(func.count()).select_from(ShareRow).where(ShareRow.board_id.in_(boards), ShareRow.removed == false())
        async with self._database.read() as session:
            return await session.scalar(wanted) or 0

    async def vote(self, share_id: str, user: str) -> int | None:
        """Toggle a user's vote for a share; return its number of votes, or None if it does not exist."""
        async with self._database.write() as session:
            # The user first, in the lock order of deletion and merging.
            await one_board.hold_person(session, user)
            there = select(ShareRow.id).where(ShareRow.id == share_id, ShareRow.removed == false()).with_for_update()
            if await session.scalar(there) is None:
                return None
            if not await add_if_new(session, VoteRow, {"share_id": share_id, "person_id": user, "created": now()}):
                await session.execute(delete(VoteRow).where(VoteRow.share_id == share_id, VoteRow.person_id == user))
            await one_board.count(session, [share_id])
            return await session.scalar(select(ShareRow.votes).where(ShareRow.id == share_id))

    async def used(self, share_id: str) -> None:
        """Count a use of a share for a painting."""
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.id == share_id).values(uses=ShareRow.uses + 1))

    async def report(self, share_id: str, user: str, reason: str) -> int:
        """Report a share, with a reason that replaces the user's earlier reason; return the number of reports."""
        async with self._database.write() as session:
            known = {"share_id": share_id, "person_id": user}
            if not await add_if_new(session, ReportRow, {**known, "reason": reason, "created": now()}) and reason:
                await session.execute(update(ReportRow).filter_by(**known).values(reason=reason))
            return await session.scalar(select(func.count()).select_from(ReportRow).where(ReportRow.share_id == share_id)) or 0

    async def reported(self, board: str, most: int) -> tuple[tuple[Shared, tuple[str, ...]], ...]:
        """Return the reported shares of a board, with the reason of each report, which may be empty; the most reported first."""
        counts = select(ReportRow.share_id, func.count().label("many")).group_by(ReportRow.share_id).subquery()
        wanted = _whole().join(counts, counts.c.share_id == ShareRow.id)
        there = wanted.where(ShareRow.board_id == board, ShareRow.removed == false())
        said = select(ReportRow.share_id, ReportRow.reason).order_by(ReportRow.created, ReportRow.person_id)
        async with self._database.read() as session:
            found = [_shared(*row) for row in await session.execute(there.order_by(counts.c.many.desc(), ShareRow.created).limit(most))]
            reasons: dict[str, list[str]] = {one.id: [] for one in found}
            for share, reason in await session.execute(said.where(ReportRow.share_id.in_(reasons))):
                reasons[share].append(reason)
        return tuple((one, tuple(reasons[one.id])) for one in found)

    async def dismiss(self, share_id: str) -> int:
        """Delete the reports of a share; return how many there were."""
        gone = delete(ReportRow).where(ReportRow.share_id == share_id).returning(ReportRow.person_id)
        async with self._database.write() as session:
            return len((await session.execute(gone)).all())

    async def change(self, share_id: str, *, pinned: bool | None = None, removed: bool | None = None) -> None:
        """Pin a share, or remove it from the board."""
        changes = {name: value for name, value in (("pinned", pinned), ("removed", removed)) if value is not None}
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.id == share_id).values(**changes))


def _is_private(user: str, channel: MessageRef) -> Select[bool]:
    return select(is_theirs(user, channel.platform, channel.channel))


def _of_person(user: str) -> Select[str]:
    """Return the query for the boards of a user's channels; one index lookup for each channel, however many jobs the user has."""
    # The first channel, and after each the next. Both databases use one index lookup for it; for a `min` PostgreSQL may read all rows.
    least = select(JobRow.place_id).where(JobRow.person_id == user).order_by(JobRow.place_id).limit(1)
    been = select(least.scalar_subquery().label("id")).cte("been", recursive=True)
    after = least.where(JobRow.place_id > been.c.id).scalar_subquery()
    been = been.union_all(select(after).where(been.c.id.is_not(None)))
    return select(BoardChannelRow.board_id).join(been, been.c.id == BoardChannelRow.place_id).distinct()


def _whole() -> Select[ShareRow, str]:
    """Return the query for shares with the names of their users."""
    return select(ShareRow, UserRow.name).join(UserRow, UserRow.id == ShareRow.person_id)


def _shared(row: ShareRow, maker: str) -> Shared:
    return Shared(
        id=row.id,
        board=row.board_id,
        user=row.person_id,
        maker=maker,
        picture=row.picture_id,
        preset=row.preset_id,
        words=row.words,
        params=row.params,
        pinned=row.pinned,
        removed=row.removed,
        uses=row.uses,
        votes=row.votes,
        created=row.created,
    )

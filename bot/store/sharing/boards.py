"""Boards: what groups share. A place looks at one board; several places may look at the same one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Select, delete, false, func, or_, select, update

from bot.core.values import MessageRef
from bot.store.database import Database, add_if_new
from bot.store.sharing import board as one_board
from bot.store.sharing.board import board_of
from bot.store.tables.columns import now
from bot.store.tables.core import ChannelRow, JobRow, PictureRow, UserRow
from bot.store.tables.sharing import BoardChannelRow, PresetRow, ReportRow, ShareRow, VoteRow
from bot.store.users.channels import is_theirs

#: How a board is looked at.
Order = Literal["new", "used", "liked"]


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """Something on a board: a picture with its prompt, a prompt alone, or a preset. `wish` is what was asked for, as JSON."""

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
    """The boards, and what is on them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, channel: MessageRef) -> str | None:
        """Return the board that a place looks at, or nothing where nothing was ever shared."""
        async with self._database.read() as session:
            return await session.scalar(board_of(channel))

    async def opened(self, channel: MessageRef) -> str:
        """Return the board that a place looks at; a new one where there is none."""
        async with self._database.write() as session:
            return await one_board.opened(session, channel)

    async def channels(self, board: str) -> tuple[MessageRef, ...]:
        """Return the places that look at a board."""
        wanted = (
            select(ChannelRow).join(BoardChannelRow, BoardChannelRow.place_id == ChannelRow.id).where(BoardChannelRow.board_id == board)
        )
        async with self._database.read() as session:
            return tuple(
                MessageRef(row.platform, row.key) for row in await session.scalars(wanted.order_by(ChannelRow.platform, ChannelRow.key))
            )

    async def of_person(self, user: str) -> tuple[str, ...]:
        """Return the boards of the places in which somebody has asked for something."""
        async with self._database.read() as session:
            return tuple(await session.scalars(_of_person(user)))

    async def looked_at(self, user: str, channel: MessageRef) -> tuple[str, ...]:
        """Return the boards that somebody may look at in a place: the place's own, and in private those of all places they have been in."""
        async with self._database.read() as session:
            here = await session.scalar(board_of(channel))
            is_private = await session.scalar(_is_private(user, channel))
        theirs = await self.of_person(user) if is_private else ()
        return tuple(dict.fromkeys([*([here] if here else []), *theirs]))

    async def is_private(self, user: str, channel: MessageRef) -> bool:
        """Return whether a place is known, by its name, as the conversation with one person."""
        async with self._database.read() as session:
            return bool(await session.scalar(_is_private(user, channel)))

    async def join(self, kept: str, other: str) -> bool:
        """Have everything of another board, and everybody who looks at it, on this one; the other is gone.

        Returns False, and changes nothing, where one of them is gone already, or both are the same.
        """
        async with self._database.write() as session:
            return await one_board.join(session, kept, other)

    async def part(self, channel: MessageRef) -> bool:
        """Have a place look at a board of its own, a new one; False where it looks at none together with others. What was shared stays."""
        async with self._database.write() as session:
            return await one_board.part(session, channel)

    async def share(
        self, channel: MessageRef, user: str, words: str, params: str, *, picture: str | None = None, preset: str | None = None
    ) -> Shared:
        """Put something on the board of a place; what is there already from the same person is what is returned."""
        async with self._database.write() as session:
            board = await one_board.held(session, channel, user)
            id = await one_board.put(session, board, user, words, params, picture=picture, preset=preset)
        found = await self.get(id)
        assert found is not None
        return found

    async def get(self, share_id: str) -> Shared | None:
        """Return something that was shared, or nothing where it is not there or was removed."""
        async with self._database.read() as session:
            row = (await session.execute(_whole().where(ShareRow.id == share_id, ShareRow.removed == false()))).first()
        return None if row is None else _shared(*row)

    async def page(self, boards: Sequence[str], order: Order, first: int, most: int) -> tuple[Shared, ...]:
        """Return what is on boards from the `first` on, counted from 0: what is pinned, then as ordered, the newest among equals."""
        by: dict[Order, tuple[ColumnElement[int], ...]] = {"new": (), "used": (ShareRow.uses.desc(),), "liked": (ShareRow.votes.desc(),)}
        wanted = _whole().where(ShareRow.board_id.in_(boards), ShareRow.removed == false())
        ordered = wanted.order_by(ShareRow.pinned.desc(), *by[order], ShareRow.created.desc(), ShareRow.id)
        async with self._database.read() as session:
            return tuple(_shared(*row) for row in await session.execute(ordered.limit(most).offset(first)))

    async def news(self, boards: Sequence[str], since: datetime, until: datetime, most: int) -> tuple[int, tuple[Shared, ...]]:
        """Return how much came to boards after a moment and until another, and of that what is liked most, then what is used most.

        A preset that was archived, or that its maker has for themselves again, is not among it.
        """
        taken_back = or_(PresetRow.archived, PresetRow.shelf == PresetRow.person_id)
        gone = select(PresetRow.id).where(PresetRow.id == ShareRow.preset_id, taken_back).exists()
        new = ShareRow.board_id.in_(boards), ShareRow.created > since, ShareRow.created <= until, ShareRow.removed == false(), ~gone
        best = _whole().where(*new).order_by(ShareRow.votes.desc(), ShareRow.uses.desc(), ShareRow.created.desc(), ShareRow.id)
        async with self._database.read() as session:
            count = await session.scalar(select(func.count()).select_from(ShareRow).where(*new)) or 0
            return count, tuple(_shared(*row) for row in await session.execute(best.limit(most)))

    async def show(self, boards: Sequence[str], file: str) -> bool:
        """Return whether a picture that is kept in a file, as itself or as a thumbnail, is on one of these boards."""
        is_it = or_(PictureRow.file == file, PictureRow.thumbnail == file)
        wanted = select(ShareRow.id).join(PictureRow, PictureRow.id == ShareRow.picture_id)
        there = wanted.where(is_it, ShareRow.board_id.in_(boards), ShareRow.removed == false()).limit(1)
        async with self._database.read() as session:
            return await session.scalar(there) is not None

    async def count(self, boards: Sequence[str]) -> int:
        """Return how much is on boards."""
        wanted = select(func.count()).select_from(ShareRow).where(ShareRow.board_id.in_(boards), ShareRow.removed == false())
        async with self._database.read() as session:
            return await session.scalar(wanted) or 0

    async def vote(self, share_id: str, user: str) -> int | None:
        """Like something, or take that back; return how many like it now, or nothing where it is not there."""
        async with self._database.write() as session:
            # The person first, as whoever forgets or joins them has them.
            await one_board.hold_person(session, user)
            there = select(ShareRow.id).where(ShareRow.id == share_id, ShareRow.removed == false()).with_for_update()
            if await session.scalar(there) is None:
                return None
            if not await add_if_new(session, VoteRow, {"share_id": share_id, "person_id": user, "created": now()}):
                await session.execute(delete(VoteRow).where(VoteRow.share_id == share_id, VoteRow.person_id == user))
            await one_board.count(session, [share_id])
            return await session.scalar(select(ShareRow.votes).where(ShareRow.id == share_id))

    async def used(self, share_id: str) -> None:
        """Count that something was painted from what was shared."""
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.id == share_id).values(uses=ShareRow.uses + 1))

    async def report(self, share_id: str, user: str, reason: str) -> int:
        """Note that somebody thinks something does not belong, and why as they said last; return how many think so."""
        async with self._database.write() as session:
            known = {"share_id": share_id, "person_id": user}
            if not await add_if_new(session, ReportRow, {**known, "reason": reason, "created": now()}) and reason:
                await session.execute(update(ReportRow).filter_by(**known).values(reason=reason))
            return await session.scalar(select(func.count()).select_from(ReportRow).where(ReportRow.share_id == share_id)) or 0

    async def reported(self, board: str, most: int) -> tuple[tuple[Shared, tuple[str, ...]], ...]:
        """Return what was reported on a board, with what each who did gives as the reason, or nothing; the most reported first."""
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
        """Forget that something was reported; return how many had done so."""
        gone = delete(ReportRow).where(ReportRow.share_id == share_id).returning(ReportRow.person_id)
        async with self._database.write() as session:
            return len((await session.execute(gone)).all())

    async def change(self, share_id: str, *, pinned: bool | None = None, removed: bool | None = None) -> None:
        """Pin something, or take it off the board."""
        changes = {name: value for name, value in (("pinned", pinned), ("removed", removed)) if value is not None}
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.id == share_id).values(**changes))


def _is_private(user: str, channel: MessageRef) -> Select[bool]:
    return select(is_theirs(user, channel.platform, channel.channel))


def _of_person(user: str) -> Select[str]:
    """Return the question for the boards of somebody's places; each place is looked up once in the index, however much they asked for."""
    # The first of all, and after each one the next. Both databases look so for one in the index; for a `min` PostgreSQL may read all.
    least = select(JobRow.place_id).where(JobRow.person_id == user).order_by(JobRow.place_id).limit(1)
    been = select(least.scalar_subquery().label("id")).cte("been", recursive=True)
    after = least.where(JobRow.place_id > been.c.id).scalar_subquery()
    been = been.union_all(select(after).where(been.c.id.is_not(None)))
    return select(BoardChannelRow.board_id).join(been, been.c.id == BoardChannelRow.place_id).distinct()


def _whole() -> Select[ShareRow, str]:
    """Return the question for what was shared, with what its person is called."""
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

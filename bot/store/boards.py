"""Boards: what groups share. A place looks at one board; several places may look at the same one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Select, and_, delete, false, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.columns import now
from bot.store.models import (
    BoardPlaceRow,
    BoardRow,
    JobRow,
    PersonRow,
    PictureRow,
    PlaceRow,
    PresetRow,
    ReportRow,
    ShareRow,
    VoteRow,
)
from bot.store.people import is_theirs, place_id
from bot.store.session import Database, add_if_new
from bot.values import Address, new_id

#: How a board is looked at.
Order = Literal["new", "used", "liked"]


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """Something on a board: a picture with its prompt, a prompt alone, or a preset. `wish` is what was asked for, as JSON."""

    id: str
    board: str
    person: str
    maker: str
    picture: str | None
    preset: str | None
    words: str
    wish: str
    pinned: bool
    removed: bool
    uses: int
    votes: int
    created: datetime


class Boards:
    """The boards, and what is on them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, place: Address) -> str | None:
        """Return the board that a place looks at, or nothing where nothing was ever shared."""
        async with self._database.read() as session:
            return await session.scalar(board_of(place))

    async def opened(self, place: Address) -> str:
        """Return the board that a place looks at; a new one where there is none."""
        async with self._database.write() as session:
            return await _opened(session, place)

    async def places(self, board: str) -> tuple[Address, ...]:
        """Return the places that look at a board."""
        wanted = select(PlaceRow).join(BoardPlaceRow, BoardPlaceRow.place_id == PlaceRow.id).where(BoardPlaceRow.board_id == board)
        async with self._database.read() as session:
            return tuple(Address(row.platform, row.key) for row in await session.scalars(wanted.order_by(PlaceRow.platform, PlaceRow.key)))

    async def of_person(self, person: str) -> tuple[str, ...]:
        """Return the boards of the places in which somebody has asked for something."""
        been = select(JobRow.id).where(JobRow.person_id == person, JobRow.place_id == BoardPlaceRow.place_id).exists()
        async with self._database.read() as session:
            return tuple(await session.scalars(select(BoardPlaceRow.board_id).where(been).distinct()))

    async def looked_at(self, person: str, place: Address) -> tuple[str, ...]:
        """Return the boards that somebody may look at in a place: the place's own, and in private those of all places they have been in."""
        async with self._database.read() as session:
            here = await session.scalar(board_of(place))
            is_private = await session.scalar(_is_private(person, place))
        theirs = await self.of_person(person) if is_private else ()
        return tuple(dict.fromkeys([*([here] if here else []), *theirs]))

    async def is_private(self, person: str, place: Address) -> bool:
        """Return whether a place is known, by its name, as the conversation with one person."""
        async with self._database.read() as session:
            return bool(await session.scalar(_is_private(person, place)))

    async def join(self, kept: str, other: str) -> None:
        """Have everything of another board, and everybody who looks at it, on this one; the other is gone. A repeat changes nothing."""
        if kept == other:
            return
        async with self._database.write() as session:
            for row in (BoardPlaceRow, ShareRow):
                await session.execute(update(row).where(row.board_id == other).values(board_id=kept))
            await _move_presets(session, other, kept)
            await session.execute(delete(BoardRow).where(BoardRow.id == other))

    async def share(
        self, place: Address, person: str, words: str, wish: str, *, picture: str | None = None, preset: str | None = None
    ) -> Shared:
        """Put something on the board of a place; what is there already from the same person is what is returned."""
        async with self._database.write() as session:
            board = await _opened(session, place)
            same = (ShareRow.picture_id == picture) if picture else and_(ShareRow.wish == wish, ShareRow.picture_id.is_(None))
            if preset:
                same = ShareRow.preset_id == preset
            known = await session.scalar(
                select(ShareRow.id).where(ShareRow.board_id == board, ShareRow.person_id == person, ShareRow.removed == false(), same)
            )
            id = known or new_id()
            if known is None:
                row = {"id": id, "board_id": board, "person_id": person, "picture_id": picture, "preset_id": preset}
                await session.execute(insert(ShareRow).values(**row, words=words, wish=wish))
        found = await self.get(id)
        assert found is not None
        return found

    async def take_back(self, preset: str) -> None:
        """Take a preset off all boards."""
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.preset_id == preset).values(removed=True))

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

    async def vote(self, share_id: str, person: str) -> int | None:
        """Like something, or take that back; return how many like it now, or nothing where it is not there."""
        async with self._database.write() as session:
            there = select(ShareRow.id).where(ShareRow.id == share_id, ShareRow.removed == false()).with_for_update()
            if await session.scalar(there) is None:
                return None
            if not await add_if_new(session, VoteRow, {"share_id": share_id, "person_id": person, "created": now()}):
                await session.execute(delete(VoteRow).where(VoteRow.share_id == share_id, VoteRow.person_id == person))
            # Counted, not added: somebody who was forgotten has no vote any more.
            votes = select(func.count()).select_from(VoteRow).where(VoteRow.share_id == share_id).scalar_subquery()
            changed = update(ShareRow).where(ShareRow.id == share_id).values(votes=votes).returning(ShareRow.votes)
            return (await session.execute(changed)).scalar_one()

    async def used(self, share_id: str) -> None:
        """Count that something was painted from what was shared."""
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.id == share_id).values(uses=ShareRow.uses + 1))

    async def report(self, share_id: str, person: str, reason: str) -> int:
        """Note that somebody thinks something does not belong; return how many think so."""
        async with self._database.write() as session:
            await add_if_new(session, ReportRow, {"share_id": share_id, "person_id": person, "reason": reason, "created": now()})
            return await session.scalar(select(func.count()).select_from(ReportRow).where(ReportRow.share_id == share_id)) or 0

    async def reported(self, board: str, most: int) -> tuple[tuple[Shared, int], ...]:
        """Return what was reported on a board, with how many did, the most reported first."""
        counts = select(ReportRow.share_id, func.count().label("many")).group_by(ReportRow.share_id).subquery()
        wanted = _whole().add_columns(counts.c.many).join(counts, counts.c.share_id == ShareRow.id)
        there = wanted.where(ShareRow.board_id == board, ShareRow.removed == false())
        async with self._database.read() as session:
            rows = await session.execute(there.order_by(counts.c.many.desc(), ShareRow.created).limit(most))
            return tuple((_shared(row, maker), many) for row, maker, many in rows)

    async def change(self, share_id: str, *, pinned: bool | None = None, removed: bool | None = None) -> None:
        """Pin something, or take it off the board."""
        changes = {name: value for name, value in (("pinned", pinned), ("removed", removed)) if value is not None}
        async with self._database.write() as session:
            await session.execute(update(ShareRow).where(ShareRow.id == share_id).values(**changes))


def _is_private(person: str, place: Address) -> Select[bool]:
    return select(is_theirs(person, place.platform, place.place))


def board_of(place: Address) -> Select[str]:
    """Return the question for the board of a place."""
    here = PlaceRow.platform == place.platform, PlaceRow.key == place.place
    return select(BoardPlaceRow.board_id).join(PlaceRow, PlaceRow.id == BoardPlaceRow.place_id).where(*here)


async def _opened(session: AsyncSession, place: Address) -> str:
    if (known := await session.scalar(board_of(place))) is not None:
        return known
    board = new_id()
    await session.execute(insert(BoardRow).values(id=board))
    if not await add_if_new(session, BoardPlaceRow, {"place_id": await place_id(session, place.platform, place.place), "board_id": board}):
        # Somebody else was quicker.
        await session.execute(delete(BoardRow).where(BoardRow.id == board))
        return (await session.scalars(board_of(place))).one()
    return board


async def _move_presets(session: AsyncSession, old: str, new: str) -> None:
    """Have presets stand on another board's shelf; one whose name is taken there gets a number."""
    taken = set(await session.scalars(select(PresetRow.key).where(PresetRow.shelf == new)))
    for row in (await session.scalars(select(PresetRow).where(PresetRow.shelf == old).order_by(PresetRow.created))).all():
        name, number = row.name, 2
        while name.casefold() in taken:
            name, number = f"{row.name[:28]}-{number}", number + 1
        taken.add(name.casefold())
        row.name, row.key, row.shelf, row.board_id = name, name.casefold(), new, new
    await session.flush()


def _whole() -> Select[ShareRow, str]:
    """Return the question for what was shared, with what its person is called."""
    return select(ShareRow, PersonRow.name).join(PersonRow, PersonRow.id == ShareRow.person_id)


def _shared(row: ShareRow, maker: str) -> Shared:
    return Shared(
        id=row.id,
        board=row.board_id,
        person=row.person_id,
        maker=maker,
        picture=row.picture_id,
        preset=row.preset_id,
        words=row.words,
        wish=row.wish,
        pinned=row.pinned,
        removed=row.removed,
        uses=row.uses,
        votes=row.votes,
        created=row.created,
    )

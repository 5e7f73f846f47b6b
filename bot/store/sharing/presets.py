"""Presets in immutable versions, found by name in the lists that a user may see."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, false, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.core.errors import BadInput
from bot.core.values import MessageRef
from bot.presets import interchange
from bot.presets.template import Body, Use, folded, key_of
from bot.store.database import Database
from bot.store.sharing import preset, preset_search
from bot.store.sharing.boards import Boards
from bot.store.sharing.preset import PUBLIC as PUBLIC  # re-exported as a list for readers
from bot.store.sharing.preset import New
from bot.store.tables.core import PictureRow, UserRow
from bot.store.tables.sharing import PresetRow, PresetVersionRow

#: The maximal number of presets in a user's own list.
_MOST_LISTED = 1_000

#: The maximal number of digits in a version.
_LONGEST_VERSION = 6


class Reader(msgspec.Struct, frozen=True):
    """The user who reads, and the boards that they may see in their channel."""

    user: str
    boards: tuple[str, ...] = ()

    @property
    def shelves(self) -> tuple[str, ...]:
        """Return the lists, the nearest first."""
        return (self.user, *self.boards, PUBLIC)


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A preset in a version. `shelf` is the owner of its list; `maker` the name of its user."""

    id: str
    user: str
    maker: str
    shelf: str
    name: str
    version: int
    head: int
    forked_from: str | None
    uses: int
    tags: tuple[str, ...]
    picture: str | None
    archived: bool
    created: datetime
    body: Body

    @property
    def use(self) -> Use:
        """Return it as it is used for painting."""
        return Use(self.id, self.name, self.version, self.body)


@cache
def shipped() -> Mapping[str, Preset]:
    """Return the presets shipped with Easel, by key: all users see them, and no user can change them."""
    found = interchange.read(resources.files("bot.presets").joinpath("shipped.json").read_bytes()).presets
    usual = {"id": "", "user": "", "maker": "Easel", "shelf": PUBLIC, "version": 1, "head": 1, "forked_from": None, "uses": 0}
    rest: dict[str, Any] = {**usual, "picture": None, "archived": False, "created": datetime(2026, 11, 22, tzinfo=UTC)}
    return {one.name: Preset(name=one.name, body=one.body, tags=one.tags, **rest) for one in found}


class Presets:
    """The presets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._boards = Boards(database)

    async def reader(self, user: str, channel: MessageRef) -> Reader:
        """Return the reader for a user in a channel."""
        return Reader(user, await self._boards.looked_at(user, channel))

    async def find(self, said: str, reader: Reader) -> Preset | None:
        """Return the visible preset of a name (`poster`, or `poster@3` for an earlier version); the user's own first."""
        if "#" in said:
            return await self._seen(said.partition("#")[2], reader)
        name, _, version = said.partition("@")
        try:
            key = key_of(name.strip())
        except BadInput:
            return None
        if version and not (version.isdecimal() and len(version) <= _LONGEST_VERSION):
            return None
        nearest = case({shelf: number for number, shelf in enumerate(reader.shelves)}, value=PresetRow.shelf, else_=len(reader.shelves))
        wanted = select(PresetRow.id, PresetRow.head, PresetRow.person_id).where(
            PresetRow.key == key, _is_seen(reader), PresetRow.archived == false()
        )
        async with self._database.read() as session:
            found = (await session.execute(wanted.order_by(nearest, PresetRow.uses.desc(), PresetRow.id).limit(1))).first()
        if found is None:
            return shipped().get(key) if version in ("", "1") else None
        id, head, maker = found
        # Versions from before its publication are visible to its maker only.
        if version and int(version) != head and maker != reader.user:
            return None
        return await self.get(id, int(version) if version else None)

    async def _seen(self, preset_id: str, reader: Reader) -> Preset | None:
        """Return a preset by id, if the reader may see it."""
        async with self._database.read() as session:
            row = (
                await session.execute(_whole().where(PresetRow.id == preset_id, _is_seen(reader), PresetRow.archived == false()))
            ).first()
        return None if row is None else _preset(*row)

    async def get(self, preset_id: str, version: int | None = None) -> Preset | None:
        """Return a preset by id, in its newest version or an earlier version; the caller checks the visibility."""
        async with self._database.read() as session:
            row = (await session.execute(_whole(version).where(PresetRow.id == preset_id))).first()
        return None if row is None else _preset(*row)

    async def referred(self, reference: str | None) -> Preset | None:
        """Return the preset referenced by parameters, in the referenced version, archived or not; None if it is deleted."""
        named, _, id = (reference or "").partition("#")
        version = named.rpartition("@")[2]
        return await self.get(id, int(version)) if id and version.isdecimal() else None

    async def own(self, user: str, name: str) -> Preset | None:
        """Return a user's own preset, published or not, archived or not."""
        async with self._database.read() as session:
            row = (
                await session.execute(
                    _whole().where(PresetRow.person_id == user, PresetRow.key == key_of(name)).order_by(PresetRow.archived)
                )
            ).first()
        return None if row is None else _preset(*row)

    async def save(
        self,
        user: str,
        name: str,
        body: Body,
        *,
        tags: Sequence[str] | None = None,
        picture: str | None = None,
        forked_from: str | None = None,
    ) -> Preset:
        """Save a user's own preset: a new preset, or a new version of their preset of this name, which is unarchived."""
        new = New(name=name, body=body, tags=tags, picture=picture, forked_from=forked_from)
        async with self._database.write() as session:
            id = await preset.keep(session, user, new)
        found = await self.get(id)
        assert found is not None
        return found

    async def save_all(self, user: str, all_new: Sequence[New]) -> None:
        """Save a user's own presets, with a number after the name if a different preset of theirs has the name.

        Existing presets stay unchanged.
        """
        async with self._database.write() as session:
            await preset.keep_all(session, user, all_new)

    async def show(self, one: Preset, channel: MessageRef | None) -> None:
        """Publish a preset on the board of a channel, or in the public list.

        Raises `BadInput` if its name is taken there, or if it is published elsewhere, because it would silently vanish from there.
        """
        try:
            async with self._database.write() as session:
                await preset.show(session, one.id, channel)
        except IntegrityError:
            # The public list has no lock: another transaction was quicker.
            raise BadInput("input-preset-taken-there", name=one.name) from None

    async def hide(self, preset_id: str) -> None:
        """Make a preset private again; if its maker has another preset of its name by now, it gets a number."""
        async with self._database.write() as session:
            await preset.hide(session, preset_id)

    async def archive(self, preset_id: str) -> None:
        """Remove a preset from all lists and boards; its versions stay, and pictures still refer to them."""
        async with self._database.write() as session:
            await preset.hide(session, preset_id, archived=True)

    async def used(self, preset_ids: Iterable[str]) -> None:
        """Count a use of presets."""
        async with self._database.write() as session:
            for id in sorted(filter(None, preset_ids)):
                await session.execute(update(PresetRow).where(PresetRow.id == id).values(uses=PresetRow.uses + 1))

    async def complete(self, reader: Reader, prefix: str, most: int) -> tuple[str, ...]:
        """Return the visible names with a prefix; those of the nearest list come first."""
        begun = folded(prefix)
        async with self._database.read() as session:
            found = await preset_search.names(session, reader.shelves, begun, most)
        came_along = (name for name in shipped() if name.startswith(begun))
        return tuple(dict.fromkeys([*found, *came_along]))[:most]

    async def listed(self, reader: Reader, words: str, first: int, most: int) -> tuple[Preset, ...]:
        """Return the visible presets from the `first` on, counted from 0, whose names, tags or prompts contain all of the words.

        The most used come first.
        """
        async with self._database.read() as session:
            ids = await preset_search.ids(session, reader.shelves, words, most, maker=reader.user, first=first)
            found = {row.id: (row, version, name) for row, version, name in await session.execute(_whole().where(PresetRow.id.in_(ids)))}
            count = first + len(ids)
            rows = tuple(_preset(*found[id]) for id in ids if id in found)
            if (room := most - len(ids)) <= 0:
                return rows
            same_name = select(PresetRow.key).where(PresetRow.key.in_(shipped()), _is_seen(reader), PresetRow.archived == false())
            out_of_reach = frozenset(await session.scalars(same_name))
            if first and not ids:
                count = len(await preset_search.ids(session, reader.shelves, words, first, maker=reader.user))
        # Shipped presets follow all presets of users; by name, a user's preset is found first.
        rest = tuple(one for one in _shipped_with(words) if one.name not in out_of_reach)[max(first - count, 0) :]
        return (*rows, *rest[:room])

    async def picture(self, reader: Reader, file: str) -> bool:
        """Return whether a file is the picture or thumbnail of a preset that the reader may see."""
        is_it = or_(PictureRow.file == file, PictureRow.thumbnail == file)
        wanted = select(PresetRow.id).join(PictureRow, PictureRow.id == PresetRow.picture_id)
        async with self._database.read() as session:
            seen = wanted.where(is_it, _is_seen(reader), PresetRow.archived == false()).limit(1)
            return await session.scalar(seen) is not None

    async def of_person(self, user: str) -> tuple[Preset, ...]:
        """Return all of a user's own presets, except archived presets."""
        wanted = _whole().where(PresetRow.person_id == user, PresetRow.archived == false()).order_by(PresetRow.key).limit(_MOST_LISTED)
        async with self._database.read() as session:
            return tuple(_preset(*row) for row in await session.execute(wanted))


def _shipped_with(words: str) -> Iterator[Preset]:
    for one in shipped().values():
        said = f"{one.name} {' '.join(one.tags)} {one.body.prompt}".casefold()
        if all(word in said for word in words.casefold().split()):
            yield one


def _is_seen(reader: Reader) -> ColumnElement[bool]:
    return or_(PresetRow.shelf.in_(reader.shelves), PresetRow.person_id == reader.user)


def _whole(version: int | None = None) -> Select[PresetRow, PresetVersionRow, str]:
    """Return the query for presets with one version and the name of their maker."""
    number = PresetRow.head if version is None else version
    return (
        select(PresetRow, PresetVersionRow, UserRow.name)
        .join(PresetVersionRow, and_(PresetVersionRow.preset_id == PresetRow.id, PresetVersionRow.number == number))
        .join(UserRow, UserRow.id == PresetRow.person_id)
    )


def _preset(row: PresetRow, version: PresetVersionRow, maker: str) -> Preset:
    return Preset(
        id=row.id,
        user=row.person_id,
        maker=maker,
        shelf=row.shelf,
        name=row.name,
        version=version.number,
        head=row.head,
        forked_from=row.forked_from,
        uses=row.uses,
        tags=tuple(row.tags.split()),
        picture=row.picture_id,
        archived=row.archived,
        created=row.created,
        body=msgspec.json.decode(version.body, type=Body),
    )

"""Presets: found by name on the shelves that somebody may look at, in versions that are never changed."""

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
from bot.store.sharing.preset import PUBLIC as PUBLIC  # as a shelf that readers look at
from bot.store.sharing.preset import New
from bot.store.tables.core import PictureRow, UserRow
from bot.store.tables.sharing import PresetRow, PresetVersionRow

#: Whoever tries names has to know them: of several of one name that are not on these shelves none is found.
_MOST_LISTED = 1_000

#: Nobody changes a preset so often that a version has more digits.
_LONGEST_VERSION = 6


class Reader(msgspec.Struct, frozen=True):
    """Who looks, and which boards they look at from where they are."""

    user: str
    boards: tuple[str, ...] = ()

    @property
    def shelves(self) -> tuple[str, ...]:
        """Return the shelves, the nearest first."""
        return (self.user, *self.boards, PUBLIC)


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A preset in one of its versions. `shelf` is whose list it stands in; `maker` what its person is called."""

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
        """Return it as it is painted with."""
        return Use(self.id, self.name, self.version, self.body)


@cache
def shipped() -> Mapping[str, Preset]:
    """Return the presets that Easel comes with, by their keys: everybody sees them, and nobody can change them."""
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
        """Return what a person may look at in a place."""
        return Reader(user, await self._boards.looked_at(user, channel))

    async def find(self, said: str, reader: Reader) -> Preset | None:
        """Return the preset of a name (`poster`, or `poster@3` for an earlier version) that somebody may see; their own first."""
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
        # What it was before it was shown to others is its maker's alone.
        if version and int(version) != head and maker != reader.user:
            return None
        return await self.get(id, int(version) if version else None)

    async def _seen(self, preset_id: str, reader: Reader) -> Preset | None:
        """Return a preset by id, where somebody may see it."""
        async with self._database.read() as session:
            row = (
                await session.execute(_whole().where(PresetRow.id == preset_id, _is_seen(reader), PresetRow.archived == false()))
            ).first()
        return None if row is None else _preset(*row)

    async def get(self, preset_id: str, version: int | None = None) -> Preset | None:
        """Return a preset by id, in its newest version or an earlier one; whoever asks sees to it that it may be seen."""
        async with self._database.read() as session:
            row = (await session.execute(_whole(version).where(PresetRow.id == preset_id))).first()
        return None if row is None else _preset(*row)

    async def referred(self, reference: str | None) -> Preset | None:
        """Return the preset that a wish names, in the version that it was wished with, archived or not; none where it is gone."""
        named, _, id = (reference or "").partition("#")
        version = named.rpartition("@")[2]
        return await self.get(id, int(version)) if id and version.isdecimal() else None

    async def own(self, user: str, name: str) -> Preset | None:
        """Return a preset of a person's own, wherever it stands, an archived one too."""
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
        """Keep a preset of a person's own: a new one, or a new version of the one of this name, which is taken out of the archive."""
        new = New(name=name, body=body, tags=tags, picture=picture, forked_from=forked_from)
        async with self._database.write() as session:
            id = await preset.keep(session, user, new)
        found = await self.get(id)
        assert found is not None
        return found

    async def save_all(self, user: str, all_new: Sequence[New]) -> None:
        """Keep presets of a person's own, each under its name, or with a number where something else of theirs has that.

        What is there already stays as it is.
        """
        async with self._database.write() as session:
            await preset.keep_all(session, user, all_new)

    async def show(self, one: Preset, channel: MessageRef | None) -> None:
        """Put a preset on the board of a place, or on everybody's shelf.

        Raises `BadInput` where one of its name stands there, or where it stands elsewhere: it would silently be gone from there.
        """
        try:
            async with self._database.write() as session:
                await preset.show(session, one.id, channel)
        except IntegrityError:
            # Everybody's shelf is held by nobody: somebody else was quicker.
            raise BadInput("input-preset-taken-there", name=one.name) from None

    async def hide(self, preset_id: str) -> None:
        """Have a preset be its maker's alone again; where they have another one of its name by now it gets a number."""
        async with self._database.write() as session:
            await preset.hide(session, preset_id)

    async def archive(self, preset_id: str) -> None:
        """Take a preset out of all lists and off all boards; its versions stay, and pictures go on naming them."""
        async with self._database.write() as session:
            await preset.hide(session, preset_id, archived=True)

    async def used(self, preset_ids: Iterable[str]) -> None:
        """Count that presets were painted with."""
        async with self._database.write() as session:
            for id in sorted(filter(None, preset_ids)):
                await session.execute(update(PresetRow).where(PresetRow.id == id).values(uses=PresetRow.uses + 1))

    async def complete(self, reader: Reader, prefix: str, most: int) -> tuple[str, ...]:
        """Return names that begin like this, of presets that somebody may see; the nearest shelf's come first."""
        begun = folded(prefix)
        async with self._database.read() as session:
            found = await preset_search.names(session, reader.shelves, begun, most)
        came_along = (name for name in shipped() if name.startswith(begun))
        return tuple(dict.fromkeys([*found, *came_along]))[:most]

    async def listed(self, reader: Reader, words: str, first: int, most: int) -> tuple[Preset, ...]:
        """Return what somebody may see from the `first` on, counted from 0, whose names, tags or prompts hold every one of the words.

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
        # What Easel comes with stands behind everything that people made; by its name that of a person is found first.
        rest = tuple(one for one in _shipped_with(words) if one.name not in out_of_reach)[max(first - count, 0) :]
        return (*rows, *rest[:room])

    async def picture(self, reader: Reader, file: str) -> bool:
        """Return whether a picture that is kept in a file, as itself or as a thumbnail, is that of a preset that somebody may see."""
        is_it = or_(PictureRow.file == file, PictureRow.thumbnail == file)
        wanted = select(PresetRow.id).join(PictureRow, PictureRow.id == PresetRow.picture_id)
        async with self._database.read() as session:
            seen = wanted.where(is_it, _is_seen(reader), PresetRow.archived == false()).limit(1)
            return await session.scalar(seen) is not None

    async def of_person(self, user: str) -> tuple[Preset, ...]:
        """Return all presets of a person's own, archived ones left out."""
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
    """Return the question for presets with one of their versions and the name of their maker."""
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

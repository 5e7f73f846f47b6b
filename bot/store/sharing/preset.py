"""Store, publish and hide a single preset. Call these functions inside a writing transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import BadInput, NotAllowed
from bot.core.values import MessageRef, new_id
from bot.presets.template import Body, key_of, named
from bot.store.images import search_terms
from bot.store.sharing import board
from bot.store.sharing.preset_names import free_name, rename
from bot.store.tables.sharing import PresetRow, PresetVersionRow, ShareRow

#: The list that all users see.
PUBLIC = "public"


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A preset to be saved: its name and content. Without tags or a picture the existing values stay."""

    name: str
    body: Body
    tags: Sequence[str] | None = None
    picture: str | None = None
    forked_from: str | None = None


async def keep(session: AsyncSession, user: str, new: New) -> str:
    """Save a preset and return its id: a new preset, or a new version of the user's preset of this name, which is unarchived."""
    await board.hold_person(session, user)
    known = select(PresetRow).where(PresetRow.person_id == user, PresetRow.key == key_of(new.name)).order_by(PresetRow.archived)
    row = (await session.scalars(known.limit(1).with_for_update())).first()
    if row is None:
        (id,) = await _add(session, user, [new])
        return id
    await _grow(session, row, new)
    return row.id


async def keep_all(session: AsyncSession, user: str, all_new: Sequence[New]) -> None:
    """Save many presets, with a number after the name if a different preset of the user has the name; a repeat changes nothing."""
    await board.hold_person(session, user)
    # Of two presets with the same name the active preset counts.
    mine = select(PresetRow).where(PresetRow.person_id == user).order_by(PresetRow.archived.desc())
    rows = {row.key: row for row in await session.scalars(mine)}
    heads = select(PresetVersionRow).join(PresetRow, PresetRow.id == PresetVersionRow.preset_id)
    heads = heads.where(PresetRow.person_id == user, PresetVersionRow.number == PresetRow.head)
    bodies = {one.preset_id: one.body for one in await session.scalars(heads)}
    in_use = {key: bodies[row.id] for key, row in rows.items() if not row.archived}
    added: list[New] = []
    for new in all_new:
        written = _written(new.body)
        name = free_name(new.name, {key for key, body in in_use.items() if body != written})
        if key_of(name) in in_use:
            continue
        in_use[key_of(name)] = written
        named = msgspec.structs.replace(new, name=name)
        if (row := rows.get(key_of(name))) is not None:
            await _grow(session, row, named)
        else:
            added.append(named)
    await _add(session, user, added)


async def show(session: AsyncSession, preset_id: str, channel: MessageRef | None) -> None:
    """Publish a preset on the board of a channel, or in the public list.

    Raises `BadInput` if its name is taken there, or if it is published elsewhere, because it would silently vanish from there; and
    `NotAllowed` if it no longer exists.
    """
    user = await session.scalar(select(PresetRow.person_id).where(PresetRow.id == preset_id)) or ""
    if channel is None:
        await board.hold_person(session, user)
    here = None if channel is None else await board.held(session, channel, user)
    shelf = here or PUBLIC
    row = await session.get(PresetRow, preset_id, with_for_update=True)
    if row is None:
        raise NotAllowed("denied-preset")
    if row.shelf not in (user, shelf):
        raise BadInput("input-preset-elsewhere", name=row.name)
    taken = select(PresetRow.id).where(PresetRow.shelf == shelf, PresetRow.key == row.key, PresetRow.id != preset_id)
    if (await session.scalars(taken)).first() is not None:
        raise BadInput("input-preset-taken-there", name=row.name)
    row.shelf, row.board_id = shelf, here
    await session.flush()
    if here is not None:
        await board.put(session, here, user, await _words(session, row), "{}", preset=preset_id)


async def hide(session: AsyncSession, preset_id: str, *, archived: bool | None = None) -> None:
    """Make a preset private again, off the public list and all boards; if its maker has another of its name, it gets a number."""
    user = await session.scalar(select(PresetRow.person_id).where(PresetRow.id == preset_id))
    await board.hold_person(session, user or "")
    row = await session.get(PresetRow, preset_id, with_for_update=True, populate_existing=True)
    if row is None:
        return
    taken = select(PresetRow.key).where(PresetRow.shelf == row.person_id, PresetRow.id != preset_id)
    await rename(session, row, free_name(row.name, set(await session.scalars(taken))))
    row.shelf, row.board_id = row.person_id, None
    row.archived = row.archived if archived is None else archived
    await session.flush()
    await session.execute(update(ShareRow).where(ShareRow.preset_id == preset_id).values(removed=True))


async def _add(session: AsyncSession, user: str, all_new: Sequence[New]) -> list[str]:
    """Add presets with names that are new to this user, and return their ids."""
    rows = [{"id": new_id(), "person_id": user, "shelf": user, "head": 1, "uses": 0, **_row(new, ())} for new in all_new]
    if rows:
        await session.execute(insert(PresetRow), rows)
        bodies = [{"preset_id": row["id"], "number": 1, "body": _written(new.body)} for row, new in zip(rows, all_new, strict=True)]
        await session.execute(insert(PresetVersionRow), bodies)
    return [str(row["id"]) for row in rows]


def _row(new: New, tags: Sequence[str]) -> Mapping[str, Any]:
    said = tuple(_tags(new.tags)) if new.tags is not None else tags
    found = search_terms.of_preset(new.name, said, new.body.prompt)
    row = {"key": key_of(new.name), "name": named(new.name), "forked_from": new.forked_from, "picture_id": new.picture}
    return {**row, "tags": " ".join(said), "terms": found, "archived": False}


async def _grow(session: AsyncSession, row: PresetRow, new: New) -> None:
    """Add a new version to a preset; its name keeps its first spelling."""
    grown = _row(msgspec.structs.replace(new, name=row.name), row.tags.split())
    row.tags, row.terms, row.archived = grown["tags"], grown["terms"], False
    row.picture_id = new.picture or row.picture_id
    row.forked_from = new.forked_from or row.forked_from
    row.head += 1
    session.add(PresetVersionRow(preset_id=row.id, number=row.head, body=_written(new.body)))
    await session.flush()
    # Shares on boards show the latest version.
    await session.execute(update(ShareRow).where(ShareRow.preset_id == row.id).values(words=new.body.prompt or row.name))


async def _words(session: AsyncSession, row: PresetRow) -> str:
    """Return the text of a preset on a board: its prompt, or its name if it has no prompt."""
    head = select(PresetVersionRow.body).where(PresetVersionRow.preset_id == row.id, PresetVersionRow.number == row.head)
    return msgspec.json.decode((await session.scalars(head)).one(), type=Body).prompt or row.name


def _written(body: Body) -> str:
    return msgspec.json.encode(body).decode()


def _tags(tags: Collection[str]) -> Sequence[str]:
    return tuple(dict.fromkeys(tag.casefold() for tag in tags))

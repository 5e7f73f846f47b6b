"""Search presets: by words, and by name prefix for autocompletion."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.images import search_terms
from bot.store.images.search import MOST_WORDS, begins, planned, typed
from bot.store.tables import search_index

#: The number of matching presets, newest first, among which the most used come first.
_MOST_RANKED = 1_000

#: Sorts after every name with the same prefix.
_LAST = "\U0010ffff"

_COLUMNS = "preset.id, preset.uses, preset.key"


async def names(session: AsyncSession, shelves: Sequence[str], prefix: str, most: int) -> tuple[str, ...]:
    """Return names of presets in lists with a prefix, those of the first list first; `prefix` is normalised like a key."""
    c = ' COLLATE "C"' if _is_postgresql(session) else ""
    # By the index on list and key, however many presets other users have.
    begins = f"shelf = :shelf AND key{c} >= :prefix AND key{c} < :last AND NOT archived"
    wanted = text(f"SELECT name FROM preset WHERE {begins} ORDER BY key{c} LIMIT :most")
    found: dict[str, None] = {}
    for shelf in shelves:
        found |= dict.fromkeys(await session.scalars(wanted, {"shelf": shelf, "prefix": prefix, "last": prefix + _LAST, "most": most}))
    return tuple(found)[:most]


async def ids(session: AsyncSession, shelves: Sequence[str], words: str, most: int, *, maker: str = "", first: int = 0) -> tuple[str, ...]:
    """Return ids of presets with all of the words, the last as a prefix, the most used first: in these lists, and all by `maker`."""
    where = (*(search_terms.SHELF + one for one in shelves), *((search_terms.PERSON + maker,) if maker else ()))
    groups = [where, *map(search_terms.either, typed(words)[:MOST_WORDS])]
    newest = await (_newest_of_many(session, shelves, maker, groups) if _is_postgresql(session) else _newest(session, groups))
    # Sorted here: each database has its own collation.
    ranked = sorted(newest, key=lambda one: (-one.uses, one.key, one.id))
    return tuple(one.id for one in ranked[first : first + most])


async def _newest(session: AsyncSession, groups: search_terms.Groups) -> Sequence[Any]:
    """Return the newest matches of SQLite's index, which returns them in this order."""
    conditions, patterns = begins("preset", groups)
    source = "preset_search CROSS JOIN preset_number ON preset_number.number = preset_search.rowid"
    source += " CROSS JOIN preset ON preset.id = preset_number.id"
    where = " AND ".join(("preset_search MATCH :terms", "NOT archived", *conditions))
    wanted = text(f"SELECT {_COLUMNS} FROM {source} WHERE {where} ORDER BY preset_search.rowid DESC LIMIT {_MOST_RANKED}")
    return (await session.execute(wanted, {"terms": search_terms.match(groups), **patterns})).all()


async def _newest_of_many(session: AsyncSession, shelves: Sequence[str], maker: str, groups: search_terms.Groups) -> Sequence[Any]:
    """Return the newest matches of PostgreSQL's index, which has no order: if there are many, each list is queried by itself."""
    await planned(session)
    given = {"terms": search_terms.tsquery(groups), "maker": maker, **{f"shelf{number}": one for number, one in enumerate(shelves)}}
    fits = f"{search_index.vector('preset')} @@ CAST(:terms AS tsquery) AND NOT archived"
    some = text(f"SELECT {_COLUMNS} FROM preset WHERE {fits} LIMIT {_MOST_RANKED + 1}").bindparams(terms=given["terms"])
    found = (await session.execute(some)).all()
    if len(found) <= _MOST_RANKED:
        return found
    conditions = ("person_id = :maker", *(f"shelf = :shelf{number}" for number in range(len(shelves))))
    order = f"ORDER BY created DESC, id DESC LIMIT {_MOST_RANKED}"
    each = " UNION ".join(f"(SELECT {_COLUMNS}, preset.created FROM preset WHERE {one} AND {fits} {order})" for one in conditions)
    return (await session.execute(text(f"SELECT id, uses, key FROM ({each}) AS newest {order}"), given)).all()


def _is_postgresql(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"

"""Looking for presets on shelves: by their words, and by how their names begin while somebody types one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.images import search_terms
from bot.store.images.search import MOST_WORDS, begins, planned, typed
from bot.store.tables import search_index

#: Of presets with the words so many are looked at, the newest, to give the most used of them first.
_MOST_RANKED = 1_000

#: What stands behind every name that begins in some way.
_LAST = "\U0010ffff"

_COLUMNS = "preset.id, preset.uses, preset.key"


async def names(session: AsyncSession, shelves: Sequence[str], prefix: str, most: int) -> tuple[str, ...]:
    """Return the names of presets on shelves, the first shelf's first, that begin like this; `prefix` is as keys are."""
    c = ' COLLATE "C"' if _is_postgresql(session) else ""
    # By the index of shelf and key, however many presets others have.
    begins = f"shelf = :shelf AND key{c} >= :prefix AND key{c} < :last AND NOT archived"
    wanted = text(f"SELECT name FROM preset WHERE {begins} ORDER BY key{c} LIMIT :most")
    found: dict[str, None] = {}
    for shelf in shelves:
        found |= dict.fromkeys(await session.scalars(wanted, {"shelf": shelf, "prefix": prefix, "last": prefix + _LAST, "most": most}))
    return tuple(found)[:most]


async def ids(session: AsyncSession, shelves: Sequence[str], words: str, most: int, *, maker: str = "", first: int = 0) -> tuple[str, ...]:
    """Return the ids of presets with all of the words, the last as it begins, the most used first: of shelves, and all of `maker`'s."""
    where = (*(search_terms.SHELF + one for one in shelves), *((search_terms.PERSON + maker,) if maker else ()))
    groups = [where, *map(search_terms.either, typed(words)[:MOST_WORDS])]
    newest = await (_newest_of_many(session, shelves, maker, groups) if _is_postgresql(session) else _newest(session, groups))
    # Ordered here: each database has an order of words of its own.
    ranked = sorted(newest, key=lambda one: (-one.uses, one.key, one.id))
    return tuple(one.id for one in ranked[first : first + most])


async def _newest(session: AsyncSession, groups: search_terms.Groups) -> Sequence[Any]:
    """Return the newest presets that SQLite's index finds: it gives them in this order."""
    conditions, patterns = begins("preset", groups)
    source = "preset_search CROSS JOIN preset_number ON preset_number.number = preset_search.rowid"
    source += " CROSS JOIN preset ON preset.id = preset_number.id"
    where = " AND ".join(("preset_search MATCH :terms", "NOT archived", *conditions))
    wanted = text(f"SELECT {_COLUMNS} FROM {source} WHERE {where} ORDER BY preset_search.rowid DESC LIMIT {_MOST_RANKED}")
    return (await session.execute(wanted, {"terms": search_terms.match(groups), **patterns})).all()


async def _newest_of_many(session: AsyncSession, shelves: Sequence[str], maker: str, groups: search_terms.Groups) -> Sequence[Any]:
    """Return the newest presets that PostgreSQL's index finds, which has no order: of more than a few each shelf is asked by itself."""
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

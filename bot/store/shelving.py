"""Looking for presets on shelves: by their words, and by how their names begin while somebody types one."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store import index, terms
from bot.store.finding import MOST_WORDS, planned, typed

#: Of presets with the words so many are looked at, the newest, to give the most used of them first.
_MOST_RANKED = 500

#: PostgreSQL, which finds all of them before it gives one, looks at so many.
_MOST_SORTED = 5_000

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
    await planned(session)
    where = (*(terms.SHELF + one for one in shelves), *((terms.PERSON + maker,) if maker else ()))
    groups = [where, *((one,) for one in typed(words)[:MOST_WORDS])]
    if not _is_postgresql(session):
        source = "preset_search CROSS JOIN preset_number ON preset_number.number = preset_search.rowid"
        source += " CROSS JOIN preset ON preset.id = preset_number.id WHERE preset_search MATCH :terms AND NOT archived"
        beginnings = {f"beginning{number}": f"% {one}%" for number, one in enumerate(terms.unsure(groups))}
        source += "".join(f" AND (' ' || preset.terms) LIKE :{name}" for name in beginnings)
        newest = f"SELECT {_COLUMNS} FROM {source} ORDER BY preset_search.rowid DESC LIMIT {_MOST_RANKED}"
        return await _ranked(session, newest, {"terms": terms.match(groups), **beginnings}, most, first)
    # Without an order: PostgreSQL's index has none, and what hundreds of thousands have in common is not sorted for a page of it.
    fits = f"{index.vector('preset')} @@ CAST(:terms AS tsquery) AND NOT archived"
    some = f"SELECT {_COLUMNS} FROM preset WHERE {fits} LIMIT {_MOST_SORTED}"
    return await _ranked(session, some, {"terms": terms.tsquery(groups)}, most, first)


async def _ranked(session: AsyncSession, some: str, given: Mapping[str, object], most: int, first: int) -> tuple[str, ...]:
    ranked = text(f"SELECT id FROM ({some}) AS candidates ORDER BY uses DESC, key, id LIMIT :most OFFSET :first")
    return tuple(await session.scalars(ranked, {**given, "most": most, "first": first}))


def _is_postgresql(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"

"""Search pictures by their words and parameters. `bot.store.images.search_terms` defines the compared terms.

Every query is bounded: words go through the indexes of `bot.store.tables.search_index` together with the owner, so that a word
that all users share costs no more than the searcher's own use of it. The newest come first, and counting ends at a thousand.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.values import MessageRef
from bot.store.database import Database, Utc
from bot.store.images import search_terms
from bot.store.images.images import StoredImage, stored_image
from bot.store.tables import search_index
from bot.store.tables.core import PictureRow

#: Pictures are counted up to this number.
MOST_COUNTED = 1_000

#: The number of a user's latest pictures checked before PostgreSQL's index is used: a word that is in all pictures is in these.
_LATEST = 2_000

#: The minimal length of a prefix: a shorter prefix matches nearly everything.
LEAST_BEGINNING = 3

#: The maximal number of words in a search.
MOST_WORDS = 32

#: Newest first: by the numbers of SQLite's index, or by creation time.
_BY_NUMBER, _BY_MOMENT = "picture_search.rowid DESC", 'picture.created DESC, picture.job_id, picture."index" DESC'


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A search: owners (`people`; if empty, the favourites of `user`), words, parameters, favourites folder.

    `user` searches in the channel `here`: of other users' pictures they see those painted there.
    """

    user: str
    people: tuple[str, ...]
    here: MessageRef | None = None
    words: tuple[str, ...] = ()
    model: str = ""
    preset: str = ""
    seed: int | None = None
    before: datetime | None = None
    marked: bool = False
    folder: str = ""

    @property
    def groups(self) -> search_terms.Groups:
        """Return the terms for the index; empty if the index is not needed."""
        marks = (
            (search_terms.MODEL, self.model),
            (search_terms.PRESET, self.preset),
            (search_terms.SEED, "" if self.seed is None else str(self.seed)),
        )
        asked = [search_terms.either(one) for one in self.words[:MOST_WORDS]] + [
            (search_terms.mark(sign, value),) for sign, value in marks if value
        ]
        makers = tuple(search_terms.PERSON + one for one in self.people)
        return [makers, *asked] if asked and makers else asked


def typed(words: str) -> tuple[str, ...]:
    """Return search words of a text that is still being typed: the last word may be incomplete."""
    found = search_terms.begun(words)
    return found if found and len(found[-1]) > LEAST_BEGINNING else search_terms.words_of(words)


class SearchPage(msgspec.Struct, frozen=True):
    """A page of pictures, newest first, and the number on all pages; `more` if there are more than were counted."""

    pictures: tuple[StoredImage, ...]
    count: int
    more: bool


class ImageSearch:
    """Searches pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pictures(self, sought: SearchQuery, page: int, most: int) -> SearchPage:
        """Return a page of pictures; pages count from 1."""
        first = (page - 1) * most
        async with self._database.read() as session:
            await planned(session)
            latest = await self._latest(session, sought)
            counted = len(latest) if len(latest) > MOST_COUNTED else await self._count(session, sought)
            # Matches among the latest pictures come first anyway.
            ids = latest[first : first + most] if len(latest) >= first + most else await self._page(session, sought, first, most)
            found = await _in_order(session, ids)
        return SearchPage(found, min(counted, MOST_COUNTED), counted > MOST_COUNTED)

    async def own(self, user: str, words: str, page: int, most: int) -> tuple[StoredImage, ...]:
        """Return a page of a user's pictures, newest first, with all of the words, the last as a prefix; pages count from 1."""
        sought = _own(user, words)
        return () if sought is None else (await self.pictures(sought, page, most)).pictures

    async def _latest(self, session: AsyncSession, sought: SearchQuery) -> Sequence[str]:
        """Return matches among the latest pictures, if that may spare PostgreSQL all earlier pictures: its index has no order."""
        if self._database.is_sqlite or not sought.groups or not sought.people:
            return ()
        question, given = _question(sought, is_sqlite=False)
        before = " AND created < :before" if sought.before is not None else ""
        latest = f"(SELECT * FROM picture WHERE person_id IN :people{before} ORDER BY created DESC LIMIT {_LATEST}) AS picture"
        question = question.replace("FROM picture", f"FROM {latest}", 1).format(order=f" ORDER BY {_BY_MOMENT}")
        return (await session.scalars(_asked(f"{question} LIMIT {MOST_COUNTED + 1}", given))).all()

    async def _count(self, session: AsyncSession, sought: SearchQuery) -> int:
        question, given = _question(sought, is_sqlite=self._database.is_sqlite)
        some = f"{question.format(order='')} LIMIT {MOST_COUNTED + 1}"
        return await session.scalar(_asked(f"SELECT count(*) FROM ({some}) AS found", given)) or 0

    async def _page(self, session: AsyncSession, sought: SearchQuery, first: int, most: int) -> Sequence[str]:
        question, given = _question(sought, is_sqlite=self._database.is_sqlite)
        order = _BY_NUMBER if "picture_search" in question else _BY_MOMENT
        paged = f"{question.format(order=f' ORDER BY {order}')} LIMIT :most OFFSET :first"
        return (await session.scalars(_asked(paged, {**given, "most": most, "first": first}))).all()

    async def folders(self, user: str, most: int) -> tuple[str, ...]:
        """Return a user's favourites folders."""
        wanted = text("SELECT DISTINCT folder FROM favourite WHERE person_id = :person AND folder != '' ORDER BY folder LIMIT :most")
        async with self._database.read() as session:
            return tuple(await session.scalars(wanted, {"person": user, "most": most}))


def _own(user: str, words: str) -> SearchQuery | None:
    """Return the search for a user's own pictures with words, or None if no picture can match them."""
    wanted = typed(words)
    return None if words.strip() and not wanted else SearchQuery(user=user, people=(user,), words=wanted)


def _question(sought: SearchQuery, *, is_sqlite: bool) -> tuple[str, dict[str, Any]]:
    """Return the query for ids of pictures, without its order, and its parameters."""
    given: dict[str, Any] = {}
    where, source = [], "picture"
    if groups := sought.groups:
        given["terms"] = (search_terms.match if is_sqlite else search_terms.tsquery)(groups)
        if is_sqlite:
            # The order matters: the index returns the newest first, and is read no further than the page.
            source = "picture_search CROSS JOIN picture_number ON picture_number.number = picture_search.rowid"
            source += " CROSS JOIN picture ON picture.id = picture_number.id"
            where.append("picture_search MATCH :terms")
            conditions, patterns = begins("picture", groups)
            where += conditions
            given |= patterns
        else:
            where.append(f"{search_index.vector('picture')} @@ CAST(:terms AS tsquery)")
    for condition, values in _conditions(sought):
        where.append(condition)
        given |= values
    return f"SELECT picture.id FROM {source} WHERE {' AND '.join(where)}{{order}}", given


def begins(table: str, groups: search_terms.Groups) -> tuple[list[str], dict[str, str]]:
    """Return the conditions that filter false matches of SQLite's index, and their parameters."""
    given: dict[str, str] = {}
    conditions = []
    for patterns in search_terms.unsure(groups):
        names = {f"pattern{len(given) + number}": one for number, one in enumerate(patterns)}
        fits = " OR ".join(f"(' ' || {table}.terms || ' ') LIKE :{name}" for name in names)
        conditions.append(f"({fits})")
        given |= names
    return conditions, given


def _conditions(sought: SearchQuery) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    if sought.people:
        found.append(("picture.person_id IN :people", {"people": sought.people}))
    if sought.people != (sought.user,):
        here = "SELECT 1 FROM job JOIN place ON place.id = job.place_id"
        here += " WHERE job.id = picture.job_id AND place.platform = :platform AND place.key = :place"
        channel = sought.here or MessageRef("", "")
        known = {"me": sought.user, "platform": channel.platform, "place": channel.channel}
        found.append((f"(picture.person_id = :me OR EXISTS ({here}))", known))
    if sought.before is not None:
        found.append(("picture.created < :before", {"before": sought.before}))
    if sought.marked:
        folder = " AND folder = :folder" if sought.folder else ""
        marked = f"picture.id IN (SELECT picture_id FROM favourite WHERE person_id = :me{folder})"
        found.append((marked, {"me": sought.user, **({"folder": sought.folder} if sought.folder else {})}))
    return found


def _asked(question: str, given: dict[str, Any]) -> Any:
    kinds = {"people": bindparam("people", expanding=True), "before": bindparam("before", type_=Utc())}
    return text(question).bindparams(*(kind for name, kind in kinds.items() if name in given)).bindparams(**given)


async def _in_order(session: AsyncSession, ids: Sequence[str]) -> tuple[StoredImage, ...]:
    rows = {row.id: row for row in await session.scalars(select(PictureRow).where(PictureRow.id.in_(ids)))}
    return tuple(stored_image(rows[one]) for one in ids if one in rows)


async def planned(session: AsyncSession) -> None:
    """Let PostgreSQL plan each search of a session for its own words: one plan for rare and common words suits neither."""
    if session.get_bind().dialect.name == "postgresql":
        # None of these queries is worth JIT compilation either.
        await session.execute(text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"))

"""Search pictures by their words and by how they were painted. `bot.store.images.search_terms` says what is compared.

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
from bot.store.database import Database
from bot.store.images import search_terms
from bot.store.images.image import StoredImage, kept
from bot.store.tables import search_index
from bot.store.tables.columns import Utc
from bot.store.tables.core import PictureRow

#: Pictures are counted up to here.
MOST_COUNTED = 1_000

#: Of a person so many pictures are looked at before PostgreSQL's index is asked: a word that is in all of them is in these.
_LATEST = 2_000

#: The beginning of a word has so many letters at least: fewer are the beginning of nearly everything.
LEAST_BEGINNING = 3

#: A search has no more words than this.
MOST_WORDS = 32

#: The newest first: by the numbers of SQLite's index, or by when they were painted.
_BY_NUMBER, _BY_MOMENT = "picture_search.rowid DESC", 'picture.created DESC, picture.job_id, picture."index" DESC'


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which pictures: of whom (`people`; nobody means those that `person` marked), with which words, painted how, marked in which folder.

    `person` asks, in the place `here`: of others they are shown what was painted there.
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
        """Return what the index is asked for; nothing where it need not be asked."""
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
    """Return words as they are looked for while somebody types them: the last one may not be finished yet."""
    found = search_terms.begun(words)
    return found if found and len(found[-1]) > LEAST_BEGINNING else search_terms.words_of(words)


class SearchPage(msgspec.Struct, frozen=True):
    """A page of pictures, the newest first, and how many there are on all pages; `more` where there are more than were counted."""

    pictures: tuple[StoredImage, ...]
    count: int
    more: bool


class ImageSearch:
    """Finds pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pictures(self, sought: SearchQuery, page: int, most: int) -> SearchPage:
        """Return a page of pictures; pages count from 1."""
        first = (page - 1) * most
        async with self._database.read() as session:
            await planned(session)
            latest = await self._latest(session, sought)
            counted = len(latest) if len(latest) > MOST_COUNTED else await self._count(session, sought)
            # What was found among the latest is what comes first of all.
            ids = latest[first : first + most] if len(latest) >= first + most else await self._page(session, sought, first, most)
            found = await _in_order(session, ids)
        return SearchPage(found, min(counted, MOST_COUNTED), counted > MOST_COUNTED)

    async def _latest(self, session: AsyncSession, sought: SearchQuery) -> Sequence[str]:
        """Return which of the latest pictures are sought, where that may spare PostgreSQL all earlier ones: its index has no order."""
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
        """Return the folders that a person keeps pictures in."""
        wanted = text("SELECT DISTINCT folder FROM favourite WHERE person_id = :person AND folder != '' ORDER BY folder LIMIT :most")
        async with self._database.read() as session:
            return tuple(await session.scalars(wanted, {"person": user, "most": most}))


def _question(sought: SearchQuery, *, is_sqlite: bool) -> tuple[str, dict[str, Any]]:
    """Return the question for the ids of pictures, without its order, and what is given to it."""
    given: dict[str, Any] = {}
    where, source = [], "picture"
    if groups := sought.groups:
        given["terms"] = (search_terms.match if is_sqlite else search_terms.tsquery)(groups)
        if is_sqlite:
            # In this order and no other: the index gives the newest first, and is asked no further than the page goes.
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
    """Return the conditions by which SQLite leaves out what its index found too much of, and what is given to them."""
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
    return tuple(kept(rows[one]) for one in ids if one in rows)


async def planned(session: AsyncSession) -> None:
    """Have PostgreSQL plan each search of a session by the words that it is for: one plan for rare and common words suits neither."""
    if session.get_bind().dialect.name == "postgresql":
        # Nor is any of them worth being compiled first.
        await session.execute(text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"))

"""Stores with enough pictures and presets to make searching slow, inserted by the database itself.

Words are as unevenly distributed as in a language (Zipf): the first is in nearly every prompt, most are in hardly any. One user has a tenth
of all pictures, and half of all presets are public.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate

import msgspec
from sqlalchemy import text

from benchmarks.standing.crowd import settled
from benchmarks.standing.filling import filling, numbers
from bot.store.database import Database
from bot.store.images import search_terms
from bot.store.tables import search_index
from bot.store.tables.core import Base
from inference.contract.request import PictureRequest, Prompt

#: The number of different prompts, of different words in them, and of words per prompt.
_PROMPTS, WORDS, _LONG = 20_000, 20_000, 12

#: Pictures per job, pictures per user except the busiest, and presets per user.
_OF_JOB, _OF_ONE, _KEPT = 4, 100, 20

#: The user with a tenth of all pictures.
BUSIEST = "p0"

_REQUEST = PictureRequest(
    prompt=Prompt.plain("a red circle on blue"), model="m0", width=512, height=512, steps=30, guidance=7.0, scheduler="euler", seed=7
)

_VOWELS, _CONSONANTS = "aeiou", "bcdfghklmnprtvw"


def word(rank: int) -> str:
    """Return the word of a rank: it is pronounceable, and no other word begins with it."""
    spoken, rest = "", rank
    for _ in range(3):
        rest, consonant = divmod(rest, len(_CONSONANTS))
        rest, vowel = divmod(rest, len(_VOWELS))
        spoken += _CONSONANTS[consonant] + _VOWELS[vowel]
    return spoken


def prompts(seed: int = 7, rows: int = _PROMPTS) -> list[dict[str, object]]:
    """Return prompts of words as unevenly distributed as in a language, with their search terms: only the prompts that `rows` rows use."""
    used = {_prompt_of(row) for row in range(rows + 1)}
    chance, ranks = random.Random(seed), range(WORDS)
    # Accumulated here once, because `choices` would do it again for each prompt.
    weights = list(accumulate(1 / (rank + 1) for rank in ranks))
    made = (" ".join(map(word, chance.choices(ranks, cum_weights=weights, k=_LONG))) for _ in range(_PROMPTS))
    return [{"n": number, "words": one, "terms": " ".join(search_terms.words_of(one))} for number, one in enumerate(made) if number in used]


def _prompt_of(row: int) -> int:
    """Return the number of the prompt of a row."""
    return row % _PROMPTS * 7919 % _PROMPTS


@asynccontextmanager
async def filled(url: str, rows: int, pool: Sequence[dict[str, object]]) -> AsyncIterator[Database]:
    """Yield a database with this many pictures and this many presets."""
    async with Database(url) as database:
        async with database.connect() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.execute(text("CREATE TABLE pool (n INTEGER PRIMARY KEY, words VARCHAR, terms VARCHAR)"))
            await connection.execute(text("INSERT INTO pool VALUES (:n, :words, :terms)"), list(pool))
        kind = "sqlite" if database.is_sqlite else "postgresql"
        # Creating the indexes after the rows takes a tenth of the time.
        made = (
            *search_index.removal(kind),
            *_filling(rows, database.is_sqlite),
            *search_index.statements(kind),
            *_numbering(database.is_sqlite),
        )
        for statement in made:
            async with database.write() as session:
                await session.execute(text(statement), {"request": msgspec.msgpack.encode(_REQUEST)} if ":request" in statement else {})
        await settled(database)
        yield database


def _numbering(is_sqlite: bool) -> tuple[str, ...]:
    """Return the statements that add the existing rows to SQLite's index."""
    return tuple(
        statement
        for table in (("picture", "preset") if is_sqlite else ())
        for statement in (
            f"INSERT INTO {table}_number (id) SELECT id FROM {table} ORDER BY rowid",
            f"INSERT INTO {table}_search ({table}_search) VALUES ('rebuild')",
        )
    )


def _filling(rows: int, is_sqlite: bool) -> tuple[str, ...]:
    """Return the statements that fill a blank database."""
    moment = (
        "strftime('%Y-%m-%d %H:%M:%f', 1700000000 + i * 0.1, 'unixepoch') || '000'" if is_sqlite else "to_timestamp(1700000000 + i * 0.1)"
    )
    users, jobs = max(10, rows // _OF_ONE), rows // _OF_JOB
    user = f"CASE WHEN i % 10 = 0 THEN '{BUSIEST}' ELSE 'p' || (1 + i % {users - 1}) END"
    shelf = f"CASE WHEN i % 2 = 0 THEN 'public' ELSE 'p' || (i % {max(1, rows // _KEPT)} % {users}) END"
    # Each row gets one rare word that only a few rows share.
    own = "'zq' || (i % 100000)"
    prompts = f"{numbers(rows, is_sqlite)} JOIN pool ON pool.n = (i % {_PROMPTS}) * 7919 % {_PROMPTS}"
    job = {
        "id": "'j' || i",
        "person_id": user,
        "place_id": "'c' || (i % 10)",
        "key": "'k' || i",
        "wish": "'{}'",
        "request": ":request",
        "state": "'done'",
        "model": "'m' || (i % 3)",
        "charged": "0",
        "created": moment,
        "ended": moment,
    }
    picture = {
        "id": "'x' || i",
        "job_id": f"'j' || (i / {_OF_JOB})",
        "person_id": user,
        "index": f"i % {_OF_JOB}",
        "seed": "i",
        "width": "512",
        "height": "512",
        "bytes": "70",
        "file": "'f' || i",
        "thumbnail": "'t' || i",
        "words": f"words || ' ' || {own}",
        "terms": f"terms || ' ' || {own} || ' =m' || (i % 3) || ' #' || i",
        "created": moment,
    }
    preset = {
        "id": "'r' || i",
        "person_id": f"'p' || (i % {users})",
        "shelf": shelf,
        "key": "substr(words, 1, 6) || '-' || i",
        "name": "substr(words, 1, 6) || '-' || i",
        "head": "1",
        "uses": "i % 97",
        "terms": f"terms || ' ' || {own}",
        "created": moment,
    }
    return (
        filling("person", {"id": "'p' || i", "name": "'Person ' || i", "created": moment}, numbers(users, is_sqlite), is_sqlite),
        filling("place", {"id": "'c' || i", "platform": "'web'", "key": "'c' || i", "created": moment}, numbers(10, is_sqlite), is_sqlite),
        filling("job", job, numbers(jobs, is_sqlite), is_sqlite),
        filling("picture", picture, prompts, is_sqlite),
        filling("preset", preset, prompts, is_sqlite),
    )

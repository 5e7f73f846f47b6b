"""Writes a database as plain SQL, and loads such a file into a blank database."""

import asyncio
import os
import re
import sqlite3
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy import make_url

#: The folder of the recording, named after the newest migration of the version that was recorded.
RECORDED = Path(__file__).parent / "2026_11_23"

#: Tables that triggers fill, and the internal tables of FTS5.
_MADE = re.compile(r"(picture|preset)_(number|search.*|searched)|sqlite_.*")

#: Statements of `pg_dump` other than the schema and the rows, which other server versions may not know.
_SAID = re.compile(r"(SET |SELECT pg_catalog\.set_config|\\|--|CREATE SCHEMA|COMMENT ON)")


def written(url):
    """Return the schema and all rows of a database as SQL."""
    return _of_sqlite(make_url(url).database) if url.startswith("sqlite") else _of_postgresql(url)


def _of_sqlite(file):
    with sqlite3.connect(file) as connection:
        made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        kept = [one for one in made if one[0] == "trigger" or not re.fullmatch(r"(picture|preset)_search_\w+", one[1])]
        # The triggers come before the rows: they fill the search index.
        order = {"table": 0, "view": 1, "trigger": 2, "index": 3}
        said = [f"{sql.strip()};" for _, _, sql in sorted(kept, key=lambda one: order[one[0]])]
        for table in sorted(name for kind, name, _ in made if kind == "table" and not _MADE.fullmatch(name)):
            names = [one[1] for one in connection.execute(f'PRAGMA table_info("{table}")')]
            values = " || ', ' || ".join(f'quote("{name}")' for name in names)
            columns = ", ".join(f'"{name}"' for name in names)
            rows = connection.execute(f'SELECT {values} FROM "{table}" ORDER BY rowid').fetchall()
            said += [f'INSERT INTO "{table}" ({columns}) VALUES ({row[0]});' for row in rows]
    return "BEGIN;\n" + "\n".join(said) + "\nCOMMIT;\n"


def _plain(url):
    """Return the URL of the server, and the name of the schema."""
    address = make_url(url)
    schema = address.query["options"].partition("search_path=")[2]
    return address.set(drivername="postgresql", query={}).render_as_string(hide_password=False), schema


def _of_postgresql(url):
    server, schema = _plain(url)
    asked = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", f"--schema={schema}", server]
    said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.replace(f"{schema}.", "")
    lines = [line for line in said.splitlines() if line.strip() and not _SAID.match(line)]
    return "\n".join(lines) + "\n"


def put(url, said):
    """Load SQL that `written` returned into a blank database."""
    if url.startswith("sqlite"):
        file = make_url(url).database
        os.makedirs(Path(file).parent, exist_ok=True)
        connection = sqlite3.connect(file)
        connection.executescript(said)
        connection.close()
        return
    server, schema = _plain(url)
    with psycopg.connect(server, options=f"-csearch_path={schema}") as connection:
        connection.execute(said)


async def loaded(url, said):
    """Load SQL that `written` returned into a blank database, in a thread."""
    await asyncio.to_thread(put, url, said)

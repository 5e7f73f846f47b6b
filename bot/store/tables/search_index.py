"""The search indexes. SQLAlchemy cannot express them, so they are written here, once for each database.

SQLite: an FTS5 table beside `picture` and another beside `preset`, kept up to date by triggers. Its rows need numbers that survive a
compaction of the file, and grow with time: `picture_number` has them. PostgreSQL: an index on an expression. In both,
the owner of a picture and the list of a preset are read from their own columns: if they change, so do the matches.
"""

from typing import Any

from sqlalchemy import Connection, text

from bot.store.images.search_terms import BEGINNINGS

#: The searched tables, with their terms as an expression over `{row}`.
_SQLITE = {
    "picture": "{row}.terms || ' @' || {row}.person_id",
    "preset": "{row}.terms || ' @' || {row}.person_id || ' ^' || {row}.shelf",
}
_POSTGRESQL = {
    "picture": "array_to_tsvector(string_to_array(picture.terms, ' ') || ('@' || picture.person_id))",
    "preset": "array_to_tsvector(string_to_array(preset.terms, ' ') || ('@' || preset.person_id) || ('^' || preset.shelf))",
}

#: Names of presets by prefix: PostgreSQL's default collation does not support prefix search.
_PREFIX = 'preset_prefix ON preset (shelf, key COLLATE "C")'

#: The newest in a list: if many presets have a word, only these are checked.
_NEWEST = "preset_newest ON preset (shelf, created)"

#: Characters in terms beside letters and digits.
_TOKENS = "ascii tokenchars ''@=+#^-_''"


def vector(table: str) -> str:
    """Return the terms of a table's rows as in PostgreSQL's index."""
    return _POSTGRESQL[table]


def statements(dialect: str) -> tuple[str, ...]:
    """Return the statements that create the indexes, if they do not exist."""
    if dialect == "sqlite":
        return tuple(one for table, terms in _SQLITE.items() for one in _of_sqlite(table, terms))
    begin = "CREATE INDEX IF NOT EXISTS"
    made = (f"{begin} {table}_search ON {table} USING gin ({_bare(table)}) WITH (fastupdate = off)" for table in _POSTGRESQL)
    return (*made, f"{begin} {_PREFIX}", f"{begin} {_NEWEST}")


def removal(dialect: str) -> tuple[str, ...]:
    """Return the statements that drop the indexes."""
    if dialect == "postgresql":
        return tuple(f"DROP INDEX {name}" for name in NAMES)
    return tuple(f"DROP {kind} {name}" for table in _SQLITE for name, kind in _names(table).items())


def created(_metadata: object, connection: Connection, tables: Any = (), **_more: object) -> None:
    """Create the indexes after their tables."""
    if {one.name for one in tables or ()} >= set(_SQLITE):
        for statement in statements(connection.dialect.name):
            connection.exec_driver_sql(statement)


def missing(connection: Connection) -> tuple[str, ...]:
    """Return the names of missing search indexes, of tables that exist."""
    if connection.dialect.name == "sqlite":
        there = set(connection.scalars(text("SELECT name FROM sqlite_master")))
        needed = {name: table for table in _SQLITE for name in _names(table)}
    else:
        listed = "SELECT {0}name FROM pg_{1} WHERE schemaname = ANY(current_schemas(false))"
        kinds = ("table", "tables"), ("index", "indexes")
        there = {name for kind in kinds for name in connection.scalars(text(listed.format(*kind)))}
        needed = {name: name.partition("_")[0] for name in NAMES}
    return tuple(sorted(name for name, table in needed.items() if table in there and name not in there))


#: The indexes of PostgreSQL, which the models do not contain.
NAMES = ("picture_search", "preset_search", "preset_prefix", "preset_newest")


def _names(table: str) -> dict[str, str]:
    """Return the objects that SQLite needs to search a table, each with its kind, in an order in which they can be dropped."""
    triggers = {f"{table}_search_{when}": "TRIGGER" for when in ("new", "changed", "gone")}
    return {**triggers, f"{table}_search": "TABLE", f"{table}_searched": "VIEW", f"{table}_number": "TABLE"}


def _bare(table: str) -> str:
    return _POSTGRESQL[table].replace(f"{table}.", "")


def _of_sqlite(table: str, terms: str) -> tuple[str, ...]:
    number, new, old = f"(SELECT number FROM {table}_number WHERE id = NEW.id)", terms.format(row="NEW"), terms.format(row="OLD")
    add = f"INSERT INTO {table}_search (rowid, terms) VALUES ({number}, {new});"
    # This FTS5 table stores no text of its own, so a deletion must supply the old terms.
    take = f"INSERT INTO {table}_search ({table}_search, rowid, terms) VALUES ('delete', {number.replace('NEW', 'OLD')}, {old});"
    prefix = " ".join(map(str, BEGINNINGS))
    columns = "terms, person_id" + (", shelf" if table == "preset" else "")
    return (
        f"CREATE TABLE IF NOT EXISTS {table}_number (number INTEGER PRIMARY KEY, id VARCHAR NOT NULL UNIQUE)",
        f"CREATE VIEW IF NOT EXISTS {table}_searched AS SELECT number, {terms.format(row=table)} AS terms"
        f" FROM {table}_number JOIN {table} ON {table}.id = {table}_number.id",
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_search USING fts5"
        f" (terms, content='{table}_searched', content_rowid='number', tokenize='{_TOKENS}', prefix='{prefix}', detail=none, columnsize=0)",
        f"CREATE TRIGGER IF NOT EXISTS {table}_search_new AFTER INSERT ON {table}"
        f" BEGIN INSERT INTO {table}_number (id) VALUES (NEW.id); {add} END",
        f"CREATE TRIGGER IF NOT EXISTS {table}_search_changed AFTER UPDATE OF {columns} ON {table} BEGIN {take} {add} END",
        # Before, not after: rows that refer to this row are deleted with it.
        f"CREATE TRIGGER IF NOT EXISTS {table}_search_gone BEFORE DELETE ON {table}"
        f" BEGIN {take} DELETE FROM {table}_number WHERE id = OLD.id; END",
    )

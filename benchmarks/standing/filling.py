"""Tables filled by the database itself, with any number of rows."""

from collections.abc import Mapping

from sqlalchemy import Boolean, Float, Integer, Numeric

from bot.store.tables.core import Base


def numbers(count: int, is_sqlite: bool) -> str:
    """Return a table of the numbers from 0 in the column `i`, as SQL."""
    if is_sqlite:
        return f"(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1}) SELECT i FROM n) AS numbers"
    return f"generate_series(0, {count - 1}) AS numbers(i)"


def filling(table: str, given: Mapping[str, str], source: str, is_sqlite: bool) -> str:
    """Return the statement that fills a table. `given` maps columns to SQL over the source; other required columns get a zero value."""
    nothing = {Boolean: "0" if is_sqlite else "false", Integer: "0", Float: "0", Numeric: "0"}
    values = dict(given)
    for column in Base.metadata.tables[table].columns:
        if column.nullable or column.name in given or column.autoincrement is True:
            continue
        values[column.name] = next((said for kind, said in nothing.items() if isinstance(column.type, kind)), "''")
    names = ", ".join(f'"{name}"' for name in values)
    return f'INSERT INTO "{table}" ({names}) SELECT {", ".join(values.values())} FROM {source}'

"""Full-text search: the terms of pictures and presets, and the indexes over them.

All of it is computed from existing rows, by the code that keeps it up to date: a later migration that changes that code recomputes it.
"""

import json
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from bot.store.images import search_terms
from bot.store.tables import search_index

revision = "2026_11_23_search"
down_revision = "2026_11_22_sharing"
branch_labels = None
depends_on = None

#: Rows per read: a million rows must not all be held in memory.
BATCH = 5_000

PICTURES = """
    SELECT picture.id AS id, picture.words AS words, picture.seed AS seed, job.model AS model, job.wish AS wish
    FROM picture JOIN job ON job.id = picture.job_id WHERE picture.id > :after ORDER BY picture.id LIMIT :most
"""
PRESETS = """
    SELECT preset.id AS id, preset.name AS name, preset.tags AS tags, preset_version.body AS body
    FROM preset LEFT JOIN preset_version ON preset_version.preset_id = preset.id AND preset_version.number = preset.head
    WHERE preset.id > :after ORDER BY preset.id LIMIT :most
"""

#: The oldest first: numbers grow with time.
IN_ORDER = {"picture": 'created, job_id DESC, "index"', "preset": "created, id"}


def upgrade() -> None:
    """Add the terms, fill them in, and create the indexes."""
    for table in IN_ORDER:
        op.add_column(table, sa.Column("terms", sa.String(), nullable=False, server_default=""))
    fill("picture", PICTURES, of_picture)
    fill("preset", PRESETS, of_preset)
    connection = op.get_bind()
    for statement in search_index.statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "sqlite":
        for table, order in IN_ORDER.items():
            connection.exec_driver_sql(f"INSERT INTO {table}_number (id) SELECT id FROM {table} ORDER BY {order}")
            connection.exec_driver_sql(f"INSERT INTO {table}_search ({table}_search) VALUES ('rebuild')")


def fill(table: str, question: str, terms_of: Callable[[sa.RowMapping], str]) -> None:
    """Set the terms of every row of a table."""
    connection, after = op.get_bind(), ""
    change = sa.text(f"UPDATE {table} SET terms = :terms WHERE id = :id")
    while rows := connection.execute(sa.text(question), {"after": after, "most": BATCH}).mappings().all():
        connection.execute(change, [{"id": row["id"], "terms": terms_of(row)} for row in rows])
        after = rows[-1]["id"]


def of_picture(row: sa.RowMapping) -> str:
    """Return the search terms of a picture."""
    return search_terms.of_picture(row["words"], row["model"], search_terms.preset_of(row["wish"]), row["seed"])


def of_preset(row: sa.RowMapping) -> str:
    """Return the search terms of a preset."""
    return search_terms.of_preset(row["name"], row["tags"].split(), json.loads(row["body"] or "{}").get("prompt", ""))


def downgrade() -> None:
    """Drop the additions."""
    connection = op.get_bind()
    for statement in search_index.removal(connection.dialect.name):
        connection.exec_driver_sql(statement)
    for table in IN_ORDER:
        op.drop_column(table, "terms")

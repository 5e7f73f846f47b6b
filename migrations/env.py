"""Alembic's entry point for every command: it uses the open connection from `bot.store.schema`, inside its transaction."""

from alembic import context
from sqlalchemy import Connection

from bot.store.tables.core import Base


def run(connection: Connection) -> None:
    """Run the migrations on a connection."""
    # SQLite can hardly alter a table in place; in batch mode Alembic rebuilds it.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

"""What Alembic runs for every command: it takes the open connection that `bot.store.schema` gives it, inside its transaction."""

from alembic import context
from sqlalchemy import Connection

from bot.store.tables.core import Base


def run(connection: Connection) -> None:
    """Walk the steps on a connection."""
    # SQLite changes little about a table in place: in batch mode Alembic makes it anew.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

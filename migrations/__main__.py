"""Write a migration from the newest revision to the tables in `bot.store.tables.core`: `python -m migrations "who votes"`."""

import asyncio
import re
import sys
import tempfile
from datetime import date

from alembic import command
from sqlalchemy import Connection

from bot.store import schema
from bot.store.database import Database


async def write(subject: str) -> str:
    """Write the new migration into a file and return its revision, which `schema.HEAD` must name from then on."""
    revision = f"{date.today():%Y_%m_%d}_{re.sub('[^a-z0-9]+', '_', subject.lower()).strip('_')}"

    def compare(connection: Connection) -> None:
        config = schema.alembic(connection)
        config.set_main_option("file_template", "%%(rev)s")
        command.revision(config, subject, autogenerate=True, rev_id=revision)

    with tempfile.TemporaryDirectory() as folder:
        async with Database(f"sqlite+aiosqlite:///{folder}/empty.db") as database:
            await schema.upgrade(database)
            async with database.connect() as connection:
                await connection.run_sync(compare)
    return revision


if __name__ == "__main__":
    print(asyncio.run(write(" ".join(sys.argv[1:]))))

"""`easel db`: changes and checks the tables, and reports in sentences. Each function returns the exit code."""

from adapters.cli import exit_codes
from bot.i18n.translate import tell, text
from bot.store import schema
from bot.store.database import Database


async def upgrade(url: str, revision: str = "head") -> int:
    """Upgrade the tables to a newer revision; raises `BotError` if that fails."""
    async with Database(url) as database:
        before = await schema.state(database)
        return _moved(database, before, await schema.upgrade(database, revision))


async def downgrade(url: str, revision: str) -> int:
    """Downgrade the tables to an older revision; raises `BotError` if that fails."""
    async with Database(url) as database:
        before = await schema.state(database)
        return _moved(database, before, await schema.downgrade(database, revision))


async def check(url: str) -> int:
    """Say whether the tables are what this version needs, and what is wrong if they are not.

    Raises `BotError` where the database cannot be used at all.
    """
    async with Database(url) as database:
        found = await schema.state(database)
        if found.problems:
            for problem in found.problems:
                print(tell(problem))
            return exit_codes.BAD_STORE
        if found.standing == "blank":
            print(text("db-blank", database=database.name))
            return 0
        if differences := await schema.differences(database):
            print(text("db-differs", database=database.name, where=", ".join(differences)))
            return exit_codes.BAD_STORE
        print(text("db-current", database=database.name, current=found.head))
        return 0


def _moved(database: Database, before: schema.Schema, after: schema.Schema) -> int:
    facts = {"database": database.name, "before": before.current or "", "after": after.current or ""}
    print(text("db-stayed" if before == after else "db-moved", **facts))
    return 0

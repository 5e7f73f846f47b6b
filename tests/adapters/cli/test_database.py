"""The functions behind `easel db`."""

import pytest
from sqlalchemy import text

from adapters.cli import database, exit_codes
from bot.core.errors import BadInput, BadStore
from bot.store import schema
from bot.store.database import Database
from tests.stores import server, url

__all__ = ["server", "url"]


async def change(url, statement):
    """Change a database without Easel."""
    async with Database(url) as opened, opened.connect() as connection:
        await connection.execute(text(statement))


async def test_tables_come_and_go(url, capsys):
    """An upgrade or downgrade reports its result in one sentence, also if the database is already at the target."""
    told = []
    for doing in (
        database.check(url),
        database.upgrade(url),
        database.upgrade(url),
        database.check(url),
        database.downgrade(url, "base"),
        database.downgrade(url, "base"),
    ):
        assert await doing == 0
        told.append(capsys.readouterr().out)
    for sentence, word in zip(
        told, ("no tables yet", "now has its tables", "already", "up to date", "no longer", "nothing changed"), strict=True
    ):
        assert word in sentence
        assert sentence.count("\n") == 1
        assert "None" not in sentence
    assert schema.HEAD in told[1]
    assert schema.HEAD in told[3]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("ALTER TABLE job DROP COLUMN wish", "job.wish"),
        ("UPDATE alembic_version SET version_num = '2999_01_01_newer'", "2999_01_01_newer"),
        ("DROP TABLE alembic_version", "did not create"),
    ],
    ids=["differs", "ahead", "foreign"],
)
async def test_check_names_what_is_wrong(url, capsys, damage, named):
    """A problem with the database is reported in one sentence and with its own exit code."""
    await database.upgrade(url)
    await change(url, damage)
    capsys.readouterr()
    assert await database.check(url) == exit_codes.BAD_STORE
    told = capsys.readouterr().out
    assert named in told
    assert told.count("\n") == 1


async def test_check_says_what_to_type_when_behind(url, capsys, monkeypatch):
    """An outdated database is reported with the command that upgrades it."""
    await database.upgrade(url)
    monkeypatch.setattr(schema, "HEAD", "2999_01_01_newer")
    assert await database.check(url) == exit_codes.BAD_STORE
    assert "easel db upgrade" in capsys.readouterr().out


async def test_a_wrong_revision_is_bad_input(url):
    """An unknown revision is bad input, and an unreachable database is a problem of the store."""
    with pytest.raises(BadInput) as refused:
        await database.upgrade(url, "nonsense")
    assert exit_codes.code_of(refused.value.problem) == exit_codes.BAD_INPUT
    with pytest.raises(BadStore) as refused:
        await database.check("postgresql+psycopg://bob:s3cret@nobody.invalid/easel")
    assert exit_codes.code_of(refused.value.problem) == exit_codes.BAD_STORE

"""Fixtures: recorded databases, upgraded to this version."""

import json
import shutil

import pytest
from sqlalchemy import text

from bot.app import App
from bot.commands import COMMANDS
from bot.core.values import Invocation, MessageRef, UserRef
from bot.generation.resolve import ModelCatalog
from bot.store import schema
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from tests.recorded.dumps import RECORDED, loaded
from tests.recorded.stage import QUOTA
from tests.stores import blank


class Recorded:
    """A recorded store after the upgrade, and a bot over it."""

    def __init__(self, kind, database, folder, rows):
        self.kind = kind
        self.database = database
        self.store = Store.of(database, BlobStore(str(folder / "files")), QUOTA.policy())
        self.app = App(COMMANDS, self.store, ModelCatalog(read_catalogue([], None, WEIGHTS), "demo"))
        #: The rows of each table before the upgrade.
        self.rows = rows

    def people(self):
        """Return an account of each user, by the user's id."""
        found = {}
        for one in self.rows["identity"]:
            found.setdefault(one["person_id"], UserRef(one["platform"], one["id"], "somebody"))
        return found

    def named(self, name):
        """Return the id of a user of Discord or Telegram by name."""
        known = {one["person_id"] for one in self.rows["identity"] if one["platform"] in ("discord", "telegram")}
        (found,) = [one["id"] for one in self.rows["person"] if one["name"].casefold() == name and one["id"] in known]
        return found

    async def say(self, line, user, address=None, **more):
        """Run a command line as a user, in private unless an address is given."""
        who = self.people()[user]
        who = UserRef(who.platform, who.id, who.name, moderates=more.pop("moderates", False))
        name, _, words = line.removeprefix("/").partition(" ")
        where = address or MessageRef(who.platform, who.id)
        return await self.app.handle(Invocation(command=name, given={}, words=words, line=line, caller=who, address=where, **more))

    async def press(self, wire, user, address=None, filled=None):
        """Press a button or submit a form as a user, in private unless an address is given."""
        who = self.people()[user]
        return await self.app.pressed(wire, who, address or MessageRef(who.platform, who.id), filled=filled)

    async def job(self, reply):
        """Return the one job of a reply."""
        (job_id,) = reply.jobs
        return await self.store.jobs.get(job_id)

    async def count(self, table):
        """Return how many rows a table has now."""
        async with self.database.read() as session:
            return await session.scalar(text(f"SELECT count(*) FROM {table}"))

    def channel(self, platform, of):
        """Return the channel of the recorded jobs whose command lines begin with a text."""
        (where,) = {one["place_id"] for one in self.rows["job"] if one["line"].startswith(of)}
        (key,) = [one["key"] for one in self.rows["place"] if one["id"] == where and one["platform"] == platform]
        return MessageRef(platform, key)


async def _rows(database):
    """Return all rows of all tables."""
    listed = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if not database.is_sqlite:
        listed = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    async with database.engine.connect() as connection:
        names = [one for one in await connection.scalars(text(listed)) if "_search" not in one and not one.startswith("sqlite_")]
        return {name: [dict(one) for one in (await connection.execute(text(f'SELECT * FROM "{name}"'))).mappings()] for name in names}


@pytest.fixture(scope="session")
def messages():
    """Return the recorded encodings."""
    return json.loads((RECORDED / "messages.json").read_text(encoding="utf-8"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def raw(request, tmp_path):
    """Yield the kind of database, and the recorded database before the upgrade."""
    with blank(request.param, tmp_path) as url:
        await loaded(url, (RECORDED / f"store.{request.param}.sql").read_text(encoding="utf-8"))
        async with Database(url) as database:
            yield request.param, database


@pytest.fixture
async def recorded(raw, tmp_path):
    """Yield the recorded store after the upgrade, with its picture files."""
    kind, database = raw
    rows = await _rows(database)
    shutil.copytree(RECORDED / "files", tmp_path / "files")
    await schema.upgrade(database)
    await schema.prepare(database)
    return Recorded(kind, database, tmp_path, rows)

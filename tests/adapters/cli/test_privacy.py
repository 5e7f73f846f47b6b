"""`easel export`, `easel forget` and `easel audit`, as typed and as read."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import zipfile
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from adapters.cli import audit, privacy
from bot.core.errors import BadInput, BadOutput
from bot.core.values import UserRef
from bot.store.database import Database, now
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from bot.store.tables.core import AccountRow, UserRow
from tests.stores import accepted, database, done, init, painted, png, store, url, user_of
from tests.stores import usual_server as server

__all__ = ["database", "server", "store", "url"]


@pytest.fixture
async def ann(store):
    """Return the id of a user with a picture, a source, a picture without its file, and control characters in the name."""
    user = await store.people.user(UserRef("web", "ann", "Ann \x1b[2J"))
    file, source = await store.files.put(png("red")), await store.files.put(png("blue"))
    await done(store, user.id, pictures=[painted(0, file=file), painted(1, file="0" * 64 + ".png")])
    await accepted(store, user.id, "a blue boat", inputs=init(source))
    await done(store, await user_of(store, "bob"), pictures=[painted(file=await store.files.put(png("green")))])
    return user.id


async def test_an_export_has_everything(store, ann, tmp_path):
    """An export contains each row, and each picture under the name in its row; deleted files are null."""
    file = tmp_path / "ann.zip"
    said = await privacy.exported(store, "web:ann", file)

    assert said == f"{file} contains all data of Ann \\x1b[2J: 2 jobs, 2 pictures."
    with zipfile.ZipFile(file) as archive:
        data = json.loads(archive.read("data.json"))
        tables = data["tables"]
        first, second = sorted(tables["picture"], key=lambda row: row["index"])
        (source,) = [given["file"] for given in tables["job_input"] if given["role"] == "init"]
        assert archive.read(first["file"]) == png("red")
        assert archive.read(source) == png("blue")
        assert second["file"] is None
        assert sorted(archive.namelist()) == sorted([first["file"], source, "data.json"])
    assert tables["identity"] == [{"platform": "web", "id": "ann", "person_id": ann, "created": tables["identity"][0]["created"]}]
    assert "bob" not in json.dumps(data)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


async def test_an_export_that_cannot_be_written_is_told(store, ann, tmp_path):
    """If the file cannot be written, an error is reported and no part of it remains."""
    for file in (tmp_path / "nowhere" / "ann.zip", tmp_path):
        with pytest.raises(BadOutput):
            await privacy.exported(store, ann, file)
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.usefixtures("ann")
async def test_forgetting_is_asked_for(store):
    """Declining the question deletes nothing; confirming it, which names what will be deleted, deletes the user's data."""
    asked = []

    def answer(agrees):
        return lambda question: asked.append(question) or agrees

    assert await privacy.forgotten(store, "web:ann", answer(False)) == "Nothing was deleted."
    assert await store.people.find(UserRef("web", "ann")) is not None
    said = await privacy.forgotten(store, "web:ann", answer(True))

    assert asked == ["Permanently delete all data of Ann \\x1b[2J, including 2 jobs and 2 pictures?"] * 2
    assert said == "Deleted all data of Ann \\x1b[2J, including 2 jobs and 2 pictures."
    assert await store.people.find(UserRef("web", "ann")) is None
    assert (await store.audit.latest(1))[0].act == "forget"


async def test_forgetting_again_after_a_restore(store, ann):
    """Deleted users who return with a restored backup are deleted again by one command, which reports if there are none."""
    await privacy.forgotten(store, ann, lambda _: True)
    assert await privacy.forgotten_again(store) == "No deleted users were found."
    async with store.database.write() as session:
        await session.execute(insert(UserRow).values(id=ann, name="Ann"))
        await session.execute(insert(AccountRow).values(platform="web", id="ann", person_id=ann, created=now() - timedelta(days=1)))

    assert await privacy.forgotten_again(store) == "Deleted all data of Ann, including 0 jobs and 0 pictures."
    assert await store.people.find(UserRef("web", "ann")) is None


@pytest.mark.usefixtures("ann")
async def test_who_is_meant_must_be_clear(store):
    """An unknown or ambiguous name is refused."""
    for name in ("bob", "bob2"):
        await store.people.user(UserRef("telegram", name, "Bob"))
    for reference in ("nobody", "Bob"):
        with pytest.raises(BadInput):
            await privacy.forgotten(store, reference, lambda _: True)


async def test_without_a_terminal_nobody_is_forgotten_by_mistake():
    """Without a terminal to confirm in, deletion requires the confirmation in advance."""
    read, write = os.pipe()
    before = os.dup(0)
    try:
        os.dup2(read, 0)
        with pytest.raises(BadInput):
            privacy.asked(False, lambda _: True)("?")
        assert privacy.asked(True, lambda _: False)("?")
    finally:
        os.dup2(before, 0)
        for one in (read, write, before):
            os.close(one)


async def test_the_audit_is_read(store):
    """Each act is one line with names where available, and control characters in names are escaped."""
    assert await audit.listed(store, 10) == "The audit log is empty."
    ann, bob = await user_of(store, "ann"), (await store.people.user(UserRef("web", "bob", "Bob\n\x1b[2J"))).id
    await store.audit.note(ann, "pause", user=bob, facts={"jobs": 3})
    await store.audit.note("terminal", "forget")

    forget, pause = (await audit.listed(store, 10)).splitlines()

    assert forget.endswith("UTC  terminal  forget  -  -")
    assert pause.endswith("UTC  ann  pause  Bob\\n\\x1b[2J  -  jobs=3")


def test_the_commands_do_it(tmp_path):
    """The commands export a user's data, delete the user for good, and list both acts in the audit log."""

    async def prepared():
        from bot.store import schema

        async with Database(f"sqlite+aiosqlite:///{tmp_path}/data/easel.db") as database:
            await schema.prepare(database)
            store = Store.of(database, BlobStore(str(tmp_path / "data/files")))
            await done(store, await user_of(store, "ann"), pictures=[painted(file=await store.files.put(png()))])
            async with database.write() as session:
                await session.execute(update(UserRow).values(name="Ann"))

    asyncio.run(prepared())
    plain = {name: value for name, value in os.environ.items() if not name.startswith("EASEL__")}

    def easel(*words):
        command = [sys.executable, "-m", "adapters.cli", *words]
        how = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60}
        run = subprocess.run(command, cwd=tmp_path, env=plain, check=False, **how)
        return run.returncode, run.stdout + run.stderr

    assert easel("export", "Ann", "-o", "ann.zip") == (0, "ann.zip contains all data of Ann: 1 job, 1 picture.\n")
    assert zipfile.is_zipfile(tmp_path / "ann.zip")
    assert easel("forget", "Ann") == (2, "There is no terminal to confirm in. Add --yes to delete without a question.\n")
    assert easel("forget") == (2, "Give the user to forget, or use --again alone after restoring a backup.\n")
    assert easel("forget", "ann", "--yes")[1] == "Deleted all data of Ann, including 1 job and 1 picture.\n"
    assert easel("forget", "Ann", "--yes")[0] == 2
    assert easel("forget", "--again") == (0, "No deleted users were found.\n")
    code, told = easel("audit")
    assert code == 0
    assert [line.split("  ")[2] for line in told.splitlines()] == ["forget", "export"]
    assert list((tmp_path / "data/files").glob("??/*")) == []

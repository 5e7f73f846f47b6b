"""Stores to test with: the same tests run on SQLite and, where a server is named, on PostgreSQL."""

import os
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import psycopg
import pytest
from PIL import Image
from sqlalchemy import make_url, update

from bot.store.files import Files
from bot.store.jobs import NewJob, Painted
from bot.store.models import Base, JobRow, now
from bot.store.session import Database
from bot.store.store import Store
from bot.values import Address, Caller, new_id
from inference.request import PictureRequest, Prompt

#: Names the PostgreSQL server to test with, as `[store] url` would; without it the tests of PostgreSQL are skipped.
SERVER = "EASEL_TEST_POSTGRES_URL"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Give the address of a blank database that goes when the test is over."""
    with blank(request.param, tmp_path) as address:
        yield address


@pytest.fixture
async def database(url):
    """Give a database with its tables."""
    async with Database(url) as opened:
        async with opened.connect() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield opened


@pytest.fixture
def store(database, tmp_path):
    """Give an empty store."""
    return Store.of(database, Files(str(tmp_path / "files")))


@contextmanager
def blank(kind, folder):
    """Give the address of a blank database of a kind."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/{new_id()}.db"
        return
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    server, schema = make_url(os.environ[SERVER]), f"test_{uuid4().hex}"
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        try:
            yield server.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


def request_of(words="a red circle", **changes):
    """Return a small request."""
    usual = {"model": "demo", "width": 64, "height": 64, "steps": 4, "guidance": 5.0, "scheduler": "euler", "seed": 7}
    return PictureRequest(prompt=Prompt.plain(words), **{**usual, **changes})


def new_job(person, words="a red circle", *, place="here", platform="web", **changes):
    """Return a job to accept."""
    usual = {"address": Address(platform, place), "line": f"/imagine {words}", "wish": "{}", "request": request_of(words)}
    return NewJob(id=new_id(), person=person, **{**usual, **changes})


async def person_of(store, name="ann", platform="web"):
    """Return the id of somebody."""
    return (await store.people.person(Caller(platform, name, name))).id


async def accepted(store, person, words="a red circle", **changes):
    """Accept one job and return it."""
    (job,) = await store.jobs.accept([new_job(person, words, **changes)])
    return job


def png(colour="red"):
    """Return a small PNG."""
    file = BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def painted(index=0, *, file="a" * 64 + ".png", thumbnail="b" * 64 + ".jpg"):
    """Return a finished picture."""
    return Painted(index=index, seed=2**32 - 1 - index, width=8, height=8, bytes=70, file=file, thumbnail=thumbnail)


async def done(store, person, words="a red circle", pictures=None, **changes):
    """Have a job accepted and finished, and return its pictures."""
    (job,) = await store.jobs.accept([new_job(person, words, **changes)], "a runner")
    assert await store.jobs.finish(job, [painted()] if pictures is None else pictures, 1.0)
    return (await store.pictures.of_jobs([job.id]))[job.id]


async def run_out(store, job_id):
    """Let time pass until a job's lease is over."""
    async with store.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == job_id).values(lease=now() - timedelta(seconds=1)))

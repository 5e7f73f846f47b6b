"""Retention: files that are too old or too many are deleted, and no file that is still needed."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update

from bot.core.values import InputFile
from bot.jobs.retention import Limits, Retention
from bot.store.database import now
from bot.store.tables.core import InboxRow, JobRow, PictureRow
from inference.contract.inputs import Role
from tests.stores import accepted, done, init, painted, png, user_of

_GIB = 2**30


async def kept(store, colour, *, days=0.0, bytes=70, words="a red circle"):
    """Return a picture generated this many days ago, with files of that age on disk."""
    file, thumbnail = await store.files.put(png(colour)), await store.files.put(png(f"light{colour}"))
    (picture,) = await done(store, await user_of(store), words, [painted(file=file, thumbnail=thumbnail)])
    async with store.database.write() as session:
        changed = {"created": now() - timedelta(days=days), "bytes": bytes}
        await session.execute(update(PictureRow).where(PictureRow.id == picture.id).values(changed))
    for key in (file, thumbnail):
        aged(store, key, days)
    return picture


def aged(store, key, days):
    """Set the age of a file."""
    os.utime(store.files._path(key), (time.time() - days * 86400,) * 2)


async def there(store):
    """Return the keys of all files."""
    return {key async for keys in store.files.listed() for key in keys}


async def test_nothing_goes_where_nothing_was_said(store):
    """Without limits every picture stays, however old."""
    picture = await kept(store, "blue", days=5000)

    swept = await Retention(store, Limits()).sweep()

    assert (swept.pictures, swept.files) == (0, 0)
    assert await store.files.get(picture.file)
    assert await store.pictures.get(picture.id) is not None


async def test_pictures_go_when_their_days_are_over(store):
    """Pictures older than the limit are deleted with their files; younger pictures stay, and so does the job of both."""
    old, young = await kept(store, "blue", days=31), await kept(store, "green", days=29)

    swept = await Retention(store, Limits(days=30)).sweep()

    assert (swept.pictures, swept.files) == (1, 2)
    assert await store.pictures.get(old.id) is None
    assert await there(store) == {young.file, young.thumbnail}
    assert (await store.jobs.get(old.job)).state == "done"


async def test_the_oldest_go_when_there_are_too_many(store):
    """Above the limit of GiB the oldest pictures are deleted, and no more than needed."""
    pictures = [await kept(store, colour, days=days, bytes=_GIB) for days, colour in ((3, "blue"), (2, "green"), (1, "grey"))]

    await Retention(store, Limits(gib=2.0)).sweep()

    assert [await store.pictures.get(one.id) is not None for one in pictures] == [False, True, True]


async def test_many_go_in_batches(store):
    """One round deletes more than one batch."""
    user = await user_of(store)
    for number in range(3):
        await done(store, user, f"picture {number}", [painted(index) for index in range(80)])

    swept = await Retention(store, Limits(gib=0.5 / _GIB)).sweep()

    assert swept.pictures == 240


async def test_files_that_nobody_needs_go(store):
    """Files that an attempt left a day ago, partial or whole, are deleted; new files and needed files stay."""
    picture = await kept(store, "blue", days=10)
    left, new, source = [await store.files.put(png(colour)) for colour in ("green", "grey", "pink")]
    await accepted(store, await user_of(store), inputs=init(source))
    for key in (left, source):
        aged(store, key, 2)
    half = Path(store.files._path(left) + ".x.part")
    stray = half.with_name("notes.txt")
    for path in (half, stray):
        path.write_bytes(b"half")
        os.utime(path, (1, 1))

    swept = await Retention(store, Limits()).sweep()

    assert swept.files == 2
    assert await there(store) == {picture.file, picture.thumbnail, new, source}
    assert [path.name for path in (half, stray) if os.access(path, os.F_OK)] == ["notes.txt"]


async def test_a_picture_that_is_painted_again_stays(store, monkeypatch):
    """If an orphaned file's content is stored again while the file is being deleted, the file exists afterwards."""
    data = png("green")
    key = await store.files.put(data)
    aged(store, key, 2)
    looked = store.files._age

    def looks(path):
        seen = looked(path)
        if not path.endswith(".gone"):
            # Between the check and the deletion, which is the worst moment.
            store.files._write(key, data)
        return seen

    monkeypatch.setattr(store.files, "_age", looks)
    swept = await Retention(store, Limits()).sweep()

    assert swept.files == 0
    assert await store.files.get(key) == data


async def test_sweeping_and_painting_at_once_loses_nothing(store):
    """A stored picture is always found, however often old files of the same content are deleted at the same time."""
    data = png("green")
    key = await store.files.put(data)
    lost = 0
    for _ in range(100):
        aged(store, key, 2)
        _, put = await asyncio.gather(store.files.discard(key, 3600), store.files.put(data))
        try:
            await store.files.get(put)
        except FileNotFoundError:
            lost += 1
            await store.files.put(data)
    assert lost == 0


async def test_old_sources_go_too(store):
    """A source picture is kept no longer than a generated picture, but stays while a younger job uses it."""
    user = await user_of(store)
    old, used = await store.files.put(png("green")), await store.files.put(png("grey"))
    for source in (old, used):
        job = await accepted(store, user, inputs=init(source))
        aged(store, source, 40)
        async with store.database.write() as session:
            await session.execute(update(JobRow).where(JobRow.id == job.id).values(created=now() - timedelta(days=40)))
    await accepted(store, user, inputs=init(used))
    keeping = Retention(store, Limits(days=30))

    assert [(await keeping.sweep()).files, (await keeping.sweep()).files] == [1, 0]
    assert await there(store) == {used}


async def test_old_letters_go(store):
    """An update handled more than a week ago is deleted; an open update never is."""
    await store.inbox.take("telegram", [("1", b"a"), ("2", b"b"), ("3", b"c")])
    for number in ("1", "2"):
        await store.inbox.done("telegram", number)
    async with store.database.write() as session:
        long_ago = now() - timedelta(days=8)
        await session.execute(update(InboxRow).where(InboxRow.update == "1").values(done=long_ago))
        await session.execute(update(InboxRow).values(created=long_ago))

    assert (await Retention(store, Limits()).sweep()).inbox_updates == 1
    async with store.database.read() as session:
        assert sorted(await session.scalars(select(InboxRow.update))) == ["2", "3"]


async def test_it_sweeps_by_itself_and_a_failure_does_not_end_it(store, monkeypatch, caplog):
    """The first round starts on its own, and if the store is away then, a later round follows."""
    rounds = asyncio.Queue()
    real = store.inbox.sweep

    async def sweep(before):
        rounds.put_nowait(before)
        if rounds.qsize() == 1:
            raise ConnectionError
        return await real(before)

    monkeypatch.setattr(store.inbox, "sweep", sweep)
    async with Retention(store, Limits(), first_seconds=0.0, every_seconds=0.01), asyncio.timeout(20):
        while rounds.qsize() < 2:  # noqa: ASYNC110  # a round sends no event
            await asyncio.sleep(0.01)
    assert "keeping.failed reason=ConnectionError" in caplog.text


async def brought(store, colour, bytes, *, days=0.0, user="ann"):
    """Accept a job that starts from a picture its user brought this many days ago; return the job and the picture's key."""
    key = await store.files.put(png(colour))
    given = (InputFile(Role.INIT, key, bytes=bytes),)
    job = await accepted(store, await user_of(store, user), colour, inputs=given)
    async with store.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == job.id).values(created=now() - timedelta(days=days)))
    aged(store, key, days + 1)
    return job, key


async def test_uploads_count_and_leave_room_for_results(store):
    """Uploads take at most half of the limit, the least recently used goes first, and an open job keeps what it needs."""
    picture = await kept(store, "blue", bytes=_GIB // 4)
    needed, first = await brought(store, "red", _GIB // 4, days=3)
    ended, _ = await brought(store, "green", _GIB // 4, days=2)
    _, third = await brought(store, "white", _GIB // 2, days=1)
    await store.jobs.cancel(ended.id)
    assert await store.pictures.brought_bytes() == _GIB

    await Retention(store, Limits(gib=1.0)).sweep()

    assert await there(store) == {picture.file, picture.thumbnail, first, third}
    assert await store.pictures.brought_bytes() == _GIB * 3 // 4
    assert needed.is_open


async def test_uploads_push_out_the_oldest_results(store):
    """Results and uploads share the limit: with uploads fewer results are kept."""
    await kept(store, "blue", days=2, bytes=_GIB // 2)
    young = await kept(store, "yellow", days=1, bytes=_GIB // 2)
    await brought(store, "red", _GIB // 4)

    swept = await Retention(store, Limits(gib=1.0)).sweep()

    assert swept.pictures == 1
    assert await store.pictures.get(young.id) is not None


async def test_a_cancelled_upload_goes(store):
    """The upload of a cancelled job is deleted after an hour, unless another job or a result uses it."""
    job, key = await brought(store, "red", 70)
    again, shared = await brought(store, "green", 70)
    await accepted(store, again.user, "more", inputs=init(shared))
    for one in (job, again):
        await store.jobs.cancel(one.id)
    retention = Retention(store, Limits())
    await retention.sweep()
    assert key in await there(store)

    async with store.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.ended.is_not(None)).values(ended=now() - timedelta(hours=2)))
    await Retention(store, Limits()).sweep()

    assert await there(store) == {shared}

"""Pictures that users bring: how many bytes of them within a day."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.core.errors import NotAllowed
from bot.store.database import now
from bot.store.tables.core import JobRow
from tests.talk import png, talk

RED, GREEN, BLUE = (png(colour=colour) for colour in ("red", "green", "blue"))


@pytest.fixture
async def bot(tmp_path):
    """Yield a bot that takes two small pictures a day from each user."""
    async with talk(tmp_path, most_brought=len(RED) + len(GREEN)) as opened:
        yield opened


async def test_each_user_has_a_limit_of_uploads_a_day(bot):
    """A user who cancels what they upload cannot fill the disk: beyond the limit nothing is stored, and others are not concerned."""
    for picture in (RED, GREEN):
        job = await bot.job(await bot.say("/imagine a boat", pictures=(picture,)))
        await bot.say(f"/cancel {job.id}")
    with pytest.raises(NotAllowed, match="denied-uploads"):
        await bot.say("/imagine a boat", pictures=(BLUE,))
    assert bot.store.files.key_of(BLUE) not in {key async for keys in bot.store.files.listed() for key in keys}
    assert await bot.open() == 0
    assert (await bot.job(await bot.say("/imagine a boat", who="eve", pictures=(BLUE,)))).inputs


async def test_the_same_picture_counts_once(bot):
    """A picture that was uploaded before, or that Easel painted, may be used as often as one likes."""
    _, (picture,) = await bot.painted("/imagine a boat")
    for uploaded in (RED, RED, RED, GREEN, RED):
        await bot.say("/imagine a boat", pictures=(uploaded,))
    assert (await bot.job(await bot.say(f"/imagine a boat --image {picture.id}"))).inputs


async def test_yesterday_does_not_count(bot):
    """A day after an upload its bytes are free again."""
    for picture in (RED, GREEN):
        await bot.say("/imagine a boat", pictures=(picture,))
    async with bot.store.database.write() as session:
        await session.execute(update(JobRow).values(created=now() - timedelta(days=1, minutes=1)))
    assert (await bot.job(await bot.say("/imagine a boat", pictures=(BLUE,)))).inputs

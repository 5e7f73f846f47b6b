"""Inline mode: the results offered in any chat, page by page."""

from sqlalchemy import insert, select

from bot.core.values import UserRef
from bot.i18n.translate import text
from bot.presets.template import Body
from bot.store.tables.core import FileIdRow, PictureRow

SMALL = "--steps 1 --size 64x64"


async def test_presets_of_a_group_are_offered_where_they_are_taken(chat):
    """In an unknown chat only presets that work everywhere are offered; in the chat with the bot, those of all the user's groups."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await bob.start()
    await bob.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    job = await chat.job(message)
    other = await chat.store.people.user(UserRef("telegram", str(ann.id)))
    for user, name in ((other.id, "calm"), (job.user, "calmer")):
        await chat.store.presets.show(await chat.store.presets.save(user, name, Body(prompt="a {prompt}")), job.address)
    assert [one["title"] for one in await bob.inline("cal", chat_type="supergroup")] == ["Paint with calmer"]
    assert [one["title"] for one in await bob.inline("cal")] == ["Paint with calm", "Paint with calmer"]


async def test_inline_pages_leave_nothing_out(chat):
    """Paging shows every picture exactly once, even if presets come first."""
    ann, dm = await chat.started()
    for number in range(5):
        await chat.answer(dm, await ann.say(dm, f"/preset save boat-{number} a boat"))
    await ann.say(dm, f"a boat {SMALL}")
    (message,) = await chat.pictures(dm)
    await copied(chat.store, (await chat.job(message)).id, 110)
    offered, offset = [], ""
    while True:
        page = await ann.inline("boat", offset=offset)
        offered += [one["id"] for one in page]
        offset = page.next_offset
        if not offset:
            break
    assert len(offered) == len(set(offered)) == 5 + 111


async def test_where_everything_is_covered_no_picture_is_offered(chat):
    """Inline results cannot be covered: if all pictures are covered, presets are offered and photos are not."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a boat {SMALL}")
    await chat.pictures(dm)
    await chat.answer(dm, await ann.say(dm, "/preset save boat a boat"))
    assert [one["type"] for one in await ann.inline("boat")] == ["article", "photo"]
    chat.store.settings.cover = True
    assert [one["type"] for one in await ann.inline("boat")] == ["article"]
    page = await ann.inline("")
    assert list(page) == []
    assert page.button["text"] == text("telegram-inline-covered")


async def copied(store, job, many):
    """Add copies of a job's picture and its Telegram file id."""
    ((picture,),) = (await store.pictures.of_jobs([job])).values()
    async with store.database.write() as session:
        (row,) = (await session.execute(select(PictureRow.__table__).where(PictureRow.id == picture.id))).mappings()
        (handle,) = (await session.execute(select(FileIdRow.__table__).where(FileIdRow.picture_id == picture.id))).mappings()
        numbers = range(1, many + 1)
        await session.execute(insert(PictureRow), [{**row, "id": f"c{number}", "index": number} for number in numbers])
        await session.execute(insert(FileIdRow), [{**handle, "picture_id": f"c{number}"} for number in numbers])

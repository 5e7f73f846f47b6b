"""The gallery: the shared pictures of a visitor's groups, and nothing else."""

import re

import pytest
from sqlalchemy import event

from bot.core.values import MessageRef, UserRef
from bot.generation.resolve import COVER
from bot.presets.template import Body
from tests.adapters.web.chat import open_chat


@pytest.fixture
async def chat(tmp_path):
    """Yield a web chat."""
    async with open_chat(tmp_path) as found:
        yield found


async def shared(chat, browser, words="a red circle", colour="red"):
    """Run a job, share its picture and return it."""
    await browser.job(words)
    job = await chat.paint(colour)
    (picture,) = (await chat.store.pictures.of_jobs([job]))[job]
    assert (await browser.say(f"/share --picture {picture.id}")).status_code == 200
    return picture


async def test_what_is_shared_is_seen_by_its_group(chat):
    """A picture on the visitor's board is shown with its prompt, its file is accessible, and a link puts its code into the chat."""
    async with chat.browser() as browser:
        picture = await shared(chat, browser)
        page = (await browser.client.get("/gallery")).text
        assert f'href="/files/{picture.file}"' in page
        # Many full pictures would be too much for a phone.
        assert re.findall(r'<img[^>]* src="/files/([^"]+)"', page) == [picture.thumbnail]
        assert "a red circle" in page
        assert re.search(r'href="/#line=/?%2Fuse%20[\w-]{16}"|href="/#line=/use%20[\w-]{16}"', page)
        assert (await browser.client.get(f"/files/{picture.file}")).status_code == 200


async def test_strangers_see_nothing(chat):
    """A visitor outside the group sees an empty gallery, and cannot get its files."""
    async with chat.browser() as ann, chat.browser() as eve:
        picture = await shared(chat, ann)
        assert "a red circle" not in (await eve.client.get("/gallery")).text
        assert (await eve.client.get(f"/files/{picture.file}")).status_code == 404


async def test_members_of_a_group_elsewhere_see_its_board(chat):
    """A user who has made a request in a group sees its board on the page, and can get a file while it is on the board."""
    async with chat.browser() as ann, chat.browser() as eve:
        picture = await shared(chat, ann)
        await eve.job("a dog")
        user = (await chat.store.jobs.get(await eve.job("a cat"))).user
        channel = (await chat.store.jobs.get(picture.job)).address
        group, board = MessageRef("elsewhere", "group"), await chat.store.boards.of(channel)
        await chat.store.boards.join(await chat.store.boards.opened(group), board)
        await chat.store.people.introduce(UserRef("elsewhere", "eve"), await chat.store.people.one(user))
        await in_group(chat, user, group)
        assert "a red circle" in (await eve.client.get("/gallery")).text
        assert (await eve.client.get(f"/files/{picture.file}")).status_code == 200
        (found,) = await chat.store.boards.page([await chat.store.boards.of(group)], "new", 0, 5)
        await chat.store.boards.change(found.id, removed=True)
        assert (await eve.client.get(f"/files/{picture.file}")).status_code == 404


async def in_group(chat, user, group):
    """Queue a job of a user in a group."""
    from tests.stores import accepted

    await accepted(chat.store, user, channel=group.channel, platform=group.platform)


async def test_words_have_no_effect(chat):
    """Prompts and names are shown as text."""
    async with chat.browser() as browser:
        await browser.say('/share --prompt "><script>alert(1)</script><img src=x onerror=alert(1)> \\<b>')
        page = (await browser.client.get("/gallery")).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page


#: Values of the page parameter.
PAGES = ("0", "-1", "x", "99999999999999999999", "9" * 5_000)


@pytest.mark.parametrize("query", ["order=liked", "order=used&page=1", "order=nonsense", *(f"page={page}" for page in PAGES)])
async def test_any_query_is_answered(chat, query):
    """The gallery responds to any query."""
    async with chat.browser() as browser:
        await shared(chat, browser)
        assert (await browser.client.get(f"/gallery?{query}")).status_code == 200


async def test_it_has_pages(chat):
    """Items that do not fit on a page are on the next page."""
    async with chat.browser() as browser:
        for number in range(26):
            await browser.say(f"/share --prompt a red circle {number}")
        first, second = [(await browser.client.get(f"/gallery?page={page}")).text for page in (1, 2)]
        assert (first.count('class="shared"'), second.count('class="shared"')) == (24, 2)
        assert "page=2" in first
        assert "page=3" not in second


async def test_many_pictures_are_one_question(chat):
    """A page with many pictures needs no more queries than a page with one."""
    async with chat.browser() as browser:
        asked = []
        event.listen(chat.store.database.engine.sync_engine, "before_cursor_execute", lambda *_: asked.append(1))
        counts = []
        for colour in ("red", "blue", "green"):
            await shared(chat, browser, colour=colour)
            asked.clear()
            await browser.client.get("/gallery")
            counts.append(len(asked))
        assert counts[0] == counts[-1]


async def test_the_picture_of_a_preset_is_seen_with_it(chat):
    """A user who can see a preset can get its picture and thumbnail, as long as they can see the preset."""
    async with chat.browser() as ann, chat.browser() as eve:
        picture = await shared(chat, ann)
        (one,) = await chat.store.boards.page([await chat.store.boards.of((await chat.store.jobs.get(picture.job)).address)], "new", 0, 5)
        await chat.store.boards.change(one.id, removed=True)
        await eve.job("a dog")
        preset = await chat.store.presets.save(picture.user, "calm", Body(prompt="a circle"), picture=picture.id)
        files = (picture.file, picture.thumbnail)

        async def got():
            return {(await eve.client.get(f"/files/{file}")).status_code for file in files}

        assert await got() == {404}
        await chat.store.presets.show(preset, None)
        assert await got() == {200}
        await chat.store.presets.hide(preset.id)
        assert await got() == {404}


async def test_it_asks_for_a_token_where_the_page_does(chat):
    """If the page requires a token, so does the gallery."""
    async with chat.again(require_login=True) as adapter, chat.client() as client:
        answer = await client.get(f"http://127.0.0.1:{adapter.port}/gallery")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login"


async def test_what_a_group_covers_is_covered_on_the_page(chat):
    """Pictures of a group that covers them are covered in its members' gallery; all others are open."""
    async with chat.browser() as browser:
        picture = await shared(chat, browser)
        channel = (await chat.store.jobs.get(picture.job)).address
        group = MessageRef("elsewhere", "group")
        await chat.store.boards.join(await chat.store.boards.opened(group), await chat.store.boards.of(channel))
        assert 'class="cover"' not in (await browser.client.get("/gallery")).text
        await chat.store.settings.change(group, {COVER: True})
        page = (await browser.client.get("/gallery")).text
        assert page.count('class="cover"') == page.count(f'src="/files/{picture.thumbnail}"') == 1

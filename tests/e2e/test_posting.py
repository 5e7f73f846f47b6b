"""Posts that no command requested, on an open page: they appear without a reload, keep their position, and have working buttons."""

from bot.core.values import MessageRef
from bot.jobs.board_digests import BoardDigests
from tests.adapters.web.chat import open_chat
from tests.bot.store.sharing.test_digests import wanted
from tests.e2e.conftest import said


async def test_a_digest_appears_by_itself(tmp_path, page):
    """A weekly digest appears on the open page with its picture and a working Board button; comparing with the server changes nothing."""
    async with open_chat(tmp_path) as chat:
        await page.goto(chat.url)
        await said(page, "a red circle")
        await page.locator("#entries > .entry[data-state=waiting]").wait_for()
        (picture,) = (await chat.store.pictures.of_jobs([job := await chat.paint("red")]))[job]
        address = (await chat.store.jobs.get(job)).address
        await chat.store.boards.share(address, picture.user, "a red circle", "{}", picture=picture.id)
        await wanted(chat.store, MessageRef("web", address.channel), picture.user, weeks=1.01)
        assert await BoardDigests(chat.store, chat.adapter, ["web"]).look() == 1
        entry = page.locator("#entries > .entry[data-state=said]")
        await entry.get_by_text("One new item").wait_for()
        assert await entry.locator("img.shown").count() == 1
        await entry.get_by_role("button", name="Board", exact=True).click()
        await entry.get_by_text("1 item on the board.").wait_for()
        await said(page, "a blue star")
        await page.locator("#entries > .entry").nth(2).wait_for()
        # After a lost connection, the page compares its entries with those of the server.
        await page.evaluate("window.dispatchEvent(new Event('offline'))")
        async with page.expect_response(lambda answer: answer.url == f"{chat.url}/"):
            await page.evaluate("window.dispatchEvent(new Event('online'))")
        states = [await one.get_attribute("data-state") for one in await page.locator("#entries > .entry").all()]
        assert states == ["done", "said", "waiting"]

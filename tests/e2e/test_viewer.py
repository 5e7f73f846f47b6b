"""The viewer: a picture with its settings, and everything that Info offers to do with it."""

import pytest

from tests.adapters.web.chat import open_chat
from tests.e2e.conftest import said

async_api = pytest.importorskip("playwright.async_api", reason="there is no playwright to drive a browser with")


@pytest.fixture
async def viewer(tmp_path, page):
    """Yield a page with the viewer open on the only picture of the conversation."""
    async with open_chat(tmp_path) as chat:
        await page.goto(chat.url)
        await said(page, "a red circle")
        await page.locator("#entries > .entry[data-state=waiting]").wait_for()
        await chat.paint("red")
        await page.locator("#entries > .entry[data-state=done]").get_by_role("button", name="Info", exact=True).click()
        await page.locator("#viewer-facts").get_by_text("steps", exact=True).wait_for()
        yield page.locator("#viewer")


def button(place, name):
    """Return a button of a part of the page."""
    return place.get_by_role("button", name=name, exact=True)


async def test_everything_that_info_offers_is_shown(viewer):
    """The viewer shows the buttons of Info, the destructive one last, and no second copy of the picture."""
    names = ["Vary", "Save preset…", "Share", "Favourite", "Branch…", "Compare", "Delete"]
    assert await viewer.locator("#viewer-presses button:visible").all_inner_texts() == names
    assert await viewer.locator("img:visible").count() == 1


async def test_a_button_of_info_is_answered_in_the_viewer(viewer):
    """Share and Favourite say what they did in the viewer; a favourite can then be removed again, and its button keeps the focus."""
    await button(viewer, "Share").click()
    await viewer.locator("#viewer-answer").get_by_text("board").first.wait_for()
    await button(viewer, "Favourite").focus()
    await viewer.page.keyboard.press("Enter")
    await button(viewer, "Remove favourite").wait_for()
    assert await button(viewer, "Remove favourite").evaluate("one => one === document.activeElement")


async def test_a_form_of_info_opens_in_the_conversation(viewer):
    """Save preset… closes the viewer and opens its form below the picture; the preset is then saved."""
    await button(viewer, "Save preset…").click()
    await async_api.expect(viewer).to_be_hidden()
    form = viewer.page.locator("#entries > .entry + form.asks")
    await form.locator("[name=field-name]").fill("poster")
    await form.get_by_role("button", name="Save", exact=True).click()
    await viewer.page.locator("#entries").get_by_text("poster").first.wait_for()

"""Covered pictures on the page: neither eyes nor a screen reader perceive them before they are opened."""

import pytest

from tests.e2e.conftest import served

sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright to drive a browser with")

WORDS = "a large red circle on a blue background"

LINE = f"{WORDS} --steps 6"

COVERED, AGAIN = "Hidden picture: tap to show", "Hide again"


@pytest.fixture(scope="module")
def easel(tmp_path_factory):
    """Run an Easel that covers all pictures, and yield the URL of its page."""
    with served(tmp_path_factory.mktemp("easel"), "[safety]\ncover = true\n") as address:
        yield address


def lid(within):
    """Return the element that opens the cover of a picture."""
    return within.locator(".cover > summary")


def test_a_picture_is_covered_until_somebody_presses_on_it(chat):
    """A picture is hidden until its cover, which says what to press, is opened; the keyboard or a press opens and closes it."""
    chat.say(LINE)
    done = chat.ended(1)
    picture = done.locator("img.shown")
    sync_api.expect(picture).to_be_hidden()
    sync_api.expect(done.get_by_role("img")).to_have_count(0)
    assert lid(done).inner_text() == COVERED
    assert not chat.is_wider_than_its_window()
    before = lid(done).bounding_box()
    chat.looked("covered")
    lid(done).focus()
    chat.page.keyboard.press("Enter")
    sync_api.expect(picture).to_be_visible()
    sync_api.expect(done.get_by_role("img", name=WORDS)).to_have_count(1)
    assert picture.bounding_box()["width"] == pytest.approx(before["width"], abs=4)
    assert lid(done).inner_text() == AGAIN
    chat.looked("uncovered")
    chat.press(lid(done))
    sync_api.expect(picture).to_be_hidden()


def test_a_preview_is_covered_too_and_stays_as_it_was_left(chat):
    """A running job shows nothing of its pictures; opening the cover of one shows its preview and result, and the others stay covered."""
    chat.say(f"{WORDS} --steps 60 --count 4")
    running = chat.entry()
    lid(running).nth(3).wait_for()
    assert not any(one.is_visible() for one in running.locator(".pictures img, svg.blank").all())
    chat.press(lid(running).first)
    done = chat.ended(1)
    sync_api.expect(done.locator("img.shown").first).to_be_visible()
    sync_api.expect(done.locator("img.shown").nth(1)).to_be_hidden()


def test_settings_show_no_covered_picture(chat):
    """The settings of a covered picture are readable while the picture beside them is covered; opening it also opens it in the entry."""
    chat.say(LINE)
    done = chat.ended(1)
    chat.button("Info", done)
    chat.page.locator("#viewer-facts").get_by_text("steps", exact=True).wait_for()
    sync_api.expect(chat.page.locator("#viewer-picture")).to_be_hidden()
    chat.looked("covered-viewer")
    chat.page.get_by_role("button", name=COVERED).press("Enter")
    sync_api.expect(chat.page.locator("#viewer-picture")).to_be_visible()
    chat.button("Close", chat.page.locator("#viewer"))
    sync_api.expect(done.locator("img.shown")).to_be_visible()


def test_history_and_gallery_are_covered(chat):
    """Thumbnails in the history and in the gallery, which has no script, are covered and can be opened."""
    chat.say(LINE)
    picture = chat.ended(1).locator("[data-picture]").get_attribute("data-picture")
    chat.look_beside()
    tile = chat.page.locator("#history .picture").first
    tile.wait_for()
    sync_api.expect(tile.locator("img")).to_be_hidden()
    chat.looked("covered-history")
    chat.press(lid(tile))
    sync_api.expect(tile.locator("img")).to_be_visible()
    chat.look_back()
    chat.say(f"/share --picture {picture}")
    chat.page.get_by_text("/use").first.wait_for(state="attached")
    chat.page.goto(f"{chat.address}gallery")
    shared = chat.page.locator(".shared").first
    sync_api.expect(shared.locator("img")).to_be_hidden()
    chat.looked("covered-gallery")
    lid(shared).press("Enter")
    sync_api.expect(shared.locator("img")).to_be_visible()

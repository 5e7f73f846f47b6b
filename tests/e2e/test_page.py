"""The page of the web chat, as users see it: a real browser, the real program, the real demo model."""

import base64
import io
import re

import pytest
from PIL import Image

from tests.e2e.conftest import LOOKS

sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright to drive a browser with")

MOST_BYTES_OF_PAGE = 100_000

#: The margin beside the conversation on a phone, in pixels.
MARGIN = 16

COLOURS = ("red", "green", "blue", "yellow")

CIRCLE = "a large red circle on a blue background"


def is_red(colour):
    return colour[0] > 120 and colour[0] > 1.5 * max(colour[1], colour[2])


def is_blue(colour):
    return colour[2] > 100 and colour[2] > 1.3 * max(colour[0], colour[1])


def test_words_become_the_picture_they_say(chat):
    """A line that is typed and sent becomes a picture in its entry: red in the middle, blue in the corners."""
    chat.page.locator("#line").press_sequentially(CIRCLE)
    chat.button("Send")
    done = chat.ended(1)
    pixels = chat.painted(done)
    assert is_red(pixels[56:72, 56:72].mean(axis=(0, 1)))
    assert all(is_blue(pixels[y, x].mean(axis=(0, 1))) for y in (slice(2, 8), slice(-8, -2)) for x in (slice(2, 8), slice(-8, -2)))
    assert done.locator("img.shown").get_attribute("alt") == CIRCLE
    assert done.locator("img.shown").bounding_box()["width"] == min(384, chat.width - 2 * MARGIN)
    assert re.fullmatch(rf"{CIRCLE} · 20 steps · seed \d+ · [\d.]+ s", done.locator(".status").inner_text())
    assert done.locator("button").all_inner_texts() == ["Again", "Vary", "Edit…", "Info", "Delete"]
    chat.looked("done")
    chat.look_beside()
    chat.page.locator("#history img").first.wait_for()


def test_buttons_do_what_they_say(chat):
    """Again and Vary generate pictures, Delete asks once and can be aborted, and Cancel stops a job that shows its preview."""
    chat.say(f"{CIRCLE} --steps 6")
    chat.button("Again", chat.ended(1))
    chat.button("Vary", chat.ended(2))
    varied = chat.ended(3)
    assert is_red(chat.painted(varied)[56:72, 56:72].mean(axis=(0, 1)))
    chat.button("Delete", varied)
    chat.button("Keep", varied)
    chat.button("Delete", varied)
    chat.looked("asking")
    chat.button("Delete permanently", varied)
    chat.page.locator(".entry").nth(2).locator("img").wait_for(state="detached")
    # Enough steps that no machine finishes before the test looks at it.
    chat.say("a green tree --steps 60 --count 16")
    chat.entry().locator("img.blank").first.wait_for()
    chat.looked("running")
    chat.button("Cancel", chat.entry().locator(":scope > .presses"))
    chat.page.locator(".entry[data-state=cancelled]").wait_for()
    chat.looked("cancelled")


def test_the_queue_shows_what_waits_and_cancels_it(chat):
    """The panel of queue and history lists a running job and can cancel it; afterwards the queue is empty."""
    chat.say("a green tree --steps 60 --count 16")
    chat.look_beside()
    chat.page.locator("#queue .wait", has_text="a green tree").wait_for()
    chat.looked("queue")
    chat.button("Cancel", chat.page.locator("#queue"))
    chat.page.locator("#queue").get_by_text("No queued jobs.").wait_for()
    chat.look_back()
    sync_api.expect(chat.page.locator(".entry[data-state=cancelled]")).to_be_in_viewport()


def dropped(page, data, name, kind):
    """Drop a file onto the page."""
    carried = page.evaluate_handle(
        """([data, name, kind]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], name, {type: kind}));
          return carried;
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )
    page.dispatch_event("#conversation", "drop", {"dataTransfer": carried})


@pytest.fixture(scope="module")
def blue():
    """Return a plain blue picture as a file."""
    source = io.BytesIO()
    Image.new("RGB", (128, 128), (30, 60, 200)).save(source, "PNG")
    return source.getvalue()


def test_a_dropped_picture_is_painted_over(chat, blue):
    """A dropped picture is shown with its role and sent with the line; a file of another type is refused at once."""
    dropped(chat.page, b"<svg/>", "a.svg", "image/svg+xml")
    assert chat.page.locator("#composer-problem").inner_text() == "Pictures must be PNG, JPEG or WebP files."
    dropped(chat.page, blue, "blue.png", "image/png")
    chat.page.get_by_text("128 × 128").wait_for()
    assert chat.page.locator("#attached .role").inner_text() == "Source"
    chat.looked("attached")
    chat.say("a red circle on a blue background --strength 0.4 --steps 6")
    done = chat.ended(1)
    sync_api.expect(chat.page.locator("#attached")).to_be_hidden()
    assert is_blue(chat.painted(done)[2:8, 2:8].mean(axis=(0, 1)))
    chat.press(done.locator("a"))
    chat.page.locator("#viewer-facts").get_by_text("strength").wait_for()


def test_a_picked_picture_can_be_taken_off_again(chat, blue):
    """A picture picked with the file chooser is shown, and can be removed or sent."""
    for name in ("first.png", "second.png"):
        with chat.page.expect_file_chooser() as chooser:
            chat.button("Add picture")
        chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": blue})
        chat.page.get_by_text("128 × 128").wait_for()
        if name == "first.png":
            chat.button("Remove")
            sync_api.expect(chat.page.locator("#attached")).to_be_hidden()
    chat.say("a red circle on a blue background --strength 0.4 --steps 6")
    assert is_blue(chat.painted(chat.ended(1))[2:8, 2:8].mean(axis=(0, 1)))


def test_a_reload_in_the_middle_loses_nothing(chat):
    """A reload while a job runs keeps the conversation, the preview and the progress."""
    chat.say(f"{CIRCLE} --steps 2")
    chat.ended(1)
    chat.say("a house by the sea --count 4 --steps 40")
    chat.page.locator(".entry[data-state=running] img.blank").wait_for()
    chat.page.reload()
    sync_api.expect(chat.page.locator("#entries > .entry")).to_have_count(2)
    running = chat.entry()
    assert running.locator(".line").inner_text() == "a house by the sea --count 4 --steps 40"
    sync_api.expect(running.locator(".picture")).to_have_count(4)
    chat.ended(2)
    sync_api.expect(running.locator("img.shown")).to_have_count(4)
    sync_api.expect(chat.page.locator("#entries > .entry")).to_have_count(2)
    chat.looked("several")


def test_the_keyboard_is_enough(chat):
    """Commands, parameters and values can be completed, sent and recalled, and buttons pressed, by keyboard alone."""
    keys, line = chat.page.keyboard, chat.page.locator("#line")
    chat.page.locator("#chips").wait_for(state="attached")
    with chat.page.expect_response("**/commands"):
        chat.page.reload()
    line.focus()
    keys.type("/im")
    chat.page.get_by_role("option", name="/imagine").wait_for()
    keys.press("Tab")
    assert line.input_value() == "/imagine "
    keys.type("a red heart --s")
    chat.page.get_by_role("option", name="steps").wait_for()
    chat.looked("completion")
    for _ in range(4):
        keys.press("ArrowDown")
        if chat.page.locator("[aria-selected=true]").inner_text() == "steps":
            break
    keys.press("Tab")
    keys.type("4 --scheduler eu")
    chat.page.get_by_role("option", name="euler a").wait_for()
    keys.press("Tab")
    assert line.input_value() == '/imagine a red heart --steps 4 --scheduler "euler" '
    keys.press("Escape")
    keys.press("Enter")
    chat.ended(1)
    keys.press("ArrowUp")
    assert line.input_value() == '/imagine a red heart --steps 4 --scheduler "euler"'
    keys.press("ArrowDown")
    assert line.input_value() == ""
    for _ in range(10):
        keys.press("Shift+Tab")
        if chat.page.evaluate("document.activeElement.textContent") == "Again":
            break
    keys.press("Enter")
    chat.ended(2)


def test_fields_and_line_say_the_same(chat):
    """A field changes the line, and a change of the line changes the fields."""
    with chat.page.expect_response("**/commands"):
        chat.page.reload()
    line = chat.page.locator("#line")
    line.fill("a red star --steps 12")
    chat.button("Settings")
    assert chat.page.get_by_role("spinbutton", name="steps").input_value() == "12"
    chat.page.get_by_role("slider", name="count").fill("3")
    chat.page.get_by_role("textbox", name="negative").fill("fog and rain")
    assert line.input_value() == 'a red star --negative "fog and rain" --steps 12 --count 3'
    line.fill("a red star --steps 30")
    assert chat.page.get_by_role("spinbutton", name="steps").input_value() == "30"
    assert chat.page.get_by_role("spinbutton", name="count").input_value() == ""
    chat.looked("fields")


def test_what_is_said_offline_is_kept_and_sent_once(chat):
    """A line sent offline is kept, even if the page is closed, and becomes one request after reconnecting."""
    chat.context.set_offline(True)
    chat.say("a purple heart --steps 2")
    chat.page.get_by_text("saved, will be sent when you are online").wait_for()
    chat.page.get_by_text("You are offline.").wait_for()
    chat.looked("offline")
    chat.page.close()
    chat.context.set_offline(False)
    chat.page = chat.opened()
    chat.ended(1)
    chat.page.reload()
    sync_api.expect(chat.page.locator("#entries > .entry")).to_have_count(1)


def test_a_picture_opens_with_its_settings(chat):
    """The viewer shows the original and its settings, moves to the next picture by arrow key, and returns the focus on closing."""
    chat.say("a yellow star --steps 2 --count 2 --seed 5")
    chat.ended(1)
    chat.entry().locator("a").first.press("Enter")
    chat.page.locator("#viewer .exact", has_text=re.compile("^5$")).wait_for()
    chat.looked("viewer")
    chat.page.keyboard.press("ArrowRight")
    chat.page.locator("#viewer .exact", has_text=re.compile("^6$")).wait_for()
    with chat.page.expect_download() as download:
        chat.press(chat.page.get_by_role("link", name="Download"))
    assert download.value.suggested_filename == "a-yellow-star-6.png"
    chat.page.keyboard.press("Escape")
    sync_api.expect(chat.page.locator("#viewer")).to_be_hidden()
    assert chat.page.evaluate("document.activeElement.closest('.entry') !== null")


def test_a_long_conversation_is_read_in_peace(open_chat):
    """Loading earlier entries does not move the visible text, and new entries wait behind a button while the user is scrolled up."""
    chat = open_chat(viewport={"width": 1280, "height": 600})
    for colour in COLOURS:
        chat.say(" || ".join([f"a {colour} star --steps 1 --size 64x64"] * 8))
    chat.ended(32)
    chat.page.reload()
    entries = chat.page.locator("#entries > .entry")
    sync_api.expect(entries).to_have_count(30)
    assert chat.page.evaluate("window.scrollY") > 1000
    first = entries.first
    earlier = chat.page.get_by_role("button", name="Show earlier")
    earlier.scroll_into_view_if_needed()
    read = chat.page.locator(f"#{first.get_attribute('id')} .line")
    before = read.bounding_box()["y"]
    earlier.click()
    sync_api.expect(entries).to_have_count(32)
    sync_api.expect(earlier).to_be_hidden()
    assert entries.locator(".line").all_inner_texts() == [f"a {colour} star" for colour in COLOURS for _ in range(8)]
    assert read.bounding_box()["y"] == pytest.approx(before, abs=2)
    other = chat.opened()
    other.locator("#line").fill("a blue square --steps 1 --size 64x64")
    other.locator("#line").press("Enter")
    chat.page.get_by_role("button", name="Jump to latest").wait_for()
    assert read.bounding_box()["y"] == pytest.approx(before, abs=2)
    chat.page.get_by_role("button", name="Jump to latest").click()
    sync_api.expect(chat.page.get_by_role("button", name="Jump to latest")).to_be_hidden()
    sync_api.expect(entries.last).to_be_in_viewport()


def test_lines_stay_in_their_order(open_chat):
    """Lines keep the order in which they were typed, even if the event stream reports an entry before the response arrives."""
    chat = open_chat()
    chat.context.add_init_script(
        """const real = window.fetch;
        window.fetch = async (path, ...more) => {
          const answer = await real(path, ...more);
          if (path === "/say") await new Promise((done) => setTimeout(done, 1500));
          return answer;
        };"""
    )
    chat.page = chat.opened()
    chat.say("a red star --steps 1 --size 64x64")
    chat.say("/queue")
    chat.ended(1)
    chat.page.locator(".entry .reply").wait_for()
    assert chat.page.locator("#entries .line").all_inner_texts() == ["a red star --steps 1 --size 64x64", "/queue"]


def test_there_may_be_many_tabs(open_chat):
    """Hidden tabs do not block other tabs from loading, and catch up when they become visible again."""
    chat = open_chat()
    tabs = [chat.context.new_page() for _ in range(6)]
    for tab in tabs:
        tab.clock.install()
        tab.goto(chat.address)
        tab.locator("#line").wait_for()
        tab.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        tab.clock.fast_forward(20_000)
    chat.say("a red star --steps 1 --size 64x64")
    chat.ended(1)
    sync_api.expect(tabs[0].locator(".entry")).to_have_count(0)
    tabs[0].evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    tabs[0].evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    tabs[0].locator(".entry[data-state=done]").wait_for()


def test_what_has_ended_stays_so(open_chat):
    """An older state of a request that arrives late, as after a lost connection, does not replace its finished picture."""
    chat = open_chat()
    chat.say("a red star --steps 1 --size 64x64")
    done = chat.ended(1)
    chat.page.evaluate(
        """async () => {
          const { show } = await import("/static/entries.js");
          const old = document.querySelector("#entries > .entry").cloneNode(true);
          old.dataset.state = "running";
          old.dataset.open = "";
          await show(old.outerHTML);
        }"""
    )
    assert done.get_attribute("data-state") == "done"


def test_an_answer_goes_on_below_itself(chat):
    """More under a page of history appends the next page to the same entry, and a line of any length is sent whole."""
    chat.say(" || ".join(["a red star --steps 1 --size 64x64 --count 7"] * 2))
    chat.ended(2)
    chat.say("/history")
    chat.button("More", chat.entry())
    sync_api.expect(chat.entry().locator(".reply .picture")).to_have_count(14)
    chat.entry().get_by_text("11 to 14 of 14 pictures.").wait_for()
    chat.page.locator("#line").focus()
    chat.page.keyboard.insert_text("x" * 5_000)
    chat.page.locator("#line").press("Enter")
    chat.entry().get_by_text("A message can have at most 4000 characters; this one has 5000.").wait_for()


def test_mistakes_are_told_where_they_were_made(chat):
    """A refused line stays with its error and can be edited again; markup in it is shown as text."""
    chat.say("<img src=x onerror=alert(1)> --steps 600")
    chat.entry().get_by_text("steps must be from 1 to 60; you wrote 600.").wait_for()
    assert chat.entry().locator(".line").inner_text() == "<img src=x onerror=alert(1)> --steps 600"
    chat.looked("refused")
    chat.button("Edit")
    assert chat.page.locator("#line").input_value() == "<img src=x onerror=alert(1)> --steps 600"
    chat.say("<img src=x onerror=alert(1)> --steps 2 --size 64x64")
    chat.ended(1)
    chat.page.reload()
    assert chat.entry().locator(".line").inner_text() == "<img src=x onerror=alert(1)> --steps 2 --size 64x64"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_width_and_light_has_its_page(open_chat, width, scheme):
    """On a phone and a desktop, in light and dark mode, nothing is wider than the window and everything can be reached."""
    chat = open_chat(width, color_scheme=scheme)
    chat.looked(f"{scheme}-empty")
    sync_api.expect(chat.page.locator(".example")).to_have_count(3)
    chat.press(chat.page.locator(".example").first)
    chat.ended(1)
    chat.say(f"{'x' * 300} --size 256x64 --steps 2 --count 3")
    chat.ended(2)
    chat.looked(f"{scheme}-several")
    assert not chat.is_wider_than_its_window()
    chat.say("a green tree --steps 60")
    chat.entry().locator("img.blank").wait_for()
    chat.looked(f"{scheme}-running")
    assert not chat.is_wider_than_its_window()
    chat.ended(3)
    chat.looked(f"{scheme}-done")
    chat.look_beside()
    chat.page.locator("#history .picture").nth(3).wait_for()
    chat.page.locator("#search-words").fill("circle")
    sync_api.expect(chat.page.locator("#history .picture")).to_have_count(1)
    chat.looked(f"{scheme}-panel")
    assert not chat.is_wider_than_its_window()


def test_the_first_view_is_light(open_chat):
    """The first load of the page transfers less than 100 kB, all of it from the same server."""
    chat = open_chat()
    page = chat.context.new_page()
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(chat.address, wait_until="load")
    page.locator("#line").focus()
    whole = [one for one in answers if "/events" not in one.url]
    assert all(one.url.startswith(chat.address) for one in whole)
    assert len(whole) > 5
    assert sum(one.request.sizes()["responseBodySize"] for one in whole) < MOST_BYTES_OF_PAGE

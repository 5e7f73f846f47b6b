"""Forms of the web chat, as users fill them in: a real browser, the real program, the real demo model."""

import io

import pytest
from PIL import Image

from tests.e2e.conftest import LOOKS

sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright to drive a browser with")

CIRCLE = "a large red circle on a blue background"


def edited(chat, line):
    """Run a command line to its end and return the form that edits it."""
    chat.say(line)
    chat.button("Edit…", chat.ended(1))
    form = chat.page.get_by_role("form", name="Change and paint again")
    form.wait_for()
    return form


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_a_request_is_changed_and_painted_again(open_chat, width, scheme):
    """Edit… shows the parameters of a request; sending it with changes adds a new entry that keeps the unchanged values."""
    chat = open_chat(width, color_scheme=scheme)
    form = edited(chat, f"{CIRCLE} --steps 6 --seed 7 --no fog")
    prompt = form.get_by_role("textbox", name="prompt")
    sync_api.expect(prompt).to_be_focused()
    assert prompt.input_value() == CIRCLE
    sync_api.expect(form.get_by_role("textbox", name="negative")).to_have_value("fog")
    sync_api.expect(form.get_by_role("spinbutton", name="steps")).to_have_value("6")
    assert form.get_by_role("combobox", name="size").locator("~ datalist option").first.get_attribute("value") == "1:1"
    chat.looked(f"{scheme}-form")
    assert not chat.is_wider_than_its_window()
    prompt.fill("a small blue square on a yellow background")
    form.get_by_role("combobox", name="size").fill("128x64")
    chat.button("Paint", form)
    done = chat.ended(2)
    sync_api.expect(form).to_have_count(0)
    sync_api.expect(done).to_be_focused()
    assert done.locator(".line").inner_text() == "/edit a small blue square on a yellow background"
    assert "6 steps · seed 7" in done.locator(".status").inner_text()
    assert chat.painted(done).shape[:2] == (64, 128)
    chat.looked(f"{scheme}-form-done")


def test_a_form_keeps_what_was_typed(chat):
    """A refused form shows the error and keeps its values, even if Edit… is pressed again; closing it discards them."""
    form = edited(chat, f"{CIRCLE} --steps 2")
    form.get_by_role("spinbutton", name="steps").fill("600")
    chat.button("Paint", form)
    form.get_by_text("steps must be from 1 to 60; you wrote 600.").wait_for()
    chat.looked("form-refused")
    chat.button("Edit…", chat.entry(0))
    # The answer has arrived once the form has the focus: closed before, it would be opened again.
    sync_api.expect(form.get_by_role("textbox", name="prompt")).to_be_focused()
    sync_api.expect(form).to_have_count(1)
    sync_api.expect(form.get_by_role("spinbutton", name="steps")).to_have_value("600")
    chat.button("Close", form)
    sync_api.expect(form).to_have_count(0)
    sync_api.expect(chat.entry(0).get_by_role("button", name="Edit…")).to_be_focused()
    chat.button("Edit…", chat.entry(0))
    sync_api.expect(form.get_by_role("spinbutton", name="steps")).to_have_value("2")


def test_a_form_needs_no_pointer(open_chat):
    """A form can be opened, closed, filled in and sent by keyboard; Enter sends it, and Shift+Enter breaks a line."""
    chat = open_chat()
    chat.say(f"{CIRCLE} --steps 2 --size 64x64")
    keys, opener = chat.page.keyboard, chat.ended(1).get_by_role("button", name="Edit…")
    form = chat.page.get_by_role("form", name="Change and paint again")
    opener.press("Enter")
    form.wait_for()
    keys.press("Escape")
    sync_api.expect(form).to_have_count(0)
    sync_api.expect(opener).to_be_focused()
    keys.press("Enter")
    sync_api.expect(form.get_by_role("textbox", name="prompt")).to_be_focused()
    keys.press("Shift+Enter")
    keys.type("and a green star")
    keys.press("Tab")
    keys.type("fog")
    keys.press("Enter")
    assert chat.ended(2).locator("img.shown").get_attribute("alt") == f"{CIRCLE}\nand a green star"


def test_a_form_takes_a_picture(chat):
    """A picture chosen in the form becomes the source of the new request, and the next form shows it."""
    form = edited(chat, f"{CIRCLE} --steps 6")
    file = form.get_by_label("image")
    file.set_input_files({"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    chat.button("Paint", form)
    form.get_by_text("Pictures must be PNG, JPEG or WebP files.").wait_for()
    blue = io.BytesIO()
    Image.new("RGB", (128, 64), (30, 60, 200)).save(blue, "PNG")
    file.set_input_files({"name": "blue.png", "mimeType": "image/png", "buffer": blue.getvalue()})
    chat.looked("form-picture")
    chat.button("Paint", form)
    painted = chat.painted(chat.ended(2))
    assert painted.shape[1] == pytest.approx(2 * painted.shape[0], rel=0.1)
    chat.button("Edit…", chat.ended(2))
    form.get_by_text("kept unless you choose another").wait_for()
    assert form.get_by_role("img", name="Source").evaluate("(one) => one.decode().then(() => one.naturalWidth)") == 128
    chat.looked("form-kept")

"""Presets of the web chat, as users handle them: a real browser, the real program, the real demo model."""

import json

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright to drive a browser with")

PROMPT = "a large red {prompt} on a blue background"

FILE = json.dumps([{"name": "keepsake", "prompt": PROMPT, "negative_prompt": ""}])

DROP = """(line, [name, content]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([content], name));
  line.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
}"""


def test_presets_are_taken_in_and_handed_over(chat):
    """A preset file can be chosen in the form, added with the button or dropped, and an export contains exactly what was imported."""
    line, attach = chat.page.locator("#line"), chat.page.locator("#attach")
    came = chat.page.locator("#entries").get_by_text("1 preset imported.")
    sync_api.expect(attach).to_have_text("Add picture")
    line.fill("/preset import")
    sync_api.expect(attach).to_have_text("Add file")
    chat.press(chat.page.locator("#open-fields"))
    field = chat.page.get_by_label("file", exact=True)
    field.set_input_files({"name": "cat.png", "mimeType": "image/png", "buffer": b"meow"})
    chat.page.get_by_text("Preset files must end in .json or .csv.").wait_for()
    field.set_input_files({"name": "styles.json", "mimeType": "application/json", "buffer": FILE.encode()})
    sync_api.expect(chat.page.locator("#attached .role")).to_have_text("styles.json")
    sync_api.expect(chat.page.locator("#attached img")).to_be_hidden()
    assert line.input_value() == "/preset import"
    chat.looked("file")
    line.press("Enter")
    came.wait_for()
    line.fill("/preset_import")
    line.evaluate(DROP, ["styles.csv", "name,prompt,negative_prompt\nother,a green tree,\n"])
    sync_api.expect(chat.page.locator("#attached .role")).to_have_text("styles.csv")
    line.press("Enter")
    sync_api.expect(came).to_have_count(2)
    sync_api.expect(attach).to_have_text("Add picture")
    chat.say("/preset export")
    with chat.page.expect_download() as download:
        chat.press(chat.page.get_by_role("link", name="presets.json"))
    with open(download.value.path(), encoding="utf-8") as file:
        names = {one["name"]: one["prompt"] for one in json.load(file)["presets"]}
    assert names == {"keepsake": PROMPT, "other": "{prompt}, a green tree"}


def test_a_preset_asks_for_what_it_needs(chat):
    """/preset use without a name offers presets; a preset with an empty slot opens a form under its name that queues a job when sent."""
    chat.say("/preset use")
    chat.button("poster", chat.page.locator(".reply"))
    form = chat.page.get_by_role("form", name="poster")
    title = form.get_by_role("textbox", name="title")
    sync_api.expect(title).to_be_focused()
    chat.looked("slots")
    chat.button("Paint", form)
    form.get_by_text("poster needs title").wait_for()
    title.fill('a {red|red} "circle"')
    chat.button("Paint", form)
    done = chat.ended(1)
    sync_api.expect(form).to_have_count(0)
    assert done.locator("img.shown").get_attribute("alt").endswith("bold shapes, flat colours")

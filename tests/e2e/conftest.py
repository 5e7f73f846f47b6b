"""A browser for the page of the web chat, connected to the real program with the real demo model."""

import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.stores import ALL

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: The browser opens this page alone, so no background requests to other servers.
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

#: Generation is slow on a slow machine.
PATIENCE_MS = 90_000

#: Devices by width in CSS pixels: a phone with touch, and a desktop with keyboard and pointer.
WIDTHS = {
    390: {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    1280: {"viewport": {"width": 1280, "height": 800}},
}

#: The folder of screenshots for inspection; by default none are taken.
SCREENSHOTS = os.environ.get("EASEL_TEST_SCREENSHOTS")


#: Width and colour scheme of tests of the layout: all four combinations if everything is tested, otherwise two.
LOOKS = [(width, scheme) for width in WIDTHS for scheme in ("light", "dark")] if ALL else [(390, "light"), (1280, "dark")]


@pytest.fixture(scope="session")
def easel(tmp_path_factory):
    """Run one Easel for all tests that do not change its configuration; yield the URL of its page."""
    with served(tmp_path_factory.mktemp("easel")) as address:
        yield address


@contextmanager
def served(folder, settings=""):
    """Run Easel with additional configuration and yield the URL of its page."""
    config = folder / "easel.toml"
    config.write_text(
        f'[web]\nport = 0\n[store]\nurl = "sqlite+aiosqlite:///{folder / "easel.db"}"\n[files]\nurl = "{folder / "files"}"\n'
        f'[inference]\ndevices = ["cpu"]\n{settings}'
    )
    command = [sys.executable, "-m", "tests.forked_easel", "run", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            found = re.search(r"http://\S+", running.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def browser():
    """Start the browser."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright to drive a browser with")
    if CHROMIUM is None:
        pytest.skip("there is no chromium to open the page with")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


class Chat:
    """The page in its own browser context, that is, as a separate user."""

    def __init__(self, context, address, width):
        self.context = context
        self.address = address
        self.width = width
        self.is_touched = WIDTHS[width].get("has_touch", False)
        self.complaints = []
        self.page = self.opened()

    def opened(self):
        """Open the page in a new tab."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.goto(self.address)
        return page

    def say(self, line):
        """Type a line and send it: with the button on a phone, with Enter on a desktop."""
        self.page.locator("#line").fill(line)
        if self.is_touched:
            self.press(self.page.get_by_role("button", name="Send"))
        else:
            self.page.locator("#line").press("Enter")

    def press(self, what):
        """Tap an element on a phone, click it on a desktop."""
        if self.is_touched:
            what.tap()
        else:
            what.click()

    def button(self, name, within=None):
        """Press a button of the page, or within an element of it."""
        self.press((within or self.page).get_by_role("button", name=name, exact=True))

    def look_beside(self):
        """Show queue and history, which a phone hides behind a button."""
        if self.is_touched:
            self.button("Queue and history")

    def look_back(self):
        """Show the conversation again."""
        if self.is_touched:
            self.button("Close", self.page.locator("#panel"))

    def entry(self, number=-1):
        """Return the entry with an index; -1 is the last entry."""
        entries = self.page.locator("#entries > .entry")
        return entries.last if number == -1 else entries.nth(number)

    def ended(self, count):
        """Wait until `count` requests are done, and return the last entry of them."""
        self.page.locator("#entries > .entry[data-state=done]").nth(count - 1).wait_for()
        return self.page.locator("#entries > .entry[data-state=done]").nth(count - 1)

    def painted(self, entry, number=0):
        """Return the pixels of a picture in an entry."""
        source = entry.locator("img.shown").nth(number).get_attribute("src")
        file = self.context.request.get(self.address + source.lstrip("/")).body()
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)

    def looked(self, name):
        """Save a screenshot for inspection if a folder is set."""
        if SCREENSHOTS:
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{self.width}-{name}.png")

    def is_wider_than_its_window(self):
        """Return whether the page can be scrolled sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.fixture
def open_chat(browser, easel):
    """Return a function that opens the page as a new user; after the test, none of the pages may have logged a problem."""
    chats = []

    def opened(width=1280, **settings):
        chats.append(Chat(browser.new_context(**WIDTHS[width] | settings), easel, width))
        return chats[-1]

    yield opened
    for chat in chats:
        chat.context.close()
    # The browser logs each refused or failed request on its own; any other message is a fault of the page.
    assert not [one for chat in chats for one in chat.complaints if not one.startswith("Failed to load resource")]


@pytest.fixture(params=WIDTHS if ALL else [None])
def width(request):
    """Return the width of the device: tests of a file alternate between the two widths, or run with both if everything is tested."""
    tests = [name for name in vars(request.module) if name.startswith("test_")]
    return request.param or list(WIDTHS)[tests.index(request.function.__name__) % 2]


@pytest.fixture
def chat(open_chat, width):
    """Open the page on a phone or a desktop."""
    return open_chat(width)


@pytest.fixture(scope="session", autouse=True)
def _patience():
    """Let expectations wait as long as everything else: their own limit of five seconds is short for a busy machine."""
    for name in ("playwright.sync_api", "playwright.async_api"):
        pytest.importorskip(name, reason="there is no playwright to drive a browser with").expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
async def page():
    """Yield a page that logs no error, in a browser of its own: for a chat without an engine, which runs in the process of the test."""
    async_api = pytest.importorskip("playwright.async_api", reason="there is no playwright to drive a browser with")
    if CHROMIUM is None:
        pytest.skip("there is no chromium to open the page with")
    async with async_api.async_playwright() as playwright:
        started, complaints = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS), []
        opened = await started.new_page(viewport=WIDTHS[1280]["viewport"])
        opened.set_default_timeout(PATIENCE_MS)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        await started.close()
    assert complaints == []


async def said(page, line):
    """Type a line and send it."""
    await page.locator("#line").fill(line)
    await page.locator("#line").press("Enter")

"""A browser for the page of the web chat, and Easel behind it: the real program with the real demo model."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: The browser is for this page alone: it asks nobody else for anything.
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

#: A slow machine paints slowly.
PATIENCE_MS = 90_000

#: Where screenshots go, for people to look at; nowhere by default.
SCREENSHOTS = os.environ.get("EASEL_TEST_SCREENSHOTS")


@pytest.fixture(scope="module")
def easel(tmp_path_factory):
    """Run Easel and return the address of its page."""
    folder = tmp_path_factory.mktemp("easel")
    config = folder / "easel.toml"
    config.write_text(
        f'[web]\nport = 0\n[store]\nurl = "sqlite+aiosqlite:///{folder / "easel.db"}"\n[files]\nurl = "{folder / "files"}"\n'
        '[inference]\ndevices = ["cpu"]\n'
    )
    command = [sys.executable, "-m", "adapters.cli", "run", "--config", str(config)]
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
    """The page in a browser of its own, that is a person of its own."""

    def __init__(self, context, address):
        self.context = context
        self.address = address
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
        """Type a line and send it."""
        self.page.locator("#line").fill(line)
        self.page.locator("#line").press("Enter")

    def entry(self, number=-1):
        """Return the entry of a number; the last one has the number -1."""
        entries = self.page.locator("#entries > .entry")
        return entries.last if number == -1 else entries.nth(number)

    def ended(self, count):
        """Wait until so many requests are done, and return the last one's entry."""
        self.page.locator("#entries > .entry[data-state=done]").nth(count - 1).wait_for()
        return self.page.locator("#entries > .entry[data-state=done]").nth(count - 1)

    def painted(self, entry, number=0):
        """Return the pixels of a picture that an entry shows."""
        source = entry.locator("img.shown").nth(number).get_attribute("src")
        file = self.context.request.get(self.address + source.lstrip("/")).body()
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)

    def looked(self, name):
        """Keep a picture of the page for people to look at."""
        if SCREENSHOTS:
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    def is_wider_than_its_window(self):
        """Return whether one could scroll sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.fixture
def open_chat(browser, easel):
    """Return a function that opens the page for somebody new; at the end nothing may have gone wrong in any of them."""
    chats = []

    def opened(**settings):
        chats.append(Chat(browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | settings), easel))
        return chats[-1]

    yield opened
    for chat in chats:
        chat.context.close()
    # A browser logs every refused or failed request by itself; whatever else it says is a fault of the page.
    assert not [one for chat in chats for one in chat.complaints if not one.startswith("Failed to load resource")]

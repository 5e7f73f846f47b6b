"""Links to the chat with the bot that carry a line. Anyone can make such a link, so following it only shows something."""

import base64
import binascii

from adapters.shared.command_line import read_line
from bot.app import App
from bot.framework.command import Answer
from bot.framework.reply import MOST_WIRE, Button

#: Maximum payload of a link: this many letters, digits, `_` and `-`.
_MOST_PAYLOAD = 64

#: Commands that only show something to the caller, and commands that do so without any arguments.
_SHOWING = frozenset({"help", "queue", "quota", "history", "explain", "info", "original", "compare", "board", "preset_list", "preset_show"})
_SHOWING_BARE = frozenset({"settings", "settle", "me_export"})


def payload(line: str, app: App) -> str:
    """Return a line as a link payload; empty if it is too long, or would not be run."""
    packed = base64.urlsafe_b64encode(line.encode()).decode().rstrip("=")
    return packed if len(packed) <= _MOST_PAYLOAD and is_harmless(line, app) else ""


def unpacked(carried: str) -> str:
    """Return the line of a link payload, or an empty string if it is invalid."""
    try:
        line = base64.b64decode(carried.encode() + b"=" * (-len(carried) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return line if line.startswith("/") and line.isprintable() else ""


def is_harmless(line: str, app: App) -> bool:
    """Return whether a line changes nothing, no matter which user sends it."""
    said = read_line(line)
    name, words = app.named(said.command, said.words)
    return name in _SHOWING or (name in _SHOWING_BARE and not words.strip())


def offered(line: str, app: App) -> Button | None:
    """Return the button that generates the images for a line; `None` if it asks for no image, or no button holds it."""
    said = read_line(line)
    name, words = app.named(said.command, said.words)
    command = app.commands.get(name)
    if command is None or command.answer is not Answer.PUBLIC or command.free is None or not words.strip():
        return None
    wire = command.wire(**{command.free: words.strip()})
    return Button("form-paint", wire) if len(wire.encode()) <= MOST_WIRE else None

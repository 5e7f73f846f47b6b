"""Renders job views and replies for Telegram: a few lines of HTML, with all user text escaped, and rows of buttons."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardMarkupLimit, MessageLimit

from bot.commands.images import original
from bot.framework.reply import Button, Reply, Shown
from bot.views.job_card import JobView, in_order

#: The capacity of a message and a caption, in UTF-16 code units as Telegram counts them, after parsing the HTML.
MOST_TEXT, MOST_CAPTION = int(MessageLimit.MAX_TEXT_LENGTH), int(MessageLimit.CAPTION_LENGTH)

#: Maximum length of a user's text in a job view that still changes.
_MOST_WORDS = 300

#: Buttons of one row that a phone shows without cutting their labels, and of a row of the same button for several images.
_ROW, _NUMBERED_ROW = 3, 4

_MOST_BUTTONS = int(InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER)

#: Matches a mention of a user by name.
_CALL = re.compile(r"@(?=\w)")

#: A line is split at a blank if there is one in its last part.
_LAST_PART = 100


class StatusLine(NamedTuple):
    """A line and its label, which precedes it in bold."""

    said: str
    about: str = ""


def lines_of(card: JobView, note: str = "") -> list[StatusLine]:
    """Return the text lines of a job view."""
    # The status of a finished job contains the prompt too.
    words = [] if card.state == "done" and card.pictures else [StatusLine(_short(card.words))]
    return [*words, StatusLine(card.status), *([StatusLine(note)] if note else [])]


def html_of(card: JobView, note: str = "") -> str:
    """Return a job view as one message."""
    return pages(lines_of(card, note), MOST_TEXT)[0]


def reply_lines(reply: Reply) -> list[StatusLine]:
    """Return the text lines of a reply."""
    return [*(StatusLine(line) for line in reply.text.splitlines()), *(StatusLine(fact.told, fact.name) for fact in reply.facts)]


def pages(lines: Iterable[StatusLine], first: int, rest: int = MOST_TEXT) -> list[str]:
    """Return lines as HTML for as many messages as needed; the first holds `first` units, each other the `rest`."""
    made: list[list[StatusLine]] = [[]]
    room = first
    for line in lines:
        # Telegram itself turns a name into a mention; an invisible character prevents that.
        said, about = _CALL.sub("@\N{WORD JOINER}", line.said), line.about
        while True:
            ahead = (units(about) + 1 if about else 0) + (1 if made[-1] else 0)
            if ahead > room and made[-1]:
                made.append([])
                room = rest
                continue
            head, tail = _cut(said, room - ahead)
            if head or not said:
                made[-1].append(StatusLine(head, about))
                room -= ahead + units(head)
            if not tail:
                break
            made.append([])
            said, about, room = tail, "" if head else about, rest
    return ["\n".join(map(_html, page)) for page in made if page] or [""]


def units(said: str) -> int:
    """Return the length of a text as Telegram counts it."""
    return len(said) + sum(sign > "\uffff" for sign in said)


def keyboard_of(card: JobView) -> InlineKeyboardMarkup | None:
    """Return the buttons of a job view: with one image in a few rows, with several in a row of numbers for each action."""
    if len(card.pictures) == 1:
        (picture,) = card.pictures
        return keyboard(in_order((*card.buttons, *deeds(picture))))
    return markup([*rows(card.buttons), *numbered(card.pictures)])


def numbered(pictures: Sequence[Shown]) -> Iterator[list[InlineKeyboardButton]]:
    """Yield rows of the actions for each of several images."""
    for deed in zip(*(deeds(one) for one in pictures), strict=False):
        buttons = [_button(button, one.index + 1) for one, button in zip(pictures, deed, strict=True)]
        yield from (buttons[first : first + _NUMBERED_ROW] for first in range(0, len(buttons), _NUMBERED_ROW))


def keyboard(buttons: Iterable[Button]) -> InlineKeyboardMarkup | None:
    """Return buttons in rows."""
    return markup(rows(buttons))


def deeds(picture: Shown) -> tuple[Button, ...]:
    """Return the actions for an image. Telegram recompresses the visible photo, so the original file can be requested."""
    *first, last = (*picture.buttons,) or (None,)
    whole = original.button("button-original", picture=picture.id)
    return (*(one for one in first if one is not None), whole, *((last,) if last is not None else ()))


def rows(buttons: Iterable[Button]) -> list[list[InlineKeyboardButton]]:
    """Return buttons in rows, each button once."""
    some = [_button(one) for one in {button.wire: button for button in buttons}.values()]
    return [some[first : first + _ROW] for first in range(0, len(some), _ROW)]


def markup(rows: Iterable[list[InlineKeyboardButton]]) -> InlineKeyboardMarkup | None:
    """Return rows as the inline keyboard of a message; rows beyond its limit are left out."""
    kept: list[list[InlineKeyboardButton]] = []
    for row in rows:
        if sum(map(len, kept)) + len(row) <= _MOST_BUTTONS:
            kept.append(row)
    return InlineKeyboardMarkup(kept) if kept else None


def _button(button: Button, number: int | None = None) -> InlineKeyboardButton:
    label = button.said if number is None else f"{button.said} {number}"
    return InlineKeyboardButton(label, callback_data=button.wire)


def _short(words: str) -> str:
    return words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 1].rstrip()}…"


def _html(line: StatusLine) -> str:
    said = escape(line.said)
    return f"<b>{escape(line.about)}</b> {said}" if line.about else said


def _cut(said: str, most: int) -> tuple[str, str]:
    """Split a text so that its first part is not too long, at a blank if one is near."""
    if units(said) <= most:
        return said, ""
    end, length = 0, 0
    for sign in said:
        length += 1 + (sign > "\uffff")
        if length > most:
            break
        end += 1
    blank = said.rfind(" ", max(0, end - _LAST_PART), end)
    end = blank if blank > 0 else end
    return said[:end], said[end:].lstrip() if end else said

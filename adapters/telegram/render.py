"""Cards and replies as Telegram shows them: a few lines of HTML, in which nothing that people wrote has an effect, and rows of buttons."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardMarkupLimit, MessageLimit

from bot.commands.images import original
from bot.framework.reply import Button, Reply, Shown
from bot.views.buttons import in_order
from bot.views.job_card import JobView

#: What a message and a caption hold, in halves of UTF-16 as Telegram counts them, after its HTML was read.
MOST_TEXT, MOST_CAPTION = int(MessageLimit.MAX_TEXT_LENGTH), int(MessageLimit.CAPTION_LENGTH)

#: Of what a person wrote a card that still changes shows so much.
_MOST_WORDS = 300

#: Buttons of one row that a phone shows without cutting their words, and of a row of the same button for several pictures.
_ROW, _NUMBERED_ROW = 3, 4

_MOST_BUTTONS = int(InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER)

#: What calls somebody by their name.
_CALL = re.compile(r"@(?=\w)")

#: A line is parted at a blank where there is one in its last part.
_LAST_PART = 100


class StatusLine(NamedTuple):
    """A line, and what it is about, which stands before it in bold."""

    said: str
    about: str = ""


def lines_of(card: JobView, note: str = "") -> list[StatusLine]:
    """Return what a card says."""
    # The status of what is done says the words too.
    words = [] if card.state == "done" and card.pictures else [StatusLine(_short(card.words))]
    return [*words, StatusLine(card.status), *([StatusLine(note)] if note else [])]


def html_of(card: JobView, note: str = "") -> str:
    """Return a card as one message."""
    return pages(lines_of(card, note), MOST_TEXT)[0]


def reply_lines(reply: Reply) -> list[StatusLine]:
    """Return what a command says."""
    return [*(StatusLine(line) for line in reply.text.splitlines()), *(StatusLine(fact.told, fact.name) for fact in reply.facts)]


def pages(lines: Iterable[StatusLine], first: int, rest: int = MOST_TEXT) -> list[str]:
    """Return lines as HTML for as many messages as it takes; the first holds so much, each other the `rest`."""
    made: list[list[StatusLine]] = [[]]
    room = first
    for line in lines:
        # Telegram itself makes a call of a name; a sign that nobody sees keeps it from that.
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
    """Return how long Telegram thinks that a text is."""
    return len(said) + sum(sign > "\uffff" for sign in said)


def keyboard_of(card: JobView) -> InlineKeyboardMarkup | None:
    """Return what can be done with a request: with one picture in a few rows, with several in a row of numbers for each deed."""
    if len(card.pictures) == 1:
        (picture,) = card.pictures
        return keyboard(in_order((*card.buttons, *deeds(picture))))
    return markup([*rows(card.buttons), *numbered(card.pictures)])


def numbered(pictures: Sequence[Shown]) -> Iterator[list[InlineKeyboardButton]]:
    """Yield rows of what can be done with each of several pictures."""
    for deed in zip(*(deeds(one) for one in pictures), strict=False):
        buttons = [_button(button, one.index + 1) for one, button in zip(pictures, deed, strict=True)]
        yield from (buttons[first : first + _NUMBERED_ROW] for first in range(0, len(buttons), _NUMBERED_ROW))


def keyboard(buttons: Iterable[Button]) -> InlineKeyboardMarkup | None:
    """Return buttons in rows."""
    return markup(rows(buttons))


def deeds(picture: Shown) -> tuple[Button, ...]:
    """Return what can be done with a picture. What is seen was coded anew by Telegram, so the picture itself can be asked for."""
    *first, last = (*picture.buttons,) or (None,)
    whole = original.button("button-original", picture=picture.id)
    return (*(one for one in first if one is not None), whole, *((last,) if last is not None else ()))


def rows(buttons: Iterable[Button]) -> list[list[InlineKeyboardButton]]:
    """Return buttons in rows, each button once."""
    some = [_button(one) for one in {button.wire: button for button in buttons}.values()]
    return [some[first : first + _ROW] for first in range(0, len(some), _ROW)]


def markup(rows: Iterable[list[InlineKeyboardButton]]) -> InlineKeyboardMarkup | None:
    """Return rows as what hangs under a message; what it has no room for is left out."""
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
    """Part a text so that its first part is not too long, at a blank where that is near."""
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

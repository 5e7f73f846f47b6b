"""Forms as messages: the message shows the settings, buttons choose among values, and a reply to it brings text.

The message holds the whole form, so a user can continue it after a restart, and years later. The last values
are cached all the same: a user who replies twice in quick succession replies to a message without the first reply's value.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from string import hexdigits

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, MessageEntity

from adapters.telegram.render import MOST_TEXT, units
from bot.core.errors import BadInput
from bot.framework import binding
from bot.framework.params import Kind
from bot.framework.reply import MOST_WIRE, Asked, Form
from bot.i18n.translate import text

#: The wires of a form's buttons: its owner and the command that it submits, and the number of a field, with or without a value.
SEND, FIELD = "+", "~"

_OWNER = "."

#: Number of forms whose values are cached.
_MOST_FORMS = 1_000

_EVER = datetime.min.replace(tzinfo=UTC)

#: Stands for an empty value.
_NOTHING = "–"

#: A value appears in a message as code, and an empty value in italics.
_VALUE, _EMPTY = MessageEntity.CODE, MessageEntity.ITALIC

#: How a reply that names its fields begins.
_FLAG = re.compile(r"\s*(?:--|[—–])[^\W\d_]")

#: Values to choose from: how many, how many in a row, and how many between the ends of a range.
_MOST_VALUES, _ROW, _STEPS = 24, 3, 6


class Standing:
    """The values of recently changed forms."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], tuple[datetime, list[str]]] = {}

    def values(self, message: Message) -> list[str]:
        """Return the values of a form: as cached, unless another process has changed the message since."""
        changed, values = self._values.get((message.chat_id, message.message_id), (_EVER, []))
        return list(values) if changed >= (message.edit_date or message.date) else values_of(message)

    def put(self, message: Message, values: Sequence[str]) -> None:
        """Cache the values in the form of a message, as Telegram returned it."""
        self._values.pop((message.chat_id, message.message_id), None)
        self._values[message.chat_id, message.message_id] = (message.edit_date or message.date, list(values))
        while len(self._values) > _MOST_FORMS:
            del self._values[next(iter(self._values))]


def shown(form: Form, owner: int, values: Sequence[str] | None = None) -> tuple[str, InlineKeyboardMarkup]:
    """Return a form as HTML and buttons, with the current values of its fields, for its owner.

    Raises `BadInput` if the values do not fit.
    """
    fields = written(form)
    now = [one.value for one in fields] if values is None else values
    lines = [f"<b>{escape(form.title)}</b>"]
    lines += [f"{escape(one.name.capitalize())}: {_told(value)}" for one, value in zip(fields, now, strict=True)]
    lines.append(escape(text("telegram-form-answer")))
    if units("\n".join(lines)) > MOST_TEXT:
        raise BadInput("telegram-form-long")
    buttons = [InlineKeyboardButton(one.name.capitalize(), callback_data=f"{FIELD}{n}") for n, one in enumerate(fields)]
    rows = [buttons[first : first + _ROW] for first in range(0, len(buttons), _ROW)]
    return "\n".join(lines), InlineKeyboardMarkup([*rows, _last(form, owner)])


def choosing(form: Form, owner: int, number: int) -> InlineKeyboardMarkup | None:
    """Return buttons with the values of a field, or `None` if it takes free text."""
    found = [(value, data) for value in _offered(form, number) if len((data := f"{FIELD}{number}={value}").encode()) <= MOST_WIRE]
    if not found:
        return None
    buttons = [InlineKeyboardButton(value or _NOTHING, callback_data=data) for value, data in found[:_MOST_VALUES]]
    rows = [buttons[first : first + _ROW] for first in range(0, len(buttons), _ROW)]
    return InlineKeyboardMarkup([*rows, _last(form, owner)])


def written(form: Form) -> tuple[Asked, ...]:
    """Return the fields that can be typed: an image comes with a reply."""
    return tuple(one for one in form.fields if one.param.kind is not Kind.PICTURE)


def of(message: Message) -> tuple[int, str]:
    """Return the owner of the form in a message, and the command that it submits; `None` if it is no form."""
    markup = message.reply_markup
    carried = [str(button.callback_data or "") for row in (markup.inline_keyboard if markup else ()) for button in row]
    return next((sent(one) for one in carried if one.startswith(SEND)), (0, ""))


def sent(carried: str) -> tuple[int, str]:
    """Return the content of a form's submit button: its owner, and the command."""
    owner, _, wire = carried.removeprefix(SEND).partition(_OWNER)
    return int(owner, 16) if all(sign in hexdigits for sign in owner) and owner else 0, wire


def values_of(message: Message) -> list[str]:
    """Return the values shown in a form, in the order of its fields."""
    found = message.parse_entities([_VALUE, _EMPTY])
    return [said if entity.type == _VALUE else "" for entity, said in sorted(found.items(), key=lambda one: one[0].offset)]


def filled(form: Form, values: Sequence[str]) -> Mapping[str, str]:
    """Return values by the names of their fields; raises `BadInput` if the message belongs to another form."""
    fields = written(form)
    if len(fields) != len(values):
        raise BadInput("input-button")
    return {one.param.name: value for one, value in zip(fields, values, strict=True)}


def _offered(form: Form, number: int) -> Iterator[str]:
    fields = written(form)
    if number >= len(fields):
        return
    one = fields[number]
    param = one.param
    values = param.choices or one.offered
    if not values and param.kind in (Kind.WHOLE, Kind.REAL) and param.low is not None and param.high is not None:
        steps = [param.low + (param.high - param.low) * step / _STEPS for step in range(_STEPS + 1)]
        values = tuple(dict.fromkeys(f"{round(step)}" if param.kind is Kind.WHOLE else f"{step:.2g}" for step in steps))
    if values:
        yield from values
        if not param.required:
            yield ""


def _last(form: Form, owner: int) -> list[InlineKeyboardButton]:
    return [InlineKeyboardButton(text(form.send), callback_data=f"{SEND}{owner:x}{_OWNER}{form.wire}")]


def _told(value: str) -> str:
    return f"<code>{escape(value)}</code>" if value.strip() else f"<i>{_NOTHING}</i>"


def written_in(form: Form, values: Mapping[str, str], words: str) -> dict[str, str]:
    """Return a user's reply to a form, by parameter: flags by the names of their fields, and other words as the first text.

    Of fields named by users, the first empty field takes the reply as it is. Raises `BadInput` for a flag that is no field.
    """
    fields = written(form)
    named = [one.param.name for one in fields if one.label]
    if named and not _FLAG.match(words):
        return {next((one for one in named if not values[one]), named[0]): words.strip()}
    known = {one.name: one.param for one in fields}
    spoken = binding.parse_flags(words, tuple(dataclasses.replace(param, name=name) for name, param in known.items()))
    first = next((name for name, param in known.items() if param.kind is Kind.TEXT), None)
    said = spoken.words.strip()
    given = {**({first: said} if said and first is not None else {}), **spoken.given}
    return {known[name].name: value for name, value in given.items()}

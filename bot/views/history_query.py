"""What somebody looks for in their history: words, and filters between them.

| you write | it finds |
|---|---|
| `red circle` | pictures with both words in their prompt, in any order |
| `circ*` | words that begin with this |
| `model:demo` | pictures painted by this model |
| `preset:poster` | pictures painted with a preset of this name |
| `by:Ann` | another user's pictures in this chat; `by:me` finds all of yours |
| `seed:7` | pictures with this seed |
| `before:2026-11-20`, `before:7d` | pictures from before a date, or older than a number of days (`d`) or weeks (`w`) |
| `is:favourite`, `in:best` | your favourites, or those in one folder |
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from bot.core.errors import BadInput
from bot.store.images import search_terms
from bot.store.images.search import LEAST_BEGINNING
from inference.contract.model_info import MAX_SEED

#: A filter, its value perhaps in quotes, or a word. What follows a colon at once is meant for a filter, unless it is a link.
_PIECE = re.compile(r'(?<!\S)(?P<name>[^\W\d_]+):(?:["“„](?P<quoted>[^"“”]*)["“”](?!\S)|(?P<value>(?![/\s])\S+))|(?P<word>\S+)')

_AGO = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[dw])")
_DAYS = {"d": 1, "w": 7}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

#: What `is:` can say.
_MARKED = ("favourite", "favorite")

#: Of what is wrong so much is shown.
_LONGEST_SHOWN = 40


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. `words` are terms; `by` is empty for one's own; `marked`: only what one marked, with a `folder` in it alone."""

    words: tuple[str, ...] = ()
    model: str = ""
    preset: str = ""
    by: str = ""
    seed: int | None = None
    before: datetime | None = None
    marked: bool = False
    folder: str = ""

    @property
    def is_plain(self) -> bool:
        """Return whether only words are looked for."""
        return self == Query(words=self.words)


def read(said: str, moment: datetime) -> Query:
    """Return what is looked for at a moment. Raises `BadInput` for a filter that there is not, or that makes no sense."""
    values: dict[str, object] = {}
    words: list[str] = []
    for piece in _PIECE.finditer(said):
        if piece["name"] is None:
            words += _words(piece["word"])
            continue
        name = piece["name"].casefold()
        value = (piece["quoted"] if piece["value"] is None else piece["value"]).strip()
        for key, found in _filter(name, value, moment).items():
            if key in values and values[key] != found:
                raise BadInput("input-twice", name=f"{name}:")
            values[key] = found
    return msgspec.structs.replace(Query(words=tuple(dict.fromkeys(words))), **values)


def _words(piece: str) -> tuple[str, ...]:
    """Return the terms of a word as it was written; raises `BadInput` for a filter without a value."""
    if piece.endswith(":") and piece[:-1].casefold() in FILTERS:
        raise BadInput("input-filter-empty", name=piece[:-1].casefold())
    found = search_terms.begun(piece)
    if not piece.endswith("*") or not found:
        return search_terms.words_of(piece)
    if len(found[-1]) <= LEAST_BEGINNING:
        raise BadInput("input-beginning", least=LEAST_BEGINNING, given=piece[:_LONGEST_SHOWN])
    return found


def _filter(name: str, value: str, moment: datetime) -> dict[str, object]:
    if name not in FILTERS:
        raise BadInput("input-filter", given=name[:_LONGEST_SHOWN], offered=", ".join(f"{one}:" for one in FILTERS))
    if not value:
        raise BadInput("input-filter-empty", name=name)
    return FILTERS[name](value, moment)


def _seed(value: str, _moment: datetime) -> dict[str, object]:
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(MAX_SEED)) and int(value) <= MAX_SEED):
        raise BadInput("input-number", name="seed", given=value[:_LONGEST_SHOWN], low="0", high=str(MAX_SEED), whole="yes")
    return {"seed": int(value)}


def _before(value: str, moment: datetime) -> dict[str, object]:
    try:
        if ago := _AGO.fullmatch(value.casefold()):
            return {"before": moment - timedelta(days=int(ago["count"]) * _DAYS[ago["unit"]])}
        if _DAY.fullmatch(value):
            return {"before": datetime.fromisoformat(value).replace(tzinfo=UTC)}
    except ValueError:
        # A day that the calendar does not have.
        pass
    raise BadInput("input-filter-before", given=value[:_LONGEST_SHOWN])


def _is(value: str, _moment: datetime) -> dict[str, object]:
    if value.casefold() not in _MARKED:
        raise BadInput("input-choice", name="is:", given=value[:_LONGEST_SHOWN], offered=_MARKED[0])
    return {"marked": True}


#: The filters, and what each makes of its value.
FILTERS: Mapping[str, Callable[[str, datetime], dict[str, object]]] = {
    "model": lambda value, _: {"model": value},
    "preset": lambda value, _: {"preset": value.partition("@")[0]},
    "by": lambda value, _: {"by": value},
    "seed": _seed,
    "before": _before,
    "in": lambda value, _: {"marked": True, "folder": folder(value)},
    "is": _is,
}


def folder(said: str) -> str:
    """Return the name of a folder as it is kept: blanks are one blank, and quotes would end it where it is looked for."""
    return " ".join(re.sub(r'["“”„]', " ", said).split())

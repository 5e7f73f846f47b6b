"""Presets as files: Easel's own JSON, A1111's `styles.csv`, the JSON lists of Fooocus, and the CSV of InvokeAI.

The others know a name, a prompt with `{prompt}` in it, and a negative prompt. In A1111 a style without `{prompt}` follows the words
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features#styles); here words follow the template, so what has no
`{prompt}` gets one on its way in and out, and paints the same on both sides.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from bot.core.errors import BadInput
from bot.core.values import writable
from bot.presets.tables import MOST_LINES, Table, TooManyLines, UnreadableRow, decoded
from bot.presets.template import WORDS, Body, checked, named, one_word, plain, tag
from bot.prompting.grammar import MOST_CHARACTERS

Format = Literal["easel", "a1111", "fooocus", "invokeai"]

#: The maximum size of a file, and number of presets.
MOST_BYTES, MOST_PRESETS = 4_000_000, 1_000

_KEY = "easel_presets"

#: The maximum number of opening brackets in a JSON file, those in prompts included; a thousand presets have about 5,000.
_MOST_BRACKETS = 200_000

_SLOT_OF_WORDS = f"{{{WORDS}}}"

#: The beginnings of table cells that spreadsheets would take for formulas.
_RECKONED = ("=", "+", "-", "@", "\t", "\r")


class Carried(msgspec.Struct, frozen=True):
    """A preset in a file of any format."""

    name: str
    body: Body
    tags: tuple[str, ...] = ()


class Read(msgspec.Struct, frozen=True):
    """The content of a file: its presets, and the names of those that could not be read, each with its problem."""

    presets: tuple[Carried, ...]
    refused: tuple[tuple[str, BadInput], ...] = ()


def files(presets: Sequence[Carried], form: Format) -> tuple[tuple[str, bytes], ...]:
    """Return presets as named files that `read` accepts; nearly always one file."""
    parts = _parts(presets, form)
    if len(parts) == 1:
        return parts
    numbered = ((*name.rpartition(".")[::2], data) for name, data in parts)
    return tuple((f"{stem}-{number}.{kind}", data) for number, (stem, kind, data) in enumerate(numbered, 1))


def _parts(presets: Sequence[Carried], form: Format) -> tuple[tuple[str, bytes], ...]:
    name, data = written(presets, form)
    if len(presets) > 1 and (len(presets) > MOST_PRESETS or len(data) > MOST_BYTES):
        half = len(presets) // 2
        return (*_parts(presets[:half], form), *_parts(presets[half:], form))
    return ((name, data),)


def written(presets: Sequence[Carried], form: Format) -> tuple[str, bytes]:
    """Return a file's name and content. Formats without settings contain only prompts."""
    if form == "easel":
        plain = [{"name": one.name, **_plain(one.body), "tags": list(one.tags)} for one in presets]
        return "presets.json", json.dumps({_KEY: 1, "presets": plain}, ensure_ascii=False, indent=2).encode()
    rows = [{"name": one.name, "prompt": _outward(one.body.prompt), "negative_prompt": one.body.negative} for one in presets]
    if form == "fooocus":
        return "sdxl_styles_easel.json", json.dumps(rows, ensure_ascii=False, indent=4).encode()
    file = io.StringIO(newline="")
    table = csv.DictWriter(file, ["name", "prompt", "negative_prompt"])
    table.writeheader()
    table.writerows({name: f" {cell}" if cell.startswith(_RECKONED) else cell for name, cell in row.items()} for row in rows)
    # A1111 writes and expects a byte-order mark.
    return ("styles.csv", file.getvalue().encode("utf-8-sig")) if form == "a1111" else ("presets.csv", file.getvalue().encode())


def read(data: bytes) -> Read:
    """Return the presets in a file of any of the formats. Raises `BadInput` for other files."""
    if len(data) > MOST_BYTES:
        raise BadInput("input-presets-large", most=MOST_BYTES)
    words = decoded(data)
    if words is None:
        raise BadInput("input-presets-format")
    rows = _json_rows(words) if words.lstrip()[:1] in ("{", "[") else _table_rows(words)
    found: list[Carried] = []
    refused: list[tuple[str, BadInput]] = []
    for number, row in enumerate(rows):
        if number >= MOST_PRESETS:
            raise BadInput("input-presets-many", most=MOST_PRESETS)
        if isinstance(row, UnreadableRow):
            name = str(row)[:_LONGEST_NAME]
            refused.append((name, BadInput("input-preset-quote", given=name)))
            continue
        try:
            found.append(_carried(row))
        except BadInput as error:
            refused.append((str(row.get("name", ""))[:_LONGEST_NAME], error))
    if not (found or refused):
        raise BadInput("input-presets-format")
    return Read(tuple(found), tuple(refused))


#: Characters of a name that an error message repeats.
_LONGEST_NAME = 40


def _plain(body: Body) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(body).items() if value}


def _outward(template: str) -> str:
    """Return a template for programs that know one slot, and whose default place for the user's text differs from Easel's."""
    prompt = plain(template)
    if _SLOT_OF_WORDS in prompt:
        return prompt
    return f"{prompt}, {_SLOT_OF_WORDS}" if prompt.strip() else _SLOT_OF_WORDS


def _inward(prompt: str) -> str:
    return prompt if _SLOT_OF_WORDS in prompt else f"{_SLOT_OF_WORDS}, {prompt}" if prompt.strip() else ""


def _json_rows(words: str) -> Iterator[Mapping[str, Any]]:
    if words.count("[") + words.count("{") > _MOST_BRACKETS:
        raise BadInput("input-presets-format")
    try:
        # Numbers too large for a float could be neither stored nor compared.
        found = json.loads(words, parse_constant=_refuse, parse_int=_whole)
    except (ValueError, RecursionError):
        raise BadInput("input-presets-format") from None
    is_own = isinstance(found, dict) and _KEY in found
    rows = found.get("presets") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadInput("input-presets-format")
    if len(rows) > MOST_PRESETS:
        raise BadInput("input-presets-many", most=MOST_PRESETS)
    # Unpaired surrogates can only come from escapes in JSON.
    yield from ({**json.loads(writable(json.dumps(row, ensure_ascii=False))), "": is_own} for row in rows)


def _table_rows(words: str) -> Iterator[Mapping[str, Any] | UnreadableRow]:
    try:
        table = Table(words, (frozenset({"name"}), frozenset({"prompt", "positive_prompt", "text"})))
    except ValueError:
        raise BadInput("input-presets-format") from None
    try:
        for row in table.rows():
            # A1111 uses rows without a prompt as headings of groups.
            if isinstance(row, UnreadableRow) or any(cell.strip() for name, cell in row.items() if name != "name"):
                yield row
    except TooManyLines:
        raise BadInput("input-presets-lines", most=MOST_LINES) from None


def _carried(row: Mapping[str, Any]) -> Carried:
    """Return a row as a preset; raises `BadInput`."""
    name = _named(_text(row, "name"))
    own = row.get("") is True
    prompt = _text(row, "prompt", "positive_prompt", "text")
    body = {
        "prompt": prompt if own else _inward(prompt),
        "negative": _without_slot(_text(row, "negative", "negative_prompt")),
        **({one: row[one] for one in ("settings", "locked", "most") if one in row} if own else {}),
    }
    try:
        tags = msgspec.convert(row.get("tags") or [], tuple[str, ...]) if own else ()
        return Carried(name, checked(msgspec.convert(body, Body)), tuple(filter(None, map(tag, tags[:_MOST_TAGS]))))
    except msgspec.ValidationError:
        raise BadInput("input-preset-row", given=name) from None


def _without_slot(negative: str) -> str:
    """Return a negative prompt without `{prompt}`, where A1111 puts the user's own negative prompt: here it follows anyway."""
    if _SLOT_OF_WORDS not in negative:
        return negative
    return ", ".join(part for one in negative.replace(_SLOT_OF_WORDS, "").split(",") if (part := " ".join(one.split())))


#: The maximum number of tags of a preset.
_MOST_TAGS = 8


def _named(said: str) -> str:
    """Return a name of another program as one word; raises `BadInput` if nothing is left of it."""
    try:
        return named(said)
    except BadInput:
        return named(one_word(said)[:_LONGEST].strip("-_"))


#: The maximum characters of another program's name that are kept.
_LONGEST = 32


def _text(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of these columns that a row has; raises `BadInput` if it is no text, or too long."""
    said = next((row[name] for name in names if row.get(name) is not None), "")
    if not isinstance(said, str):
        raise BadInput("input-preset-row", given=str(row.get("name", ""))[:_LONGEST_NAME])
    if len(said) > MOST_CHARACTERS:
        raise BadInput("input-long", name=names[0], most=MOST_CHARACTERS, given=len(said))
    return said.replace("\x00", "").strip()


def _refuse(said: str) -> object:
    raise ValueError(said)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 16 else float(digits[:300])

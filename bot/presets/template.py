"""Presets: prompt templates with slots, their settings, and what users of a preset may change.

A slot is a name in braces: `a poster of {title}`, with a default `{title=a cat}`. `{prompt}` is the place of the text that a user
writes besides the slots; without it the text follows the template, after a comma. Everything else in braces is prompt grammar.
"""

import re
import unicodedata
from collections.abc import Mapping

import msgspec

from bot.core import limits
from bot.core.errors import BadInput
from bot.core.values import Given
from bot.framework.binding import Raw
from bot.generation.fields import LIMITED, LOCKABLE, PRESET_SETTINGS, WHOLE
from bot.generation.resolve import Layer
from bot.prompting import grammar
from bot.prompting.grammar import escape

#: Not a valid name of a preset: it means to paint without one.
NO_PRESET = "none"

#: The maximum characters of a name, and of a tag.
_LONGEST_NAME, _LONGEST_TAG = 32, 40

#: The slot for the text that is written besides the others.
WORDS = "prompt"

_SLOT = re.compile(r"(?<!\\)\{(?P<name>[a-z][a-z0-9_]{0,31})(?:=(?P<usual>[^{}|]*))?\}")

#: A slot's value in words: `title:"Blade Runner"`, `title:cat`, with `=` as well, and as a phone writes it: `Title: cat`.
_FILLED = re.compile(r"(?<!\S)(?P<name>[A-Za-z][A-Za-z0-9_]{0,31})[:=] ?(?:[\"“„](?P<quoted>[^\"“”„]*)[\"“”]|(?P<word>\S+))")

#: Syntax at the edges of a bracket of the template: `(-` and `:1.3)`.
_EDGE = re.compile(r"\A-|:(?=\s*[+-]?[\d.]+\s*\Z)")

#: The placeholder of a value until it is inserted; no text can contain it.
_KEPT = re.compile(r"\x00([a-z0-9_]+)\x00")

#: A name in braces that is no slot: the input picture.
_NOT_A_SLOT = frozenset({"image"})


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of one version of a preset. Users cannot change the fields in `locked`; `most` are upper limits for the others."""

    prompt: str = ""
    negative: str = ""
    settings: dict[str, str | int | float] = {}
    locked: tuple[str, ...] = ()
    most: dict[str, float] = {}

    @property
    def slots(self) -> dict[str, str | None]:
        """Return the slots of the template in order, each with its default, or None if it must be filled."""
        found: dict[str, str | None] = {}
        for one in _SLOT.finditer(self.prompt):
            if one["name"] not in _NOT_A_SLOT and found.get(one["name"]) is None:
                found[one["name"]] = one["usual"]
        return found


class Use(msgspec.Struct, frozen=True):
    """A preset in use: its name, version and content. `reference` names it permanently in stored parameters."""

    id: str
    name: str
    version: int
    body: Body

    @property
    def reference(self) -> str:
        """Return name, version and id as one text."""
        return f"{self.name}@{self.version}#{self.id}"

    @property
    def standing(self) -> str:
        """Return the reference used in settings: always the newest version, and never another preset of the same name."""
        return f"{self.name}#{self.id}" if self.id else self.name


def named(said: str) -> str:
    """Return the stored form of a name: one word, so that text can follow it. Raises `BadInput` for an invalid name."""
    name = unicodedata.normalize("NFC", said)
    if name.casefold() == NO_PRESET:
        raise BadInput("input-preset-none")
    if not (0 < len(name) <= _LONGEST_NAME and name[0].isalnum() and all(one == "-" or _is_part(one) for one in name)):
        raise BadInput("input-preset-name", given=said[:_LONGEST_SHOWN])
    return name


def key_of(name: str) -> str:
    """Return the form of a name that is used for lookup. Raises `BadInput` for an invalid name."""
    return folded(named(name))


def folded(said: str) -> str:
    """Return a name, or the beginning of one, normalised for comparison: case-folded, with accents in one form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", said).casefold())


def one_word(said: str) -> str:
    """Return words joined into one, with `-` in place of everything between them."""
    letters = (one if _is_part(one) else " " for one in unicodedata.normalize("NFC", said))
    return "-".join("".join(letters).split())


def tag(said: str) -> str:
    """Return the stored form of a tag: one word, because spaces separate tags."""
    return one_word(said.casefold())[:_LONGEST_TAG].strip("-")


def _is_part(sign: str) -> bool:
    """Return whether a character is part of a word: in many scripts vowels are marks on letters."""
    return sign.isalnum() or sign == "_" or unicodedata.category(sign) in ("Mn", "Mc")


#: Characters of wrong input that an error message repeats.
_LONGEST_SHOWN = 40


def split(words: str) -> tuple[str, str]:
    """Return the name at the beginning of a text, and the rest of the text."""
    name, *rest = words.split(maxsplit=1) or [""]
    return name, "".join(rest).strip()


def applied(use: Use, given: Raw, slots: Mapping[str, str] | None = None) -> tuple[dict[str, Given], Layer]:
    """Return the given values with the filled template as prompt, and the preset's settings as a layer below them.

    `slots` are values from a form, which are then not searched for in the text. Raises `BadInput` if a locked field was given, a value
    is above its limit, or a slot stays empty.
    """
    body = use.body
    changed: dict[str, Given] = {name: value for name, value in given.items() if value != "" and name != "preset"}
    # Whether the template takes a text at all is checked when it is filled.
    own = {name: value for name, value in changed.items() if name == WORDS or str(value) != str(body.settings.get(name, ""))}
    keep(use, own, also_words=False)
    changed[WORDS] = filled(use, str(changed.get(WORDS, "")), slots)
    layer: dict[str, Given] = {**body.settings, "preset": use.reference}
    if body.negative:
        # The negative prompts of the preset and of the user are combined.
        layer["negative"] = body.negative
        if "negative" in changed:
            changed["negative"] = f"{body.negative}, {changed['negative']!s}"
    return changed, Layer("preset", layer)


def keep(use: Use, changes: Mapping[str, Given], *, also_words: bool = True) -> None:
    """Raise `BadInput` if a value belongs to a locked field, or is above a limit of the preset."""
    for name in use.body.locked:
        if name in changes and (name != WORDS or also_words):
            raise BadInput("input-preset-locked", name=name, preset=use.name)
    if "negative" in use.body.locked and grammar.read(str(changes.get(WORDS, ""))).negative.text:
        raise BadInput("input-preset-locked", name="negative", preset=use.name)
    for name, most in use.body.most.items():
        if name in changes and _number(changes[name]) > most:
            raise BadInput("input-preset-most", name=name, most=most, preset=use.name)


def bounded(use: Use, values: Mapping[str, Given]) -> dict[str, Given]:
    """Return saved settings reduced to the preset's limits, without its locked fields."""
    kept = {name: value for name, value in values.items() if name not in use.body.locked}
    return {name: min(_number(value), use.body.most[name]) if name in use.body.most else value for name, value in kept.items()}


def taken(body: Body, words: str) -> tuple[dict[str, str], str]:
    """Return the slot values in a text, and the rest of the text."""
    values: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        name = found["name"].casefold()
        if name not in body.slots or name == WORDS:
            return found[0]
        values[name] = found["quoted"] if found["quoted"] is not None else found["word"]
        return ""

    return values, " ".join(_FILLED.sub(take, words).split()) if body.slots else words.strip()


def filled(use: Use, words: str, asked: Mapping[str, str] | None = None) -> str:
    """Return a preset's template with its slots filled from a text; values in `asked` are inserted literally.

    Raises `BadInput` if a value is missing, or a text has no place.
    """
    slots = use.body.slots
    values, rest = taken(use.body, words) if asked is None else (_as_words(asked), words.strip())
    if WORDS in use.body.locked and rest:
        raise BadInput("input-preset-words", preset=use.name, slots=_told(slots))
    missing = [name for name, usual in slots.items() if not values.get(name) and usual is None and name != WORDS]
    if missing:
        raise BadInput("input-preset-slot", preset=use.name, name=missing[0])
    if WORDS in slots:
        values[WORDS] = rest or slots[WORDS] or ""
    made = _SLOT.sub(lambda one: _value(one, values), use.body.prompt)
    if WORDS not in slots and rest:
        made = f"{made}, {rest}" if made.strip() else rest
    # Values from a form are inserted after everything else is tidied.
    return _KEPT.sub(lambda one: values[one[1]], _tidy(made))


def plain(template: str) -> str:
    """Return a template whose only slot is `{prompt}`: the others are replaced by their defaults, or else by their names."""
    slots = Body(prompt=template).slots

    def usual(slot: re.Match[str]) -> str:
        name = slot["name"]
        if name in (WORDS, *_NOT_A_SLOT):
            return f"{{{name}}}"
        return slot["usual"] or "" if slots[name] is not None else name.replace("_", " ")

    return _SLOT.sub(usual, template)


def _as_words(asked: Mapping[str, str]) -> dict[str, str]:
    """Return values escaped, so that the prompt grammar finds no syntax in them."""
    return {name: _EDGE.sub(r"\\\g<0>", escape(value)) for name, value in asked.items() if value.strip()}


def _value(slot: re.Match[str], values: Mapping[str, str]) -> str:
    """Return the replacement of a slot: for a value a placeholder, so that tidying does not change it."""
    if slot["name"] in _NOT_A_SLOT:
        return slot[0]
    value = values.get(slot["name"])
    return (f"\x00{slot['name']}\x00" if slot["name"] != WORDS else value) if value else slot["usual"] or ""


def _tidy(words: str) -> str:
    """Return a text without the commas and spaces that an empty slot leaves behind."""
    lines = (re.sub(r"\s*,(?:\s*,)+", ",", line).strip(" ,") for line in words.splitlines())
    return "\n".join(lines).strip()


def _told(slots: Mapping[str, str | None]) -> str:
    return ", ".join(name for name in slots if name != WORDS)


def _number(value: Given) -> float:
    """Return a value as a number, or None; another check refuses values that are no numbers."""
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return 0.0


def checked(body: Body) -> Body:
    """Return a consistent body. Raises `BadInput` with the inconsistency."""
    for name in body.settings:
        if name not in PRESET_SETTINGS:
            raise BadInput("input-choice", name="settings", given=name[:_LONGEST_SHOWN], offered=", ".join(PRESET_SETTINGS))
    for what, names, known in (("lock", body.locked, LOCKABLE), ("most", tuple(body.most), LIMITED)):
        if wrong := [name for name in names if name not in known]:
            raise BadInput("input-choice", name=what, given=wrong[0][:_LONGEST_SHOWN], offered=", ".join(known))
    for name, most in body.most.items():
        if not limits.is_one(name, most, WHOLE):
            raise BadInput("input-preset-ceiling", given=f"{name}={most:g}")
        if _number(body.settings.get(name, 0)) > most:
            raise BadInput("input-preset-over", name=name, most=most)
    if not (body.prompt.strip() or body.negative.strip() or body.settings):
        raise BadInput("input-preset-empty")
    return body

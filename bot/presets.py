"""Presets: prompt templates with slots, settings that go with them, and what of it others may change.

A slot is a name in braces: `a poster of {title}`, with a default `{title=a cat}`. `{prompt}` is where the words go that somebody
writes beside the slots; without it they follow the template, after a comma. Everything else in braces is the prompt grammar's.
"""

import re
from collections.abc import Mapping

import msgspec

from bot.bind import Raw
from bot.ceilings import BOUNDED
from bot.errors import BadInput
from bot.layers import Layer
from bot.prompt import escape
from bot.values import Given

#: What a preset can be called; a name is one word, so that words can follow it.
NAME = re.compile(r"[^\W_][\w-]{0,31}")

#: What can be settled in a preset, beside its words.
SETTINGS = ("steps", "guidance", "size", "count", "model", "scheduler", "strength")

#: What can be held at the preset's own value.
LOCKABLE = (*SETTINGS, "prompt", "negative", "seed")

#: The slot of the words that are written beside the others.
WORDS = "prompt"

_SLOT = re.compile(r"(?<!\\)\{(?P<name>[a-z][a-z0-9_]{0,31})(?:=(?P<usual>[^{}|]*))?\}")

#: A slot's value in words: `title:"Blade Runner"`, `title:cat`, with `=` as well.
_FILLED = re.compile(r"(?<!\S)(?P<name>[a-z][a-z0-9_]{0,31})[:=](?:[\"“„](?P<quoted>[^\"“”„]*)[\"“”]|(?P<word>\S+))")

#: What means something at the edge of a bracket that the template has: `(-` and `:1.3)`.
_EDGE = re.compile(r"\A-|:(?=\s*[+-]?[\d.]+\s*\Z)")

#: Stands for a value until it is put in; no text can hold it by itself.
_KEPT = re.compile(r"\x00([a-z0-9_]+)\x00")

#: What is no slot though it is a name in braces: the picture.
_NOT_A_SLOT = frozenset({"image"})


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a preset is in one version. `locked` stays as it is, whoever uses it; `most` are ceilings of what may be changed."""

    prompt: str = ""
    negative: str = ""
    settings: dict[str, str | int | float] = {}
    locked: tuple[str, ...] = ()
    most: dict[str, float] = {}

    @property
    def slots(self) -> dict[str, str | None]:
        """Return the slots of the template in their order, each with its default; None where it has to be filled."""
        found: dict[str, str | None] = {}
        for one in _SLOT.finditer(self.prompt):
            if one["name"] not in _NOT_A_SLOT and found.get(one["name"]) is None:
                found[one["name"]] = one["usual"]
        return found


class Use(msgspec.Struct, frozen=True):
    """A preset as it is used: its name and version, and what is in it. `reference` is how a wish names it for ever."""

    id: str
    name: str
    version: int
    body: Body

    @property
    def reference(self) -> str:
        """Return name, version and id as one text."""
        return f"{self.name}@{self.version}#{self.id}"


def key_of(name: str) -> str:
    """Return a name as it is looked for. Raises `BadInput` for one that no preset can have."""
    if not NAME.fullmatch(name):
        raise BadInput("input-preset-name", given=name[:_LONGEST_SHOWN])
    return name.casefold()


#: Of what is wrong so much is shown.
_LONGEST_SHOWN = 40


def split(words: str) -> tuple[str, str]:
    """Return the name that words begin with, and the words after it."""
    name, *rest = words.split(maxsplit=1) or [""]
    return name, "".join(rest).strip()


def applied(use: Use, given: Raw, slots: Mapping[str, str] | None = None) -> tuple[dict[str, Given], Layer]:
    """Return what was given with the template filled in, and the preset's settings as a layer beneath it.

    `slots` are values that were asked for, which are not looked for in the words then. Raises `BadInput` where something that is
    locked was given, is over its ceiling, or a slot stays empty.
    """
    body = use.body
    changed: dict[str, Given] = {name: value for name, value in given.items() if value != "" and name != "preset"}
    for name in body.locked:
        if name in changed and name != WORDS and str(changed[name]) != str(body.settings.get(name, "")):
            raise BadInput("input-preset-locked", name=name, preset=use.name)
    for name, most in body.most.items():
        if name in changed and _number(changed[name]) > most:
            raise BadInput("input-preset-most", name=name, most=most, preset=use.name)
    changed[WORDS] = filled(use, str(changed.get(WORDS, "")), slots)
    layer: dict[str, Given] = {**body.settings, "preset": use.reference}
    if body.negative:
        # Both are kept out: what the preset keeps out, and what was said besides.
        layer["negative"] = body.negative
        if "negative" in changed:
            changed["negative"] = f"{body.negative}, {changed['negative']!s}"
    return changed, Layer("preset", layer)


def bounded(use: Use, values: Mapping[str, Given]) -> dict[str, Given]:
    """Return values that people settled, no higher than a preset's ceilings; what it locks they do not touch."""
    kept = {name: value for name, value in values.items() if name not in use.body.locked}
    return {name: min(_number(value), use.body.most[name]) if name in use.body.most else value for name, value in kept.items()}


def taken(body: Body, words: str) -> tuple[dict[str, str], str]:
    """Return the values that words name for slots, and the words that are left."""
    values: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        if found["name"] not in body.slots or found["name"] == WORDS:
            return found[0]
        values[found["name"]] = found["quoted"] if found["quoted"] is not None else found["word"]
        return ""

    return values, " ".join(_FILLED.sub(take, words).split()) if body.slots else words.strip()


def filled(use: Use, words: str, asked: Mapping[str, str] | None = None) -> str:
    """Return a preset's template with its slots filled from words; what was `asked` for stands there as it is, whatever signs are in it.

    Raises `BadInput` for what is missing, or does not belong.
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
    # What was asked for is put in when all else is tidied up.
    return _KEPT.sub(lambda one: values[one[1]], _tidy(made))


def _as_words(asked: Mapping[str, str]) -> dict[str, str]:
    """Return values written so that the prompt's grammar finds nothing in them."""
    return {name: _EDGE.sub(r"\\\g<0>", escape(value)) for name, value in asked.items() if value.strip()}


def _value(slot: re.Match[str], values: Mapping[str, str]) -> str:
    """Return what stands in the place of a slot: of a value only where it is to be, for it is nothing to be tidied up."""
    if slot["name"] in _NOT_A_SLOT:
        return slot[0]
    value = values.get(slot["name"])
    return (f"\x00{slot['name']}\x00" if slot["name"] != WORDS else value) if value else slot["usual"] or ""


def _tidy(words: str) -> str:
    """Return words without the commas and blanks that an empty slot leaves behind."""
    lines = (re.sub(r"\s*,(?:\s*,)+", ",", line).strip(" ,") for line in words.splitlines())
    return "\n".join(lines).strip()


def _told(slots: Mapping[str, str | None]) -> str:
    return ", ".join(name for name in slots if name != WORDS)


def _number(value: Given) -> float:
    """Return a value as a number; what is none is nobody's to bound, and refused where it is read."""
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return 0.0


def checked(body: Body) -> Body:
    """Return a body that makes sense as a whole. Raises `BadInput` with what does not."""
    for name in body.settings:
        if name not in SETTINGS:
            raise BadInput("input-choice", name="settings", given=name[:_LONGEST_SHOWN], offered=", ".join(SETTINGS))
    for what, names, known in (("lock", body.locked, LOCKABLE), ("most", tuple(body.most), BOUNDED)):
        if wrong := [name for name in names if name not in known]:
            raise BadInput("input-choice", name=what, given=wrong[0][:_LONGEST_SHOWN], offered=", ".join(known))
    if not (body.prompt.strip() or body.negative.strip() or body.settings):
        raise BadInput("input-preset-empty")
    return body

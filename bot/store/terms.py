"""What search finds things by: the words of a text as they are compared, and marks for what else is known of a picture or a preset.

Both databases are given the same terms, so that they find the same. A term has no blanks; a mark begins with a sign that no word has.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

#: Marks: who made it, on which shelf it stands, and which model, preset and seed a picture was painted with.
PERSON, SHELF, MODEL, PRESET, SEED = "@", "^", "=", "+", "#"

#: At its end, a word stands for all that begin like it.
BEGINNING = "*"

#: Beginnings of so many letters SQLite's index knows by themselves: others it would put together from all words that begin so.
BEGINNINGS = (3, 5)

#: A word has no more characters than this, nor a mark more than that; what is longer is compared up to here.
_LONGEST, _LONGEST_MARK = 40, 80

#: Accents of letters: whoever looks for a cafe finds a café.
_ACCENTS = re.compile("[\u0300-\u036f]")

#: Signs of ASCII that stand in no mark: the databases would take some of them for their own.
_UNMARKED = re.compile(r"[\x00-,./:-@\[-^`{-\x7f]|\s")

#: Writing without blanks between words: there every character is a term.
_UNPARTED = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA")

#: Endings of several that take two letters more than those of one.
_LONG_PLURALS = ("ches", "shes", "sses", "xes", "zes")

#: Questions: every group has to be met, by one of its terms at least.
Groups = Sequence[Sequence[str]]


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared, each once: without case, accents and the s of several."""
    bare = unicodedata.normalize("NFKC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text.replace("\0", "").casefold())))
    found: list[str] = []
    run = ""
    for sign in bare:
        kind = _kind(sign)
        if kind == "part":
            run += sign
            continue
        found += [run, sign] if kind == "alone" else [run]
        run = ""
    return tuple(dict.fromkeys(_single(one[:_LONGEST]) for one in (*found, run) if one))


def mark(sign: str, value: str) -> str:
    """Return a mark such as `=demo`."""
    return sign + _UNMARKED.sub("_", value.casefold())[:_LONGEST_MARK]


def of_picture(words: str, model: str, preset: str, seed: int) -> str:
    """Return what a picture is found by; `preset` is empty where it was painted without one."""
    marks = [mark(MODEL, model), mark(SEED, str(seed)), *([mark(PRESET, preset)] if preset else ())]
    return " ".join((*words_of(words), *marks))


def preset_of(wish: str) -> str:
    """Return the name of the preset that a wish as it is kept says it was painted with, or nothing."""
    try:
        said = msgspec.json.decode(wish, type=_Named).preset
    except (msgspec.MsgspecError, ValueError):
        return ""
    return (said or "").partition("#")[0].partition("@")[0]


class _Named(msgspec.Struct):
    """Of a wish only this."""

    preset: str | None = None


def of_preset(name: str, tags: Iterable[str], words: str) -> str:
    """Return what a preset is found by: its name, its tags and its prompt."""
    return " ".join(words_of(" ".join((name, *tags, words))))


def match(groups: Groups) -> str:
    """Return a question in the words of SQLite's FTS5. Of beginnings it may find too much; `unsure` says of which."""
    return " AND ".join(f"({' OR '.join(_quoted(_indexed(one), chr(34), ' *') for one in group)})" for group in groups)


def unsure(groups: Groups) -> tuple[str, ...]:
    """Return the beginnings, without their stars, that SQLite's index does not know as long as they are."""
    beginnings = (one for group in groups for one in group if one.endswith(BEGINNING))
    return tuple(one.removesuffix(BEGINNING) for one in beginnings if _indexed(one) != one)


def tsquery(groups: Groups) -> str:
    """Return a question in the words of PostgreSQL."""
    return " & ".join(f"({' | '.join(_quoted(one, chr(39), ':*') for one in group)})" for group in groups)


def _indexed(term: str) -> str:
    """Return the longest beginning that the index knows of one that is looked for; any other term as it is."""
    known = [length for length in BEGINNINGS if length < len(term)] if term.endswith(BEGINNING) else []
    return term[: max(known)] + BEGINNING if known else term


def _quoted(term: str, quote: str, beginning: str) -> str:
    bare = term.removesuffix(BEGINNING)
    return quote + bare.replace(quote, quote * 2).replace("\\", "_") + quote + (beginning if term.endswith(BEGINNING) else "")


@lru_cache(maxsize=4096)
def _kind(sign: str) -> str:
    """Return whether a character is part of a word, is one by itself, or parts words."""
    category = unicodedata.category(sign)
    if category == "So" or unicodedata.name(sign, "").startswith(_UNPARTED):
        return "alone"
    return "part" if category[0] in "LNM" and category != "Me" else ""


def _single(word: str) -> str:
    """Return what several are called when there is one: English alone adds an s, and in other words it is left out on both sides."""
    if len(word) <= 3 or not word.isascii() or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(_LONG_PLURALS):
        return word[:-2]
    return word if word.endswith(("ss", "us", "is")) else word[:-1]

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

#: Several of what ends like this without the e take an es, and of what ends like this an s: neither has the e where they are compared.
_WITH_E = ("che", "oe", "se", "she", "xe", "ze")

#: The s at the end of such words is taken for that of several; so it is when it comes out from under an es.
_WITH_S = ("us", "is", "atlas", "bias", "canvas", "lens")

_SHORTEST = 3

#: Questions: every group has to be met, by one of its terms at least.
Groups = Sequence[Sequence[str]]


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared, each once: without case, accents and the s of several."""
    return tuple(dict.fromkeys(map(_single, _parted(text))))


def begun(text: str) -> tuple[str, ...]:
    """Return the words of a text of which the last may not be finished, as a beginning."""
    *words, last = _parted(text) or [""]
    return (*dict.fromkeys(map(_single, words)), *([last + BEGINNING] if last else []))


def either(term: str) -> tuple[str, ...]:
    """Return what a term is met by: a beginning by what begins so, and by the word that it is if nothing is missing."""
    whole = _single(term.removesuffix(BEGINNING))
    return (term,) if not term.endswith(BEGINNING) or whole.startswith(term[:-1]) else (term, whole)


def _parted(text: str) -> list[str]:
    """Return the words of a text in their order, without case and accents."""
    folded = unicodedata.normalize("NFKD", text.replace("\0", "").casefold())
    # Signs that are made of others may be made of capitals.
    bare = unicodedata.normalize("NFKC", _ACCENTS.sub("", folded).casefold())
    found: list[str] = []
    run = ""
    for sign in bare:
        kind = _kind(sign)
        if kind == "part":
            run += sign
            continue
        found += [run, sign] if kind == "alone" else [run]
        run = ""
    return [one[:_LONGEST] for one in (*found, run) if one]


def mark(sign: str, value: str) -> str:
    """Return a mark such as `=demo`."""
    return sign + _UNMARKED.sub("_", value.casefold())[:_LONGEST_MARK]


def of_picture(words: str, model: str, preset: str, seed: int) -> str:
    """Return what a picture is found by; `preset` is empty where it was painted without one."""
    marks = [mark(MODEL, model), mark(SEED, str(seed)), *([mark(PRESET, preset)] if preset else ())]
    return " ".join((*words_of(words), *marks))


def preset_of(params: str) -> str:
    """Return the name of the preset that a wish as it is kept says it was painted with, or nothing."""
    try:
        said = msgspec.json.decode(params, type=_Named).preset
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


def unsure(groups: Groups) -> tuple[tuple[str, ...], ...]:
    """Return patterns for LIKE over terms with blanks around them: one has to fit of every group that SQLite may find too much for."""
    return tuple(tuple(_pattern(one) for one in group) for group in groups if any(_indexed(one) != one for one in group))


def _pattern(term: str) -> str:
    return f"% {term.removesuffix(BEGINNING)}%" if term.endswith(BEGINNING) else f"% {term} %"


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
    """Return what one and several are both compared as: English alone adds an s, and in other words it is left out on both sides."""
    if len(word) <= _SHORTEST or not word.isascii():
        return word
    one = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
    if len(one) > _SHORTEST and one.endswith("ie"):
        # Movies and ponies, but skies.
        return one[:-1] if len(one) > _SHORTEST + 1 else one[:-2] + "y"
    if len(one) > _SHORTEST and one.endswith("y") and one[-2] not in "aeiou":
        return one[:-1] + "i"
    if len(one) > _SHORTEST and one.endswith(_WITH_E):
        one = one[:-1]
        return one[:-1] if len(one) > _SHORTEST and one.endswith(_WITH_S) else one
    return one

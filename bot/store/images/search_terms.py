"""Search terms: the normalised words of a text, and marks for other facts about a picture or a preset.

Both databases get the same terms, so that they find the same. A term has no spaces; a mark begins with a character that no word has.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

#: Marks: the maker, the list of a preset, and the model, preset and seed of a picture.
PERSON, SHELF, MODEL, PRESET, SEED = "@", "^", "=", "+", "#"

#: At the end of a word, it matches all words with that prefix.
BEGINNING = "*"

#: Prefixes of these lengths are in SQLite's index: others would be assembled from all words that begin with them.
BEGINNINGS = (3, 5)

#: The maximal lengths of a word and of a mark; longer ones are compared up to here.
_LONGEST, _LONGEST_MARK = 40, 80

#: Accents of letters: a search for cafe finds café.
_ACCENTS = re.compile("[\u0300-\u036f]")

#: ASCII characters that no mark contains: the databases would interpret some of them.
_UNMARKED = re.compile(r"[\x00-,./:-@\[-^`{-\x7f]|\s")

#: Scripts without spaces between words: every character is a term.
_UNPARTED = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA")

#: Words with these endings, less an e, take -es in the plural, and with the e take -s: the e is dropped in all of them for comparison.
_WITH_E = ("che", "oe", "se", "she", "xe", "ze")

#: The final s of such words is not taken for a plural s, even after -es is removed.
_WITH_S = ("us", "is", "atlas", "bias", "canvas", "lens")

_SHORTEST = 3

#: Search groups: a match needs at least one term of every group.
Groups = Sequence[Sequence[str]]


def words_of(text: str) -> tuple[str, ...]:
    """Return the normalised words of a text, each once: without case, accents and the plural s."""
    return tuple(dict.fromkeys(map(_single, _parted(text))))


def begun(text: str) -> tuple[str, ...]:
    """Return the words of a text, the last as a prefix, because it may be incomplete."""
    *words, last = _parted(text) or [""]
    return (*dict.fromkeys(map(_single, words)), *([last + BEGINNING] if last else []))


def either(term: str) -> tuple[str, ...]:
    """Return the alternatives for a term: a prefix also matches as a complete word."""
    whole = _single(term.removesuffix(BEGINNING))
    return (term,) if not term.endswith(BEGINNING) or whole.startswith(term[:-1]) else (term, whole)


def _parted(text: str) -> list[str]:
    """Return the words of a text in order, without case and accents."""
    folded = unicodedata.normalize("NFKD", text.replace("\0", "").casefold())
    # The decomposition of compound characters may yield capitals.
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
    """Return the search terms of a picture; `preset` is empty if it was painted without a preset."""
    marks = [mark(MODEL, model), mark(SEED, str(seed)), *([mark(PRESET, preset)] if preset else ())]
    return " ".join((*words_of(words), *marks))


def preset_of(params: str) -> str:
    """Return the preset name in stored parameters, or an empty text."""
    try:
        said = msgspec.json.decode(params, type=_Named).preset
    except (msgspec.MsgspecError, ValueError):
        return ""
    return (said or "").partition("#")[0].partition("@")[0]


class _Named(msgspec.Struct):
    """The only field that is read from the parameters."""

    preset: str | None = None


def of_preset(name: str, tags: Iterable[str], words: str) -> str:
    """Return the search terms of a preset: its name, its tags and its prompt."""
    return " ".join(words_of(" ".join((name, *tags, words))))


def match(groups: Groups) -> str:
    """Return a query for SQLite's FTS5. Prefixes may match too much; `unsure` returns which."""
    return " AND ".join(f"({' OR '.join(_quoted(_indexed(one), chr(34), ' *') for one in group)})" for group in groups)


def unsure(groups: Groups) -> tuple[tuple[str, ...], ...]:
    """Return LIKE patterns over space-delimited terms: for every group that SQLite may over-match, one must match."""
    return tuple(tuple(_pattern(one) for one in group) for group in groups if any(_indexed(one) != one for one in group))


def _pattern(term: str) -> str:
    return f"% {term.removesuffix(BEGINNING)}%" if term.endswith(BEGINNING) else f"% {term} %"


def tsquery(groups: Groups) -> str:
    """Return a query for PostgreSQL."""
    return " & ".join(f"({' | '.join(_quoted(one, chr(39), ':*') for one in group)})" for group in groups)


def _indexed(term: str) -> str:
    """Return the longest indexed prefix of a prefix; any other term unchanged."""
    known = [length for length in BEGINNINGS if length < len(term)] if term.endswith(BEGINNING) else []
    return term[: max(known)] + BEGINNING if known else term


def _quoted(term: str, quote: str, beginning: str) -> str:
    bare = term.removesuffix(BEGINNING)
    return quote + bare.replace(quote, quote * 2).replace("\\", "_") + quote + (beginning if term.endswith(BEGINNING) else "")


@lru_cache(maxsize=4096)
def _kind(sign: str) -> str:
    """Return whether a character is part of a word, a word by itself, or a separator."""
    category = unicodedata.category(sign)
    if category == "So" or unicodedata.name(sign, "").startswith(_UNPARTED):
        return "alone"
    return "part" if category[0] in "LNM" and category != "Me" else ""


def _single(word: str) -> str:
    """Return the common form of singular and plural: only English adds an s, and in other words it is dropped on both sides."""
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

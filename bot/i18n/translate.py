"""Sentences for users, from a Fluent catalogue for each language.

The language is set where an event comes in (`speaking`), from what the platform says, and set again once the user is known, to the
language they chose (`speak`). It belongs to the current task, so two concurrent users each have their own. A catalogue is read when
its language is first used, and each sentence is parsed when it is first needed: a start needs few of them.

Of Fluent this implements what the catalogues use: facts, references to texts, functions of one fact, and choices by a word or by the
plural rules of the language. Importing a library for all of Fluent would take a tenth of the start-up time.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from fluent.syntax import FluentParser, ast

from inference.contract.errors import Fact, Problem

#: The languages that have a catalogue. The first is spoken where nobody said which, and where another one lacks a sentence.
LANGUAGES = ("en", "de", "es")
ENGLISH = LANGUAGES[0]

_MINUTE, _HOUR = 60, 3600

_SPOKEN: ContextVar[str] = ContextVar("spoken", default=ENGLISH)


def language_of(locale: str) -> str:
    """Return the language of a locale such as `de-AT`, or nothing where no catalogue is in it."""
    language = re.split("[-_]", locale, maxsplit=1)[0].casefold()
    return language if language in LANGUAGES else ""


def spoken() -> str:
    """Return the language that is spoken now."""
    return _SPOKEN.get()


def speak(locale: str) -> None:
    """Go on in the language of a locale, until whoever began with `speaking` has ended."""
    _SPOKEN.set(language_of(locale) or ENGLISH)


@contextmanager
def speaking(locale: str) -> Iterator[None]:
    """Speak the language of a locale; English where nobody said one, or one that nobody here speaks."""
    before = _SPOKEN.set(language_of(locale) or ENGLISH)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def tell(problem: Problem) -> str:
    """Return the sentence of a problem."""
    return text(problem.key, **problem.facts)


def text(key: str, /, **facts: Fact) -> str:
    """Return the sentence of a key with its facts filled in.

    A key without a sentence is a defect that the tests look for; should one slip through, the person is told which it is.
    """
    for language in (spoken(), ENGLISH):
        if key in (sentences := _sentences(language)).keys:
            return sentences.tell(key, facts)
    return text("fault-untold", key=key)


def declared(key: str, english: str) -> str:
    """Return what a declaration says in English, in the language that is spoken where that has words for it."""
    return english if spoken() == ENGLISH or key not in keys(spoken()) else text(key)


def number(amount: float) -> str:
    """Return a number as people write it."""
    return text("number", amount=amount)


def ordinal(position: int) -> str:
    """Return a place in a row: `3rd`."""
    return text("ordinal", place=position)


def duration(seconds: float) -> str:
    """Return a time as people say it: `40 s`, `2 min`, `3 h`."""
    if seconds < _MINUTE:
        return text("time-seconds", seconds=max(1, round(seconds)))
    if seconds < _HOUR + _HOUR / 2:
        return text("time-minutes", minutes=round(seconds / _MINUTE))
    return text("time-hours", hours=round(seconds / _HOUR))


def moment(when: datetime) -> str:
    """Return a day and a time of it, in UTC."""
    utc = when.astimezone(UTC)
    return text("time-moment", year=f"{utc:%Y}", month=f"{utc:%m}", day=f"{utc:%d}", time=f"{utc:%H:%M}")


def size(width: int, height: int) -> str:
    """Return a size as people write it: `768 × 512`."""
    return text("size", width=width, height=height)


def keys(language: str = ENGLISH) -> frozenset[str]:
    """Return the keys of all sentences of a language."""
    return _sentences(language).keys


@cache
def _sentences(language: str) -> "Sentences":
    return Sentences(resources.files("bot.i18n").joinpath("locales", f"{language}.ftl").read_text(encoding="utf-8"), language)


#: Facts are rounded to this many decimals: people compare numbers, they do not reckon with them.
_DECIMALS = 2

#: A message begins at the edge; what belongs to it is indented, or closes a brace.
_BEGINNING = re.compile(r"^([a-z][a-z0-9-]*) =", re.MULTILINE)

#: How English counts places in a row: by their last digit, but 11, 12 and 13. German and Spanish have one ending for all.
_ORDINALS = {1: "one", 2: "two", 3: "few"}


#: How languages count things (Unicode's plural rules): one, a round number of millions, and all others.
PLURALS = {"en": ("one", "other"), "de": ("one", "other"), "es": ("one", "many", "other")}

#: What stands before decimals.
_MARKS = {"en": ".", "de": ",", "es": ","}

_MILLION = 1_000_000


class Sentences:
    """The sentences of a catalogue by their keys."""

    def __init__(self, source: str, language: str = "en") -> None:
        self._language = language
        begins = [(found[1], found.start()) for found in _BEGINNING.finditer(source)]
        ends = [start for _, start in begins[1:]] + [len(source)]
        self._sources = {key: source[start:end] for (key, start), end in zip(begins, ends, strict=True)}
        self.keys = frozenset(self._sources)
        # A sentence is parsed once.
        self._pattern = cache(self._parsed)

    def tell(self, key: str, facts: Mapping[str, Fact]) -> str:
        """Return a sentence with its facts filled in; one that is missing stands there by its name. Raises `KeyError`."""
        return self._told(self._pattern(key), facts)

    def _parsed(self, key: str) -> ast.Pattern:
        entry = FluentParser(with_spans=False).parse_entry(self._sources[key])
        if not isinstance(entry, ast.Message) or entry.value is None:
            raise ValueError(f"the catalogue's {key} can't be read")
        return entry.value

    def _told(self, pattern: ast.Pattern, facts: Mapping[str, Fact]) -> str:
        parts = [one.value if isinstance(one, ast.TextElement) else self._filled(one.expression, facts) for one in pattern.elements]
        return "".join(parts)

    def _filled(self, expression: object, facts: Mapping[str, Fact]) -> str:
        if isinstance(expression, ast.SelectExpression):
            return self._told(self._chosen(expression, facts).value, facts)
        value = _value(expression, facts)
        if value is None:
            assert isinstance(expression, ast.VariableReference)
            return expression.id.name
        return value if isinstance(value, str) else _written(value).replace(".", _MARKS[self._language])

    def _chosen(self, choice: ast.SelectExpression, facts: Mapping[str, Fact]) -> ast.Variant:
        """Return the variant that fits a value as it is written, or as it is counted; else the one with the asterisk."""
        value = _value(choice.selector, facts)
        written = "" if value is None else value if isinstance(value, str) else _written(value)
        fits = {written} if isinstance(value, str) else {written, self._counted(written)}
        fitting = (one for one in choice.variants if _name(one.key) in fits)
        return next(fitting, None) or next(one for one in choice.variants if one.default)

    def _counted(self, written: str) -> str:
        """Return how the language counts so many things."""
        is_round = written.isdecimal() and int(written) and int(written) % _MILLION == 0
        if is_round and "many" in PLURALS[self._language]:
            return "many"
        return "one" if written == "1" else "other"


def _name(key: ast.Identifier | ast.NumberLiteral) -> str:
    return key.name if isinstance(key, ast.Identifier) else str(key.value)


def _value(expression: object, facts: Mapping[str, Fact]) -> Fact | None:
    match expression:
        case ast.StringLiteral():
            return str(expression.parse()["value"])
        case ast.VariableReference():
            return facts.get(expression.id.name)
        case ast.FunctionReference():
            return _FUNCTIONS[expression.id.name](_value(expression.arguments.positional[0], facts))
    raise ValueError(f"the catalogue has a {type(expression).__name__}, which is not supported")


def _given(fact: Fact | None) -> str:
    """Tell a sentence whether a fact is there: a choice cannot name the empty text."""
    return "no" if fact == "" else "yes"


def _ordinal(position: Fact | None) -> str:
    """Tell a sentence how a place in a row is counted."""
    number = int(position or 0)
    return "other" if number % 100 in (11, 12, 13) else _ORDINALS.get(number % 10, "other")


def _millions(value: Fact | None) -> Fact:
    """Return a number in millions, rounded up to a tenth: megabytes or megapixels. What exceeds a limit never looks equal to it."""
    return math.ceil(value / 100_000) / 10 if isinstance(value, int | float) else ""


_FUNCTIONS: dict[str, Callable[[Fact | None], Fact]] = {"GIVEN": _given, "ORDINAL": _ordinal, "MILLIONS": _millions}


def _written(number: float) -> str:
    """Return a number as people write it but for the decimal mark: 5 rather than 5.0, 1024 rather than 1,024."""
    if isinstance(number, int):
        return str(int(number))
    # Adding nothing makes of -0.0, which people do not write, 0.0.
    return f"{round(number, _DECIMALS) + 0.0:.{_DECIMALS}f}".rstrip("0").rstrip(".")

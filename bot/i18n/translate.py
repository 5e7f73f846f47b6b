"""Every sentence for people, from a Fluent catalogue for each language.

Which language is spoken is chosen where something comes in (`speaking`), from what a platform says, and once the person is known
by what they chose themselves (`speak`). It belongs to what is being done: two people at once have a language each. A catalogue is
read when its language is first spoken.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from bot.i18n.fluent import Sentences
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
def _sentences(language: str) -> Sentences:
    return Sentences(resources.files("bot.i18n").joinpath("locales", f"{language}.ftl").read_text(encoding="utf-8"), language)

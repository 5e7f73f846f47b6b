"""Every sentence for people, from one Fluent catalogue."""

from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from babel import Locale
from fluent.runtime import FluentBundle, FluentResource
from fluent.runtime.types import fluent_number

from inference.errors import Fact, Problem

# `Any` here is the library's: its own type for facts leaves out `str`, which it takes and gives.

_LANGUAGE = "en"

_MINUTE = 60

#: Facts are rounded to this many decimals: people compare numbers, they do not reckon with them.
_DECIMALS = 2


def tell(problem: Problem) -> str:
    """Return the sentence of a problem."""
    return text(problem.key, **problem.facts)


def text(key: str, /, **facts: Fact) -> str:
    """Return the sentence of a key with its facts filled in.

    A key without a sentence is a defect that the tests look for; should one slip through, the person is told which it is.
    """
    bundle = _english()
    if not bundle.has_message(key):
        return text("fault-untold", key=key)
    pattern = bundle.get_message(key).value
    assert pattern is not None, f"{key} has attributes but no sentence"
    told, _ = bundle.format_pattern(pattern, {name: _shown(fact) for name, fact in facts.items()})
    return str(told)


def number(amount: float) -> str:
    """Return a number as people write it."""
    return text("number", amount=amount)


def ordinal(place: int) -> str:
    """Return a place in a row: `3rd`."""
    return text("ordinal", place=place)


def duration(seconds: float) -> str:
    """Return a time as people say it: `40 s`, `2 min`."""
    if seconds < _MINUTE:
        return text("time-seconds", seconds=max(1, round(seconds)))
    return text("time-minutes", minutes=round(seconds / _MINUTE))


def moment(when: datetime) -> str:
    """Return a day and a time of it, in UTC."""
    utc = when.astimezone(UTC)
    return text("time-moment", day=f"{utc:%Y-%m-%d}", time=f"{utc:%H:%M}")


def size(width: int, height: int) -> str:
    """Return a size as people write it: `768 × 512`."""
    return text("size", width=width, height=height)


def keys() -> frozenset[str]:
    """Return the keys of all sentences."""
    return frozenset(_english()._messages)


def _shown(fact: Fact) -> Any:
    """Return a fact as people write it: 5 rather than 5.0, 1024 rather than 1,024."""
    if isinstance(fact, str):
        return fact
    return fluent_number(fact, useGrouping=False, maximumFractionDigits=_DECIMALS)


def _given(fact: object) -> Any:
    """Tell a sentence whether a fact is there: the catalogue cannot compare with the empty text by itself."""
    return "no" if fact == "" else "yes"


def _ordinal(place: Any) -> Any:
    """Tell a sentence how a place in a row is counted: the library knows this of amounts only."""
    return str(Locale(_LANGUAGE).ordinal_form(int(place)))


@cache
def _english() -> FluentBundle:
    # Isolation marks are invisible signs around every fact; they would end up in terminals, logs and copied text.
    bundle = FluentBundle([_LANGUAGE], functions={"GIVEN": _given, "ORDINAL": _ordinal}, use_isolating=False)
    bundle.add_resource(FluentResource(resources.files("bot").joinpath("locales", "en.ftl").read_text(encoding="utf-8")))
    return bundle

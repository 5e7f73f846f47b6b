"""Every sentence for people, from one Fluent catalogue."""

from functools import cache
from importlib import resources
from typing import Any

from fluent.runtime import FluentBundle, FluentResource
from fluent.runtime.types import fluent_number

from inference.errors import Fact, Problem

# `Any` here is the library's: its own type for facts leaves out `str`, which it takes and gives.

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


@cache
def _english() -> FluentBundle:
    # Isolation marks are invisible signs around every fact; they would end up in terminals, logs and copied text.
    bundle = FluentBundle(["en"], functions={"GIVEN": _given}, use_isolating=False)
    bundle.add_resource(FluentResource(resources.files("bot").joinpath("locales", "en.ftl").read_text(encoding="utf-8")))
    return bundle

"""Sentences of a Fluent catalogue, in its language. Each is parsed when it is first told: a start tells few of them.

Of Fluent it has what the catalogues use: facts, texts, functions of one fact, and choices by a word or by how the language counts.
The library that has all of it would take a tenth of a start to import.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

from fluent.syntax import FluentParser, ast

from inference.contract.errors import Fact

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


_FUNCTIONS: dict[str, Callable[[Fact | None], str]] = {"GIVEN": _given, "ORDINAL": _ordinal}


def _written(number: float) -> str:
    """Return a number as people write it but for the decimal mark: 5 rather than 5.0, 1024 rather than 1,024."""
    if isinstance(number, int):
        return str(int(number))
    # Adding nothing makes of -0.0, which people do not write, 0.0.
    return f"{round(number, _DECIMALS) + 0.0:.{_DECIMALS}f}".rstrip("0").rstrip(".")

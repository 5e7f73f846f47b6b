r"""The prompt grammar: one bounded, linear parser from what a person typed to what the text encoder is given.

| you write | it means |
|---|---|
| `(word)` | counts 1.1 times as much; brackets in brackets multiply |
| `[word]` | counts 1.1 times less |
| `(word:1.3)` | counts 1.3 times as much |
| `BREAK` | what follows starts a new part |
| `\(` `\)` `\[` `\]` `\{` `\}` `\\` `\BREAK` | the sign or the word itself |

The work is done in three passes, each over a flat list: `_tokens` cuts the text, `_paired` finds which brackets belong together
(the others are text), `_fragments` walks the tokens with the weight in force. There is no recursion and no backtracking.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from bot.errors import BadInput
from inference.request import Fragment, Prompt

MOST_CHARACTERS = 2_000

#: Brackets in brackets in brackets …
DEEPEST = 8

#: What one bracket does.
EMPHASIS = 1.1

#: Weights end here. Above 2 the encoder's output leaves what denoisers were trained on and pictures break up; below 0 a
#: word would be pushed away, which is what the negative prompt is for.
LEAST_WEIGHT, MOST_WEIGHT = 0.0, 2.0


class Sign(Enum):
    """What a token is."""

    TEXT = auto()
    OPEN_ROUND = auto()
    CLOSE_ROUND = auto()
    OPEN_SQUARE = auto()
    CLOSE_SQUARE = auto()
    BREAK = auto()


class Token(NamedTuple):
    """A piece of the text: `raw` as typed, `text` as it reads where it is no more than text."""

    sign: Sign
    raw: str
    text: str


#: One alternative for each thing that is more than text. Possessive repeats (`++`) keep every match linear.
_TOKEN = re.compile(
    r"""
      (?P<escaped> \\ (?: [()\[\]{}\\] | BREAK\b ) )
    | (?P<open_round> \( )
    | (?P<close_round> (?: : \s*+ [+-]? (?: [0-9]++ (?: \. [0-9]*+ )? | \. [0-9]++ ) \s*+ )? \) )
    | (?P<open_square> \[ )
    | (?P<close_square> \] )
    | (?P<break> \b BREAK \b )
    """,
    re.VERBOSE,
)

_SIGNS = {
    "escaped": Sign.TEXT,
    "open_round": Sign.OPEN_ROUND,
    "close_round": Sign.CLOSE_ROUND,
    "open_square": Sign.OPEN_SQUARE,
    "close_square": Sign.CLOSE_SQUARE,
    "break": Sign.BREAK,
}

_OPENS = {Sign.CLOSE_ROUND: Sign.OPEN_ROUND, Sign.CLOSE_SQUARE: Sign.OPEN_SQUARE}

#: Halves of characters and NUL: no encoder or database takes them, and no person typed them.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def read(text: str) -> Prompt:
    """Return the prompt that a person typed, as read.

    Anything reads as something: a bracket without its other half is text. Raises `BadInput` for a text that is too long or
    nested too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput("input-prompt-long", most=MOST_CHARACTERS, given=len(text))
    written = _UNWRITABLE.sub("", text)
    tokens = list(_tokens(written))
    return Prompt(written, tuple(_parts(_fragments(tokens, _paired(tokens)))))


def escape(text: str) -> str:
    """Return a text written so that `read` gives exactly its words back, without any emphasis."""
    return re.sub(r"[()\[\]{}\\]|\bBREAK\b", r"\\\g<0>", text)


def _tokens(text: str) -> Iterator[Token]:
    """Cut a text into tokens; their `raw` joined is the text again."""
    done = 0
    for found in _TOKEN.finditer(text):
        if found.start() > done:
            yield Token(Sign.TEXT, plain := text[done : found.start()], plain)
        kind, raw = found.lastgroup or "", found.group()
        yield Token(_SIGNS[kind], raw, raw[1:] if kind == "escaped" else raw)
        done = found.end()
    if done < len(text):
        yield Token(Sign.TEXT, text[done:], text[done:])


def _paired(tokens: list[Token]) -> dict[int, float]:
    """Return, for each bracket that has its other half, its place and the factor by which it changes the weight.

    A closing bracket belongs to the last open one of its shape; open ones of the other shape in between stay text.
    """
    factors: dict[int, float] = {}
    waiting: list[int] = []
    count = {Sign.OPEN_ROUND: 0, Sign.OPEN_SQUARE: 0}
    for place, token in enumerate(tokens):
        if token.sign in count:
            waiting.append(place)
            count[token.sign] += 1
        elif (opening := _OPENS.get(token.sign)) and count[opening]:
            while tokens[start := waiting.pop()].sign is not opening:
                count[tokens[start].sign] -= 1
            count[opening] -= 1
            factors[start] = _factor(token)
            factors[place] = 1.0
    return factors


def _factor(closing: Token) -> float:
    if closing.sign is Sign.CLOSE_SQUARE:
        return 1 / EMPHASIS
    return float(closing.raw[1:-1]) if closing.raw.startswith(":") else EMPHASIS


def _fragments(tokens: Iterable[Token], factors: dict[int, float]) -> Iterator[Fragment | None]:
    """Yield the text with the weight in force over it, and nothing (`None`) where a new part starts."""
    weights = [1.0]
    for place, token in enumerate(tokens):
        if token.sign is Sign.BREAK:
            yield None
        elif place not in factors:
            yield Fragment(token.text, min(max(round(weights[-1], 4), LEAST_WEIGHT), MOST_WEIGHT))
        elif token.sign in _OPENS:
            weights.pop()
        elif len(weights) > DEEPEST:
            raise BadInput("input-prompt-deep", most=DEEPEST)
        else:
            weights.append(weights[-1] * factors[place])


def _parts(fragments: Iterable[Fragment | None]) -> Iterator[tuple[Fragment, ...]]:
    """Gather fragments into parts: neighbours of one weight are one fragment, blanks go with what stands before them."""
    texts: list[list[str]] = []
    weights: list[float] = []
    for fragment in (*fragments, None):
        if fragment is None:
            yield from _part(texts, weights)
            texts, weights = [], []
        elif weights and (weights[-1] == fragment.weight or not fragment.text.strip()):
            texts[-1].append(fragment.text)
        else:
            texts.append([fragment.text])
            weights.append(fragment.weight)


def _part(texts: list[list[str]], weights: list[float]) -> Iterator[tuple[Fragment, ...]]:
    """Yield one part without the blanks around it, or nothing where only blanks are left."""
    joined = ["".join(pieces) for pieces in texts]
    if joined:
        joined[0] = joined[0].lstrip()
        joined[-1] = joined[-1].rstrip()
    part = tuple(Fragment(text, weight) for text, weight in zip(joined, weights, strict=True) if text)
    if any(fragment.text.strip() for fragment in part):
        yield part

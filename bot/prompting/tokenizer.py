r"""The signs of the prompt grammar: a text is cut into tokens, and brackets that belong together are found.

Both are one flat pass. Text that is no sign, and every sign after a `\`, is plain text.
Dashes and full-width forms count as the plain sign.
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import NamedTuple

from bot.core.signs import COLONS, DASHES, DIGITS, POINTS


class Sign(Enum):
    """What a token is."""

    TEXT = auto()
    OPEN_ROUND = auto()
    OPEN_NEGATIVE = auto()
    CLOSE_ROUND = auto()
    OPEN_SQUARE = auto()
    CLOSE_SQUARE = auto()
    OPEN_BRACE = auto()
    CLOSE_BRACE = auto()
    BAR = auto()
    BREAK = auto()
    IMAGE = auto()
    LORA = auto()
    CONCEPT = auto()
    WORD_LIST = auto()
    EMBEDDING = auto()
    TOGETHER = auto()
    SHARE = auto()


class Token(NamedTuple):
    """A piece of the text: `raw` as typed, `text` as it reads where it is no more than text."""

    sign: Sign
    raw: str
    text: str


#: One alternative for each thing that is more than text. Possessive repeats (`++`) keep every match linear, and what a
#: repeat runs over never holds the sign that starts its own alternative, so no stretch of the text is run over twice.
_DIGITS = rf"(?: [{DIGITS}]++ (?: [{POINTS}] [{DIGITS}]*+ | [,\uff0c] [{DIGITS}]++ )? | [{POINTS}] [{DIGITS}]++ )"
_NUMBER = rf"[{COLONS}] \s*+ [+\uff0b{DASHES}]? {_DIGITS} \s*+"
_TOKEN = re.compile(
    rf"""
      (?P<escaped> \\ (?: [()\[\]{{}}<>|_:\\（）［］｛｝＜＞｜：{DASHES}] | (?: BREAK | AND | embedding ) \b ) )
    | (?P<open_negative> [(（] [{DASHES}] )
    | (?P<open_round> [(（] )
    | (?P<close_round> (?: {_NUMBER} )? [)）] )
    | (?P<open_square> [\[［] )
    | (?P<close_square> (?: {_NUMBER} )? [\]］] )
    | (?P<image> [{{｛] (?i:image) \s*+ (?: [{COLONS}] \s*+ [^\s{{}}｛｝|\\]*+ \s*+ )? [}}｝] )
    | (?P<open_brace> [{{｛] )
    | (?P<close_brace> [}}｝] )
    | (?P<bar> [|｜]{{1,2}} )
    | (?P<break> \b BREAK \b )
    | (?P<together> \b AND \b )
    | (?P<share> (?<=\w) [{COLONS}]{{2}} (?: [{DASHES}]? [{DIGITS}]++ (?: [{POINTS}] [{DIGITS}]++ )? )? (?= \s | $ ) )
    | (?P<lora> [<＜] (?i:lora) [{COLONS}] [^<>＜＞\\\n]*+ [>＞] )
    | (?P<embedding> (?<!\w) embedding [{COLONS}] [\w.-]++ )
    | (?P<concept> [<＜] (?= [\d._-]*+ [^\W\d_] ) [\w.-]++ [>＞] )
    | (?P<word_list> (?<!\w) __ [^\W_]++ (?: [_.-] [^\W_]++ )*+ __ (?!\w) )
    """,
    re.VERBOSE,
)

_SIGNS = {name: Sign[name.upper()] for name in _TOKEN.groupindex if name != "escaped"} | {"escaped": Sign.TEXT}

#: Brackets pair within their shape.
_OPENS = {Sign.OPEN_ROUND: "round", Sign.OPEN_NEGATIVE: "round", Sign.OPEN_SQUARE: "square"}
_CLOSES = {Sign.CLOSE_ROUND: "round", Sign.CLOSE_SQUARE: "square"}

#: What is a bracket of emphasis, whether it has its other half or not.
BRACKETS = frozenset({*_OPENS, *_CLOSES})


def cut(text: str) -> Iterator[Token]:
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


def pairs(tokens: list[Token]) -> Mapping[int, int]:
    """Return the place of the closing bracket for that of each opening one that has its other half.

    A closing bracket belongs to the last open one of its shape; open ones of the other shape in between stay text.
    """
    found: dict[int, int] = {}
    waiting: list[int] = []
    count = {"round": 0, "square": 0}
    for position, token in enumerate(tokens):
        if shape := _OPENS.get(token.sign):
            waiting.append(position)
            count[shape] += 1
        elif (shape := _CLOSES.get(token.sign)) and count[shape]:
            while _OPENS[tokens[start := waiting.pop()].sign] != shape:
                count[_OPENS[tokens[start].sign]] -= 1
            count[shape] -= 1
            found[start] = position
    return found

r"""Flags in a line of words: `a castle --ar 16:9 --steps 30 --no fog`.

| you write | it means |
|---|---|
| `--name value`, `--name=value` | set a value, anywhere in the line; a long dash works too, as phones turn `--` into one |
| `--name "several words"` | a value with spaces, in straight or curly quotes |
| `--no fog, rain` | a value that can be a sentence or a long name needs no quotes; it ends at the next flag |
| `--name` | yes, for a yes-or-no option; `on` or `off` can follow |
| `\--name` | plain text, not a flag |

Names are read whatever their case, with `-` or `_`. A dash inside a word, alone or before a number is text.
"""

import re
from collections.abc import Mapping

import msgspec

from bot.core.errors import BadInput
from bot.core.suggest import nearest
from bot.framework.help import help_with
from bot.framework.params import Kind, Param

#: A line may hold several prompts and their flags, each prompt bounded for itself.
MOST_CHARACTERS = 4_000

#: A text that may be longer than this is a sentence or a name with blanks; a shorter one, such as a size or an id, is one word.
_LONGEST_WORD = 32

#: A name is shown and compared up to here.
_LONGEST_NAME = 40

_FLAG = re.compile(r"(?<!\S)(?:--|[—–])([^\W\d_][^\s=]*+)(=|\s*+)")
_ESCAPED = re.compile(r"(?<!\S)\\(?=--|[—–])")
_QUOTED = re.compile(r'["“”„«]([^"“”„«»]*+)["“”»]')
_WORD = re.compile(r"\S++")

_YES_NO = frozenset({"on", "off", "yes", "no", "true", "false"})


class Spoken(msgspec.Struct, frozen=True):
    """A line taken apart: the words that are no flags, and the values that flags give, by the names of the parameters."""

    words: str
    given: dict[str, str]


def parse(text: str, params: tuple[Param, ...]) -> Spoken:
    """Return the words of a line and what its flags give.

    Raises `BadInput` for a line that is too long, an unknown flag, one without its value, and two values for one parameter.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput("input-line-long", most=MOST_CHARACTERS, given=len(text))
    known = {_plain(name): param for param in params for name in (param.name, *param.also)}
    words: list[str] = []
    given: dict[str, str] = {}
    done = 0
    while flag := _FLAG.search(text, done):
        words.append(text[done : flag.start()])
        param = _param(flag[1], known)
        if param.name in given:
            raise BadInput("input-flag-twice", name=param.name)
        value, done = _value(text, flag, param)
        if not value:
            raise BadInput("input-flag-value", given=flag[1], help=help_with(param))
        given[param.name] = _ESCAPED.sub("", value)
    words.append(text[done:])
    return Spoken(_ESCAPED.sub("", _closed_up(words)), given)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")


def _param(written: str, known: Mapping[str, Param]) -> Param:
    """Return the parameter of a flag; raises `BadInput` with the flag that was most likely meant."""
    name = _plain(written[:_LONGEST_NAME])
    if param := known.get(name):
        return param
    offered = ", ".join(f"--{one.name}" for one in dict.fromkeys(known.values()))
    raise BadInput("input-flag-unknown", given=written[:_LONGEST_NAME], nearest=nearest(name, known), offered=offered)


def _value(text: str, flag: re.Match[str], param: Param) -> tuple[str, int]:
    """Return the value after a flag, empty where there is none, and where the text goes on."""
    start = flag.end()
    next_flag = _FLAG.search(text, start)
    end = next_flag.start() if next_flag else len(text)
    word = _WORD.match(text, start, end)
    if param.kind is Kind.YES_NO and flag[2] != "=":
        return (word[0], word.end()) if word and word[0].casefold() in _YES_NO else ("yes", flag.end(1))
    if quoted := _QUOTED.match(text, start):
        return quoted[1].strip(), quoted.end()
    if _runs_on(param):
        return text[start:end].strip(), end
    return (word[0], word.end()) if word else ("", start)


def _runs_on(param: Param) -> bool:
    """Tell whether a value may hold several words without quotes."""
    return param.kind is Kind.TEXT and not param.choices and (param.longest is None or param.longest > _LONGEST_WORD)


def _closed_up(pieces: list[str]) -> str:
    """Return the words around flags as one text: one blank where a flag was, line breaks as they were."""
    text = pieces[0]
    for piece in pieces[1:]:
        before, after = text.rstrip(" \t"), piece.lstrip(" \t")
        blank = " " if before[-1:].strip() and after[:1].strip() else ""
        text = before + blank + after
    return text.strip()

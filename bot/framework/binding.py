r"""Turn flags in a text line, and layers of values, into the validated parameters of a command.

| you write | it means |
|---|---|
| `--name value`, `--name=value` | set a value, anywhere in the line; a long dash works too, as phones turn `--` into one |
| `--name "several words"` | a value with spaces, in straight or curly quotes |
| `--no fog, rain` | a value that can be a sentence or a long name needs no quotes; it ends at the next flag |
| `--name` | yes, for a yes-or-no option; `on` or `off` can follow |
| `\--name` | plain text, not a flag |

Names are read in any case, with `-` or `_`. A dash inside a word, alone or before a number is text.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.core.errors import BadInput
from bot.core.signs import DASHES, DIGITS, LONG_DASHES, PLAIN, POINTS
from bot.core.suggest import nearest
from bot.core.values import Given, writable
from bot.framework.command import Command
from bot.framework.help import help_with
from bot.framework.params import Kind, Param, Params
from inference.contract.errors import Fact

P = TypeVar("P", bound=Params)

Raw = Mapping[str, Given]

#: Words for yes and no.
_YES_NO = {**dict.fromkeys(("yes", "on", "true", "1"), True), **dict.fromkeys(("no", "off", "false", "0"), False)}

#: A number in any of the forms that users write: 7,5 or ７．５ or −1.
_NUMBER = re.compile(rf"\s*[+＋{DASHES}]?[{DIGITS}]*[,，{POINTS}]?[{DIGITS}]+\s*")

#: Characters of a wrong value that an error message repeats.
_LONGEST_SHOWN = 60


def bind(command: Command[P], given: Raw, *layers: Raw) -> P:
    """Return the parameters: the given values over the layers in their order (preset, user, channel).

    Empty texts count as not given. Raises `BadInput` with the parameter and the allowed values.
    """
    merged: dict[str, Given] = {}
    for layer in (*reversed(layers), given):
        merged |= {name: value for name, value in layer.items() if value != "" and not _is_absent(command, name, value)}
    try:
        return command.params_type.model_validate({name: _plain(command, name, value) for name, value in merged.items()})
    except ValidationError as error:
        raise _refused(command, error.errors(include_url=False)[0]) from None


def _is_absent(command: Command[P], name: str, value: Given) -> bool:
    """Return whether a value means that a parameter is left out, such as the seed -1 of other programs."""
    absent = command.param(name).absent if name in command.params_type.model_fields else ()
    return bool(absent) and str(value).strip().translate(PLAIN).casefold() in absent


def _plain(command: Command[P], name: str, value: Given) -> Given:
    """Return yes and no as booleans, and choices in their declared case; pydantic parses everything else."""
    if not isinstance(value, str) or name not in command.params_type.model_fields:
        return value
    value = writable(value)
    param = command.param(name)
    if param.kind is Kind.YES_NO:
        return _YES_NO.get(value.casefold(), value)
    if param.choices:
        return next((one for one in param.choices if one.casefold() == value.casefold()), value)
    if param.kind in (Kind.REAL, Kind.WHOLE) and _NUMBER.fullmatch(value):
        return unicodedata.normalize("NFKC", value.translate(PLAIN)).strip()
    return value.strip() if param.kind is not Kind.TEXT else value


def _refused(command: Command[P], error: ErrorDetails) -> BadInput:
    """Convert an error of pydantic into a sentence of our catalogue; pydantic's own sentences are for programmers."""
    name, kind = str(error["loc"][0]), error["type"]
    if kind == "extra_forbidden":
        return BadInput("input-parameter", command=command.name, given=name, nearest=nearest(name, [one.name for one in command.params]))
    param = command.param(name)
    given = str(error["input"])[:_LONGEST_SHOWN]
    if kind == "missing" or (kind == "string_too_short" and param.required):
        return BadInput("input-missing", command=command.name, name=name, help=help_with(param))
    if kind == "string_too_long":
        return BadInput("input-long", name=name, most=param.longest or 0, given=len(str(error["input"])))
    if param.choices:
        return BadInput("input-choice", name=name, given=given, offered=", ".join(param.choices))
    facts: dict[str, Fact] = {"name": name, "given": given}
    if kind in ("greater_than_equal", "less_than_equal"):
        return BadInput("input-range", low=_bound(param.low), high=_bound(param.high), **facts)
    if param.kind in (Kind.WHOLE, Kind.REAL):
        whole = "yes" if param.kind is Kind.WHOLE else ""
        return BadInput("input-number", low=_bound(param.low), high=_bound(param.high), whole=whole, **facts)
    if param.kind is Kind.YES_NO:
        return BadInput("input-yes-no", **facts)
    return BadInput("input-value", help=help_with(param), **facts)


def _bound(limit: float | None) -> str:
    return "" if limit is None else f"{limit:g}" if limit != int(limit) else str(int(limit))


#: The maximum length of a line. It can hold several prompts with flags, and each prompt has its own limit.
MOST_CHARACTERS = 4_000

#: A text parameter that can be longer than this takes several words; a shorter one, such as a size or an id, is one word.
_LONGEST_WORD = 32

#: Characters of a name that are compared and shown.
_LONGEST_NAME = 40

_FLAG = re.compile(rf"(?<!\S)(?:[{DASHES}]{{2}}|[{LONG_DASHES}])([^\W\d_][^\s=＝]*+)([=＝]|\s*+)")
#: Negative words of a prompt, in which a dash begins the next negative word and no flag.
_NEGATIVE = re.compile(rf"[(（][{DASHES}][^()（）]*+[)）]")
_ESCAPED = re.compile(rf"(?<!\S)\\(?=[{DASHES}]{{2}}|[{LONG_DASHES}])")
_QUOTED = re.compile(r'["“”„«]([^"“”„«»]*+)["“”»]')
_WORD = re.compile(r"\S++")

_YES_NO_WORDS = frozenset({"on", "off", "yes", "no", "true", "false"})


class Spoken(msgspec.Struct, frozen=True):
    """A parsed line: the text without flags, and the values of flags by parameter name."""

    words: str
    given: dict[str, str]


def parse_flags(text: str, params: tuple[Param, ...]) -> Spoken:
    """Return the text of a line and the values of its flags.

    Raises `BadInput` for a line that is too long, an unknown flag, a flag without its value, and two values for one parameter.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput("input-line-long", most=MOST_CHARACTERS, given=len(text))
    known = {_flag_name(name): param for param in params for name in (param.name, *param.also)}
    words: list[str] = []
    given: dict[str, str] = {}
    done = 0
    negatives = [found.span() for found in _NEGATIVE.finditer(text)]
    while flag := _next_flag(text, done, negatives):
        words.append(text[done : flag.start()])
        param = _flag_param(flag[1], known)
        if param.name in given:
            raise BadInput("input-flag-twice", name=param.name)
        value, done = _flag_value(text, flag, param, negatives)
        if not value:
            raise BadInput("input-flag-value", given=flag[1], help=help_with(param))
        given[param.name] = _ESCAPED.sub("", value)
    words.append(text[done:])
    return Spoken(_ESCAPED.sub("", _closed_up(words)), given)


def _flag_name(name: str) -> str:
    return name.casefold().replace("-", "_")


def _flag_param(written: str, known: Mapping[str, Param]) -> Param:
    """Return the parameter of a flag; raises `BadInput` with the nearest flag."""
    name = _flag_name(written[:_LONGEST_NAME])
    if param := known.get(name):
        return param
    offered = ", ".join(f"--{one.name}" for one in dict.fromkeys(known.values()))
    raise BadInput("input-flag-unknown", given=written[:_LONGEST_NAME], nearest=nearest(name, known), offered=offered)


def _next_flag(text: str, start: int, negatives: Sequence[tuple[int, int]]) -> re.Match[str] | None:
    """Return the next flag from a position on that is not within negative words."""
    while flag := _FLAG.search(text, start):
        start = next((end for begin, end in negatives if begin < flag.start() < end), 0)
        if not start:
            return flag
    return None


def _flag_value(text: str, flag: re.Match[str], param: Param, negatives: Sequence[tuple[int, int]]) -> tuple[str, int]:
    """Return the value after a flag (empty if there is none), and the position where the text continues."""
    start = flag.end()
    next_flag = _next_flag(text, start, negatives)
    end = next_flag.start() if next_flag else len(text)
    word = _WORD.match(text, start, end)
    if param.kind is Kind.YES_NO and flag[2] not in ("=", "＝"):
        return (word[0], word.end()) if word and word[0].casefold() in _YES_NO_WORDS else ("yes", flag.end(1))
    if quoted := _QUOTED.match(text, start):
        return quoted[1].strip(), quoted.end()
    if _runs_on(param):
        return text[start:end].strip(), end
    return (word[0], word.end()) if word else ("", start)


def _runs_on(param: Param) -> bool:
    """Return whether a value can have several words without quotes."""
    return param.kind is Kind.TEXT and not param.choices and (param.longest is None or param.longest > _LONGEST_WORD)


def _closed_up(pieces: list[str]) -> str:
    """Return the text around flags: one space where a flag was, with its line breaks."""
    text = pieces[0]
    for piece in pieces[1:]:
        before, after = text.rstrip(" \t"), piece.lstrip(" \t")
        blank = " " if before[-1:].strip() and after[:1].strip() else ""
        text = before + blank + after
    return text.strip()

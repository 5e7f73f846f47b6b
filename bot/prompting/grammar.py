r"""The prompt grammar: a bounded, linear parser from the typed text to the input of the text encoder.

| you write | it means |
|---|---|
| `(word)` | has 1.1 times the weight; nested brackets multiply |
| `[word]` | has its weight divided by 1.1 |
| `(word:1.3)` | has 1.3 times the weight |
| `BREAK` | starts a new part |
| `(-bad hands -bad anatomy)` | belongs to the negative prompt; a weight as in `(-fog:1.3)` applies to all of it |
| `{red\|green\|blue}` | one of them, picked at random each time |
| `{image:LINK}`, or `{image}` and a link in the text | start from that picture |
| `{image}` without a link | start from the attached picture, or from the picture that you reply to |
| `a castle \|\| a skyline` | several prompts, each with its own flags |
| `<lora:name:0.8>`, `<concept>`, `__colour__` | recognised, but not supported yet |
| `[cat:dog:0.5]`, `[cat\|dog]`, `cat AND dog`, `cat::2 dog`, `embedding:name` | of other programs: recognised, but not supported yet |
| `\(` `\)` `\[` `\]` `\{` `\}` `\<` `\>` `\|` `\_` `\:` `\-` `\\` `\BREAK` `\AND` | the character or the word itself |

Dashes, minus signs and full-width forms of these signs count as the plain sign, and `(smile:1,5)` as `(smile:1.5)`.

Each pass looks for one kind of syntax and passes on the text without it: alternatives, the picture, negative words; the rest is
parsed for emphasis. Each pass is flat (tokens, then matching brackets, then a walk): no recursion, no backtracking.
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bot.core.errors import BadInput
from bot.core.signs import DASHES, EVERY_DASH, LONG_DASHES, PLAIN
from bot.core.values import writable
from bot.prompting.tokenizer import BRACKETS, Sign, Token, cut, pairs
from inference.contract.request import Fragment, Prompt

MOST_CHARACTERS = 2_000

#: Prompts in one request.
MOST_PROMPTS = 8

#: The maximum depth of nested brackets.
DEEPEST = 8

#: The factor of one pair of brackets.
EMPHASIS = 1.1

#: The range of weights. Above 2 the encoder's output leaves the range that denoisers were trained on, and pictures break up; below 0
#: a word would be pushed away, which is the purpose of the negative prompt.
LEAST_WEIGHT, MOST_WEIGHT = 0.0, 2.0

#: The placeholder of removed syntax; no text can contain it.
_GONE = "\x00"
_AROUND_GONE = re.compile(rf"(?<!\s)\s*+{_GONE}[\s{_GONE}]*+")

_BETWEEN_NEGATIVES = re.compile(rf"(?<!\s)\s++[{DASHES}]")

_LINK = re.compile(rf"<(https?://[^\s<>{{}}|\\{_GONE}]++)>|https?://[^\s<>{{}}|\\{_GONE}]++", re.IGNORECASE)

#: Punctuation that belongs to a sentence and not to a link.
_AFTER_LINKS = ".,;:!?'\"*"

_SPECIAL = re.compile(
    r"[()\[\]{}<|\\（）［］｛｝＜｜]|\b(?:BREAK|AND)(?:\b|(?=__))|_(?=_)|(?<!\w)embedding(?=[:：])|(?<=\w)[:：](?=[:：])"
    rf"|(?<!\S)(?:[{DASHES}]{{2}}|[{LONG_DASHES}])"
)


class Reading(msgspec.Struct, frozen=True):
    """A parsed prompt.

    `image` is None if it names no picture, empty for the attached or replied-to one, and otherwise a link. `chosen` are the chosen
    alternatives, in order. Parsing `prompt.text` again gives the same prompt.
    """

    prompt: Prompt
    negative: Prompt = Prompt()
    image: str | None = None
    chosen: tuple[str, ...] = ()


def split(text: str) -> tuple[str, ...]:
    """Return the prompts between `||`, without surrounding spaces and without empty ones.

    Raises `BadInput` if there are too many, or none.
    """
    pieces = [""]
    for token, depth in _within_braces(list(cut(text))):
        if token.sign is Sign.BAR and len(token.raw) > 1 and not depth:
            pieces.append("")
        else:
            pieces[-1] += token.raw
    prompts = tuple(one for piece in pieces if is_visible(one := piece.strip()))
    if not prompts:
        raise BadInput("input-prompts-empty")
    if len(prompts) > MOST_PROMPTS:
        raise BadInput("input-prompts-many", most=MOST_PROMPTS, given=len(prompts))
    return prompts


def is_visible(text: str) -> bool:
    """Return whether a text has a visible character: not only spaces, zero-width and control characters."""
    return any(unicodedata.category(one)[0] not in "ZC" for one in text)


def _within_braces(tokens: list[Token]) -> Iterator[tuple[Token, int]]:
    """Yield each token and its depth in braces; an unmatched brace is text."""
    halves: dict[int, int] = {}
    waiting: list[int] = []
    for position, token in enumerate(tokens):
        if token.sign is Sign.OPEN_BRACE:
            waiting.append(position)
        elif token.sign is Sign.CLOSE_BRACE and waiting:
            halves |= {waiting.pop(): 1, position: -1}
    depth = 0
    for position, token in enumerate(tokens):
        depth += halves.get(position, 0)
        yield token, depth


def read(text: str, rng: random.Random | None = None) -> Reading:
    """Parse a typed text; `rng` chooses among alternatives, without it the first of each is taken.

    Almost any text is valid: an unmatched bracket is text. Raises `BadInput` for a text that is too long or nested too deeply, names two
    pictures, or uses syntax that is not supported yet.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput("input-prompt-long", most=MOST_CHARACTERS, given=len(text))
    written, chosen = choose_alternatives(writable(text), rng, DEEPEST)
    without_image, image = _take_image(written)
    wanted, negative = _take_negatives(without_image)
    return Reading(_emphasised(wanted), _emphasised(negative), image, chosen)


def join(*prompts: Prompt) -> Prompt:
    """Combine several prompts into one, such as negative prompts of different origins; raises `BadInput` like `read`."""
    return _emphasised(", ".join(one.text for one in prompts if one.text.strip()))


def escape(text: str) -> str:
    """Return a text escaped so that `read` returns exactly its words, also from within a line with flags."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _take_image(text: str) -> tuple[str, str | None]:
    """Return the text without its image tag and link, and the value of `Reading.image`."""
    tokens = list(cut(text))
    asked = {token.raw[1:-1].replace("：", ":", 1).partition(":")[2].strip() for token in tokens if token.sign is Sign.IMAGE}
    if not asked:
        return text, None
    if len(asked) > 1:
        raise BadInput("input-prompt-images")
    link = asked.pop()
    rest = "".join(_GONE if token.sign is Sign.IMAGE else token.raw for token in tokens)
    if not link and (found := _LINK.search(rest)):
        link = found[1] or _without_punctuation(found[0])
        end = found.end() if found[1] else found.start() + len(link)
        rest = rest[: found.start()] + _GONE + rest[end:]
    return _closed_up(rest), link


def _without_punctuation(link: str) -> str:
    """Return a link without the punctuation of its sentence: full stops, and brackets that do not open in it."""
    spare = {")": link.count(")") - link.count("("), "]": link.count("]") - link.count("[")}
    end = len(link)
    while link[end - 1] in _AFTER_LINKS or spare.get(link[end - 1], 0) > 0:
        if link[end - 1] in spare:
            spare[link[end - 1]] -= 1
        end -= 1
    return link[:end]


def _take_negatives(text: str) -> tuple[str, str]:
    """Return the text without its negative words, and the negative words."""
    tokens = list(cut(text))
    closing = pairs(tokens)
    wanted: list[str] = []
    negative: list[str] = []
    position = 0
    while position < len(tokens):
        if tokens[position].sign is Sign.OPEN_NEGATIVE and position in closing:
            negative.append(_negative(tokens, position, closing))
            wanted.append(_GONE)
            position = closing[position]
        else:
            wanted.append(tokens[position].raw)
        position += 1
    if not negative:
        return text, ""
    return _closed_up("".join(wanted)), ", ".join(filter(None, negative))


def _negative(tokens: list[Token], start: int, closing: Mapping[int, int]) -> str:
    """Return the negative words in the pair of brackets that opens at a position."""
    inside = range(start + 1, closing[start])
    # Negative words within negative words are negative words: their brackets only separate them.
    parting = {
        position
        for opens in inside
        if tokens[opens].sign is Sign.OPEN_NEGATIVE and opens in closing
        for position in (opens, closing[opens])
    }
    halves = {position for opens in inside if opens in closing for position in (opens, closing[opens])}
    written: list[str] = []
    for position in inside:
        token = tokens[position]
        # An unmatched bracket must not find its match in the words of the next pair.
        lone = token.sign in BRACKETS and position not in halves
        written.append(" -" if position in parting else f"\\{token.raw}" if lone else token.raw)
    items = (item.strip().lstrip(EVERY_DASH).strip() for item in _BETWEEN_NEGATIVES.split("".join(written)))
    words = ", ".join(filter(None, items))
    weight = tokens[closing[start]].raw
    return f"({words}{weight}" if words and len(weight) > 1 else words


def _closed_up(text: str) -> str:
    """Return a text without the gaps that removed syntax left in it."""
    return _AROUND_GONE.sub(" ", text).strip()


def _emphasised(text: str) -> Prompt:
    tokens = list(cut(text))
    closing = pairs(tokens)
    _refuse_missing(tokens)
    _refuse_schedules(tokens, closing)
    return Prompt(text, tuple(_parts(_fragments(tokens, closing))))


def _refuse_missing(tokens: Sequence[Token]) -> None:
    """Raise `BadInput` for known syntax that is not supported yet: ignoring it would paint something else."""
    for token in tokens:
        if key := _MISSING.get(token.sign):
            raise BadInput(key, given=token.raw, plain=f"\\{token.raw}")
    # In a text in upper case it is an ordinary word.
    if any(token.sign is Sign.TOGETHER for token in tokens) and any(one.islower() for token in tokens for one in token.raw):
        raise BadInput("input-prompt-together", given="AND", plain="\\AND")


#: Syntax of other programs that Easel does not support yet, and the sentence for each.
_MISSING = {
    Sign.LORA: "input-prompt-lora",
    Sign.CONCEPT: "input-prompt-concept",
    Sign.EMBEDDING: "input-prompt-concept",
    Sign.WORD_LIST: "input-prompt-list",
    Sign.SHARE: "input-prompt-share",
}


def _refuse_schedules(tokens: list[Token], closing: Mapping[int, int]) -> None:
    """Raise `BadInput` for square brackets that change the prompt while a picture is generated: `[cat:dog:0.5]` and `[cat|dog]`."""
    for start, end in closing.items():
        if tokens[start].sign is Sign.OPEN_SQUARE:
            is_alternating = any(token.sign is Sign.BAR for token in tokens[start:end])
            if is_alternating or len(tokens[end].raw) > 1:
                given = "".join(token.raw for token in tokens[start : end + 1])[:_LONGEST_SHOWN]
                raise BadInput("input-prompt-alternation" if is_alternating else "input-prompt-editing", given=given)


#: Characters of refused syntax that an error message repeats.
_LONGEST_SHOWN = 60


def _factor(closing: Token) -> float:
    if closing.sign is Sign.CLOSE_SQUARE:
        return 1 / EMPHASIS
    return float(closing.raw[1:-1].translate(PLAIN)) if len(closing.raw) > 1 else EMPHASIS


def _fragments(tokens: list[Token], closing: Mapping[int, int]) -> Iterator[Fragment | None]:
    """Yield pieces of text with their weights, and None where a new part starts."""
    weights = [1.0]
    ends = set(closing.values())
    for position, token in enumerate(tokens):
        if token.sign is Sign.BREAK:
            yield None
        elif position in ends:
            weights.pop()
        elif position not in closing:
            yield Fragment(token.text, min(max(round(weights[-1], 4), LEAST_WEIGHT), MOST_WEIGHT))
        elif len(weights) > DEEPEST:
            raise BadInput("input-prompt-deep", most=DEEPEST)
        else:
            weights.append(weights[-1] * _factor(tokens[closing[position]]))


def _parts(fragments: Iterable[Fragment | None]) -> Iterator[tuple[Fragment, ...]]:
    """Collect fragments into parts: neighbours of equal weight are merged, spaces belong to the fragment before them."""
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
    """Yield one part without surrounding spaces, or nothing if it has only spaces."""
    joined = ["".join(pieces) for pieces in texts]
    if joined:
        joined[0] = joined[0].lstrip()
        joined[-1] = joined[-1].rstrip()
    part = tuple(Fragment(text, weight) for text, weight in zip(joined, weights, strict=True) if text)
    if any(fragment.text.strip() for fragment in part):
        yield part


def choose_alternatives(text: str, rng: random.Random | None, deepest: int) -> tuple[str, tuple[str, ...]]:
    """Return the text with each alternative replaced by a choice, and the choices in the order of the braces.

    Without `rng` the first is chosen. Raises `BadInput` if alternatives are nested more than `deepest` deep.
    """
    tokens = list(cut(text))
    written: list[str] = []
    chosen: list[str] = []
    open_ones: list[_Way] = []
    limits = _limits(tokens, deepest)
    position = 0
    while position < len(tokens):
        if open_ones and position == open_ones[-1].stop:
            way = open_ones.pop()
            written[way.start :] = ["".join(written[way.start :])]
            chosen[way.number] = written[-1].strip()
            position = way.after
        elif position in limits:
            starts = limits[position]
            option = 0 if rng is None else rng.randrange(len(starts) - 1)
            open_ones.append(_Way(len(chosen), len(written), starts[option + 1], starts[-1] + 1))
            chosen.append("")
            position = starts[option] + 1
        else:
            written.append(tokens[position].raw)
            position += 1
    return "".join(written), tuple(chosen)


@dataclass(frozen=True)
class _Way:
    """An alternative that is being copied: the number of its braces, its start in the output, its end, and where to continue."""

    number: int
    start: int
    stop: int
    after: int


@dataclass
class _Braces:
    """Open braces during the scan: the positions of the brace and its bars, and the depth inside."""

    limits: list[int]
    height: int = field(default=0)


def _limits(tokens: Iterable[Token], deepest: int) -> Mapping[int, list[int]]:
    """Return the positions of brace, bars and closing brace for each opening brace with alternatives."""
    found: dict[int, list[int]] = {}
    waiting: list[_Braces] = []
    for position, token in enumerate(tokens):
        if token.sign is Sign.OPEN_BRACE:
            waiting.append(_Braces([position]))
        elif token.sign is Sign.BAR and waiting:
            waiting[-1].limits.append(position)
        elif token.sign is Sign.CLOSE_BRACE and waiting:
            closed = waiting.pop()
            height = closed.height
            if len(closed.limits) > 1:
                height += 1
                found[closed.limits[0]] = [*closed.limits, position]
            if height > deepest:
                raise BadInput("input-prompt-choices", most=deepest)
            if waiting:
                waiting[-1].height = max(waiting[-1].height, height)
    return found

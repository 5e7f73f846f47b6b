"""Alternatives in a prompt, `{red|green|blue}`: which braces are such, and one way through them."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.core.errors import BadInput
from bot.prompting.tokenizer import Sign, Token, cut


def choose(text: str, rng: random.Random | None, deepest: int) -> tuple[str, tuple[str, ...]]:
    """Return the text with one of each alternative in its place, and what was chosen, in the order of the braces.

    Without `rng` it is the first of each. Raises `BadInput` where alternatives stand more than `deepest` deep in one another.
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
    """An alternative being written: the number of its braces, where it starts in what is written, where it stops, what follows."""

    number: int
    start: int
    stop: int
    after: int


@dataclass
class _Braces:
    """Braces that are open while the text is looked through: the places of brace and bars, and how deep it goes inside."""

    limits: list[int]
    height: int = field(default=0)


def _limits(tokens: Iterable[Token], deepest: int) -> Mapping[int, list[int]]:
    """Return, for the place of each opening brace with alternatives, the places of it, its bars and its closing brace."""
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

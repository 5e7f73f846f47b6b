"""How a wish was read and what it will cost, before anything of it is queued."""

from collections.abc import Iterator

from bot import asking, words
from bot.app import Context, Read
from bot.errors import BotError
from bot.prompt import Reading
from bot.reply import Fact, Reply
from bot.spec import command
from bot.texts import number, size, tell, text
from bot.wish import Wish
from inference.errors import InferenceError
from inference.request import PictureRequest, Prompt

_MEGA = 1_000_000


class Explain(Wish):
    """What would be painted, and how."""


@command
async def explain(ctx: Context, want: Explain) -> Reply:
    """Show how a prompt is read and what it costs, without painting it."""
    wish = want.model_copy(update={"seed": asking.seed_for(want)})
    reading = asking.reading_of(wish, wish.seed or 0)
    facts = [Fact(text(f"fact-{name}"), told) for name, told in _words(reading, want.seed is not None) if told]
    try:
        read = await ctx.read(wish)
    except (BotError, InferenceError) as error:
        # The words were understood; what follows from the rest would be a guess.
        return Reply(text=text("explain-refused", reason=tell(error.problem)), facts=tuple(facts))
    facts += [Fact(text(f"fact-{name}"), told) for name, told in _settings(want, read) if told]
    facts.append(Fact(text("fact-cost"), _cost(read.request)))
    told = [text("explain-read"), words.unknown_words(read.request, read.passport)]
    return Reply(text="\n".join(filter(None, told)), facts=tuple(facts))


def _words(reading: Reading, seeded: bool) -> Iterator[tuple[str, str]]:
    """Yield what the words came to, by the name of the fact."""
    yield "prompt", _weighed(reading.prompt)
    yield "negative", _weighed(reading.negative)
    drawn = ", ".join(one or text("paint-no-words") for one in reading.chosen)
    yield "drawn", drawn if seeded or not drawn else text("explain-drawn", drawn=drawn)


def _weighed(prompt: Prompt) -> str:
    """Return the parts of a prompt, with the weight of every word that does not count as written."""
    parts = []
    for part in prompt.parts:
        told = [
            one.text.strip() if one.weight == 1 else text("explain-weight", words=one.text.strip(), weight=one.weight)
            for one in part
            if one.text.strip()
        ]
        parts.append(" · ".join(told))
    return text("explain-part").join(parts)


def _settings(want: Wish, read: Read) -> Iterator[tuple[str, str]]:
    """Yield the settings that will be used, and whose each of them is, by the name of the fact."""
    request, has_picture = read.request, read.wish.image is not None
    yield "model", _from(request.model, want.model is not None)
    yield "size", _size(want, request, has_picture)
    yield "steps", _from(number(request.steps), want.steps is not None)
    yield "guidance", _from(number(request.guidance), want.guidance is not None)
    yield "scheduler", _from(request.scheduler, want.scheduler is not None)
    yield "seed", _from(str(request.seed), True) if want.seed is not None else text("explain-seed")
    yield "count", number(request.count)
    if has_picture:
        yield "strength", _from(number(request.strength), want.strength is not None)


def _size(want: Wish, request: PictureRequest, has_picture: bool) -> str:
    told = size(request.width, request.height)
    if want.size is None and has_picture:
        return text("explain-of-picture", value=told)
    return _from(told, want.size is not None)


def _from(value: str, given: bool) -> str:
    return text("explain-of-you", value=value) if given else text("explain-of-model", value=value)


def _cost(request: PictureRequest) -> str:
    """Return what it costs, in what makes it long: steps, pictures and their size."""
    megapixels = request.width * request.height / _MEGA
    return text("explain-cost", steps=request.steps, count=request.count, megapixels=megapixels)

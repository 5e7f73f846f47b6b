"""Shows how a prompt is parsed and what it costs, without queueing it."""

from collections.abc import Iterator, Mapping

from bot.commands.context import Context, Read
from bot.core.errors import BotError
from bot.core.limits import WHOLE
from bot.framework.command import command
from bot.framework.reply import Fact, Reply
from bot.generation import resolve
from bot.generation.fields import FIELDS, GenerationParams, label
from bot.generation.resolve import Origin
from bot.i18n.translate import duration, tell, text
from bot.prompting import grammar
from bot.prompting.grammar import Reading
from inference.contract.errors import InferenceError
from inference.contract.request import Prompt


class Explain(GenerationParams):
    """The parameters of a picture that is not painted."""


@command
async def explain(ctx: Context, want: Explain) -> Reply:
    """Show how Easel reads a prompt and what it costs, without painting it."""
    params = want.model_copy(update={"seed": resolve.seed_for(want)})
    reading = resolve.reading_of(params, params.seed or 0)
    facts = [Fact(text(f"fact-{name}"), told) for name, told in _words(reading, want) if told]
    try:
        read = await ctx.read(params)
    except (BotError, InferenceError) as error:
        # The prompt was parsed; everything after an error would be a guess.
        return Reply(text=text("explain-refused", reason=tell(error.problem)), facts=tuple(facts))
    facts += [Fact(label(name), told) for name, told in settings(want, read, ctx.origins) if told]
    facts.append(Fact(text("fact-cost"), _cost(ctx, read)))
    told = [text("explain-read"), resolve.unknown_words(read.request, read.model_info)]
    return Reply(text="\n".join(filter(None, told)), facts=tuple(facts))


def _words(reading: Reading, want: GenerationParams) -> Iterator[tuple[str, str]]:
    """Yield the facts about the parsed prompt, by name."""
    yield "prompt", _weighed(reading.prompt)
    yield "negative", _weighed(grammar.join(grammar.read(want.negative or "").prompt, reading.negative))
    drawn = ", ".join(one or text("paint-no-words") for one in reading.chosen)
    yield "drawn", drawn if want.seed is not None or not drawn else text("explain-drawn", drawn=drawn)


def _weighed(weighed: Prompt) -> str:
    """Return the parts of a prompt, with the weight of every word whose weight is not 1."""
    parts = []
    for part in weighed.parts:
        told = [
            one.text.strip() if one.weight == 1 else text("explain-weight", words=one.text.strip(), weight=one.weight)
            for one in part
            if one.text.strip()
        ]
        parts.append(" · ".join(told))
    return text("explain-part").join(parts)


def settings(want: GenerationParams, read: Read, decided: Mapping[str, Origin]) -> Iterator[tuple[str, str]]:
    """Yield the settings that will be used and their origins, by name."""
    has_picture = read.params.image is not None
    for name, one in FIELDS.items():
        said = one.told(read.request)
        if not said or one.row.words or not one.row.fact or (one.row.of_image and not has_picture):
            continue
        if name == "seed" and want.seed is None:
            yield name, text("explain-seed")
        elif name == "size" and want.size is None and has_picture:
            yield name, text("explain-of-picture", value=said)
        elif name in decided or one.row.by_model:
            yield name, told_by(said, decided.get(name, "model"))
        else:
            yield name, said


def told_by(value: str, origin: Origin) -> str:
    """Return a value and its origin."""
    return text(f"explain-of-{origin}", value=value)


def _cost(ctx: Context, read: Read) -> str:
    """Return the cost: credits, and the estimated time."""
    seconds = ctx.app.seconds(read.request, read.roles)
    return text("explain-cost", credits=ctx.app.offer.credits(read.request, read.roles) / WHOLE, time=duration(seconds))

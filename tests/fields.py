"""Values to try the generation fields with: a field that is new gets one by its type and its range."""

from bot.commands.generate import imagine
from bot.framework.params import Kind
from bot.generation.fields import FIELDS

#: Values of fields that take words; of all others they follow from the range.
WORDS = {"prompt": "a boat", "negative": "fog", "model": "demo", "size": "64x80", "scheduler": "ddim"}


def example(name):
    """Return a value of a field that no model has of itself; a test that has no words for a field fails here."""
    param = imagine.param(name)
    if param.kind is Kind.WHOLE:
        return int(param.low) + 1
    if param.kind is Kind.REAL:
        return (param.low + param.high) / 2
    return param.choices[-1] if param.choices else WORDS[name]


def flags(*names):
    """Return fields as they are written in a line, each with a value."""
    return " ".join(f'--{name} "{example(name)}"' for name in names)


def given(params, *names):
    """Return which of some fields a wish has the example's value of."""
    return {name for name in names if getattr(params, name) == example(name)}


#: The fields that a line can give a value to without a picture or a preset.
PLAIN = tuple(name for name, one in FIELDS.items() if not (one.is_image or one.row.of_image) and name not in ("prompt", "preset"))

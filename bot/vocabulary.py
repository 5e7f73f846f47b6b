"""The kinds of parameters, each described once. `None` means not given: presets, the group and the operator are asked next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bot.prompt import MOST_CHARACTERS
from bot.spec import Also, PictureMark, Several, Suggested
from inference.passport import MAX_SEED, MOST_GUIDANCE, MOST_PICTURES, MOST_STEPS

if TYPE_CHECKING:
    from bot.app import Offer

#: Several prompts by `||` are one text, each of them up to `MOST_CHARACTERS`.
MOST_WORDS = 2 * MOST_CHARACTERS

#: Ids are 16 characters; more cannot be one.
_LONGEST_ID = 32


def _models(offer: "Offer") -> Sequence[str]:
    return tuple(offer.passports)


def _schedulers(offer: "Offer") -> Sequence[str]:
    return tuple(dict.fromkeys(name for one in offer.passports.values() for name in one.schedulers))


def _commands(offer: "Offer") -> Sequence[str]:
    return offer.commands


Prompt = Annotated[str, Field(min_length=1, max_length=MOST_WORDS, description="What to paint, in words"), Several()]
Negative = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="What not to paint"), Also("no")]
Source = Annotated[str | None, Field(description="A picture to start from"), PictureMark()]
Strength = Annotated[float | None, Field(ge=0, le=1, description="How much of that picture is painted anew")]
Size = Annotated[
    str | None, Field(max_length=20, description="Width and height such as 768x512, or a shape such as 16:9"), Also("ar", "aspect")
]
Steps = Annotated[int | None, Field(ge=1, le=MOST_STEPS, description="Denoising steps; more is slower")]
Guidance = Annotated[float | None, Field(ge=0, le=MOST_GUIDANCE, description="How closely to follow the words"), Also("cfg")]
Scheduler = Annotated[
    str | None, Field(max_length=40, description="How the steps are taken, such as euler a"), Suggested(_schedulers), Also("sampler")
]
Seed = Annotated[int | None, Field(ge=0, le=MAX_SEED, description="The same seed repeats a picture")]
Count = Annotated[int | None, Field(ge=1, le=MOST_PICTURES, description="How many pictures"), Also("n")]
Model = Annotated[str | None, Field(max_length=80, description="Which model paints"), Suggested(_models)]

Same = Annotated[bool | None, Field(description="The same seed too, for the same picture")]

JobId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Which request, by its id")]
PictureId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Which picture, by its id")]
CommandName = Annotated[str | None, Field(max_length=40, description="A command to tell more about"), Suggested(_commands)]
Words = Annotated[str | None, Field(max_length=200, description="Words to look for")]
Page = Annotated[int | None, Field(ge=1, le=10_000, description="Which page")]

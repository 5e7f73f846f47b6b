"""The kinds of parameters, each described once. `None` means not given: presets, the group and the operator are asked next."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from bot.framework.params import Also, Completed, FileMark, PictureMark, Several, Suggested
from bot.generation.model_catalog import ModelCatalog
from bot.generation.sizes import SHAPES
from bot.prompting.grammar import MOST_CHARACTERS
from inference.contract.model_info import MAX_SEED, MOST_GUIDANCE, MOST_PICTURES, MOST_STEPS

#: Several prompts by `||` are one text, each of them up to `MOST_CHARACTERS`.
MOST_WORDS = 2 * MOST_CHARACTERS

#: Ids are 16 characters; more cannot be one.
_LONGEST_ID = 32


def _models(offer: ModelCatalog) -> Sequence[str]:
    return tuple(offer.model_infos)


def _schedulers(offer: ModelCatalog) -> Sequence[str]:
    return tuple(dict.fromkeys(name for one in offer.model_infos.values() for name in one.schedulers))


def _shapes(offer: ModelCatalog) -> Sequence[str]:
    del offer
    return SHAPES


def _commands(offer: ModelCatalog) -> Sequence[str]:
    return offer.commands


Prompt = Annotated[str, Field(min_length=1, max_length=MOST_WORDS, description="What to paint, in words"), Several()]
Negative = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="What not to paint"), Also("no")]
OtherPrompt = Annotated[str | None, Field(max_length=MOST_WORDS, description="What to paint instead, in words"), Several()]
Source = Annotated[str | None, Field(description="A picture to start from"), PictureMark()]
Strength = Annotated[float | None, Field(ge=0, le=1, description="How much of that picture is painted anew")]
Size = Annotated[
    str | None,
    Field(max_length=20, description="Width and height such as 768x512, or a shape such as 16:9"),
    Suggested(_shapes),
    Also("ar", "aspect"),
]
Steps = Annotated[int | None, Field(ge=1, le=MOST_STEPS, description="Denoising steps; more is slower")]
Guidance = Annotated[float | None, Field(ge=0, le=MOST_GUIDANCE, description="How closely to follow the words"), Also("cfg")]
Scheduler = Annotated[
    str | None, Field(max_length=40, description="How the steps are taken, such as euler a"), Suggested(_schedulers), Also("sampler")
]
Seed = Annotated[int | None, Field(ge=0, le=MAX_SEED, description="The same seed repeats a picture")]
Count = Annotated[int | None, Field(ge=1, le=MOST_PICTURES, description="How many pictures"), Also("n")]
Model = Annotated[str | None, Field(max_length=80, description="Which model paints"), Suggested(_models)]

PresetName = Annotated[str | None, Field(max_length=80, description="A preset to paint with, by its name"), Completed("preset")]
PresetWords = Annotated[
    str | None,
    Field(min_length=1, max_length=MOST_WORDS, description="Its name, and words for it: slot:value, or anything else"),
    Completed("preset"),
]
PresetRest = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="Words for it: slot:value, or anything else")]
PresetNamed = Annotated[str, Field(min_length=1, max_length=80, description="Which preset, by its name"), Completed("preset")]
SlotValue = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="What stands there in the prompt")]
SlotWords = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="Your own words")]
SlotLetters = Annotated[str | None, Field(max_length=10, description="Which slots are asked for, a letter for each")]
PresetVersion = Annotated[int | None, Field(ge=1, description="Which version of the preset")]
SharedCode = Annotated[str | None, Field(max_length=_LONGEST_ID, description="What was shared, by its code")]
NewPreset = Annotated[str, Field(min_length=1, max_length=MOST_WORDS, description="A name of one word; the prompt may follow it")]
Template = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="The prompt, with slots such as {title} or {title=a cat}")]
SomePicture = Annotated[str | None, Field(max_length=_LONGEST_ID, description="A picture of yours to take everything from, by its id")]
Locked = Annotated[str | None, Field(max_length=200, description="What nobody may change, by name, with commas between")]
Ceilings = Annotated[str | None, Field(max_length=200, description="The most that others may set, such as steps=30, count=2")]
Tags = Annotated[str | None, Field(max_length=200, description="Words to find it by, with commas between")]
OtherName = Annotated[str | None, Field(max_length=32, description="What to call it")]
Everybody = Annotated[bool | None, Field(description="For everybody who uses Easel here, not only for this place")]
FileFormat = Annotated[
    Literal["easel", "a1111", "fooocus", "invokeai"] | None, Field(description="For which program; easel keeps everything")
]
PresetFile = Annotated[bytes | None, Field(description="A file with presets: of Easel, A1111, Fooocus or InvokeAI"), FileMark()]
PresetText = Annotated[str | None, Field(max_length=4_000, description="The content of such a file")]
Code = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="What was shared, by its code")]
CodeAndWords = Annotated[str, Field(min_length=1, max_length=MOST_WORDS, description="The code of what was shared; words may follow it")]
Order = Annotated[Literal["new", "used", "liked"] | None, Field(description="What comes first; new where nothing is said")]
Reason = Annotated[str | None, Field(max_length=200, description="Why it does not belong there")]
SharedWords = Annotated[str | None, Field(max_length=MOST_WORDS, description="A prompt to share alone, without a picture")]
SharedPicture = Annotated[str | None, Field(max_length=_LONGEST_ID, description="A picture of yours to share, by its id")]
LinkCode = Annotated[str | None, Field(max_length=80, description="The code that the other group was given")]
PersonCode = Annotated[str | None, Field(max_length=80, description="The code that you were given on the other platform")]
PlatformName = Annotated[str | None, Field(max_length=40, description="Which platform to leave; the one you write on, if left out")]
PersonId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Who, by their id")]
Until = Annotated[int, Field(ge=0, description="Until when this can be agreed to, in seconds of the clock")]
Off = Annotated[bool | None, Field(description="Take it back")]
Closed = Annotated[str | None, Field(max_length=300, description="Commands that members may not use in this place, with commas between")]
PlaceMost = Annotated[
    str | None, Field(max_length=200, description="The most that may be asked for in this place, such as steps=30, count=2")
]
PlaceCredits = Annotated[
    float | None, Field(ge=0, le=1_000_000, description="The most credits that each member may use in this place on one day")
]
Cover = Annotated[
    Literal["on", "off"] | None, Field(description="Whether pictures in this place are covered until somebody presses on them")
]
Switch = Annotated[Literal["on", "off"] | None, Field(description="Whether it is told; left out, it shows how that is now")]
Without = Annotated[
    str | None, Field(max_length=200, description="Settings of the request to leave to the model, by name, with commas between")
]
Unset = Annotated[str | None, Field(max_length=200, description="Settings to take back, by name, with commas between")]
Language = Annotated[Literal["en", "de", "es"] | None, Field(description="The language that Easel speaks")]
Here = Annotated[bool | None, Field(description="For everybody in this place, where you look after it")]
Same = Annotated[bool | None, Field(description="The same seed too, for the same picture")]

JobId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Which request, by its id")]
PictureId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Which picture, by its id")]
Somebody = Annotated[str, Field(min_length=1, max_length=80, description="Who: a name, an id, or platform:id")]
SomebodyOrHere = Annotated[str | None, Field(max_length=80, description="Who: a name, an id, or platform:id; nobody means this place")]
Credits = Annotated[float | None, Field(ge=-1_000_000, le=1_000_000, description="How many credits; fewer than none takes some back")]
Way = Annotated[Literal["first", "up", "down", "last"] | None, Field(description="Where to in your own line; first where nothing is said")]
CommandName = Annotated[str | None, Field(max_length=40, description="A command to tell more about"), Suggested(_commands)]
Words = Annotated[
    str | None, Field(max_length=200, description="Words to look for; also model: preset: by: seed: before: in: is:favourite")
]
Pair = Annotated[str, Field(min_length=1, max_length=2 * _LONGEST_ID + 1, description="Which picture, or which two, by their ids")]
Folder = Annotated[str | None, Field(max_length=40, description="A folder to keep it in")]
Page = Annotated[int | None, Field(ge=1, le=10_000, description="Which page")]

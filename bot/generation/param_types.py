"""The kinds of parameters, each described once. `None` means not given: presets, the group and the operator are asked next."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Protocol

from pydantic import Field

from bot.framework.params import Absent, Also, ButtonId, Completed, FileMark, PictureMark, Several, Suggested
from bot.generation.sizes import SHAPES
from bot.prompting.grammar import MOST_CHARACTERS
from inference.contract.inputs import Role
from inference.contract.model_info import MAX_SEED, MOST_GUIDANCE, MOST_PICTURES, MOST_STEPS, ModelInfo

#: Several prompts by `||` are one text, each of them up to `MOST_CHARACTERS`.
MOST_WORDS = 2 * MOST_CHARACTERS

#: Ids are 16 characters; more cannot be one.
_LONGEST_ID = 32


class Offered(Protocol):
    """What suggestions are made from; `ModelCatalog` is one."""

    @property
    def model_infos(self) -> Mapping[str, ModelInfo]:
        """Return the models by name."""
        ...

    @property
    def commands(self) -> Sequence[str]:
        """Return the names of the commands."""
        ...


def _models(offer: Offered) -> Sequence[str]:
    return tuple(offer.model_infos)


def _schedulers(offer: Offered) -> Sequence[str]:
    return tuple(dict.fromkeys(name for one in offer.model_infos.values() for name in one.schedulers))


def _shapes(offer: Offered) -> Sequence[str]:
    del offer
    return SHAPES


def _commands(offer: Offered) -> Sequence[str]:
    return offer.commands


Prompt = Annotated[str, Field(min_length=1, max_length=MOST_WORDS, description="What the picture should show"), Several()]
Negative = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="What the picture should not show"), Also("no")]
OtherPrompt = Annotated[str | None, Field(max_length=MOST_WORDS, description="What the picture should show instead"), Several()]
Source = Annotated[str | None, Field(description="A picture to start from"), PictureMark(Role.INIT)]
Strength = Annotated[float | None, Field(ge=0, le=1, description="How much of that picture to change")]
Size = Annotated[
    str | None,
    Field(max_length=20, description="Width and height such as 768x512, or a shape such as 16:9"),
    Suggested(_shapes),
    Also("ar", "aspect"),
]
Steps = Annotated[int | None, Field(ge=1, le=MOST_STEPS, description="Denoising steps; more take longer")]
Guidance = Annotated[float | None, Field(ge=0, le=MOST_GUIDANCE, description="How closely to follow the prompt"), Also("cfg")]
Scheduler = Annotated[
    str | None, Field(max_length=40, description="Scheduler (sampling method), such as euler a"), Suggested(_schedulers), Also("sampler")
]
ClipSkip = Annotated[
    int | None, Field(ge=1, le=4, description="Which layer of CLIP reads the prompt: 1 is the last, 2 the one before it"), ButtonId("k")
]
Smaller = Annotated[bool | None, Field(description="Make a smaller picture if the memory runs out"), ButtonId("m")]
Seed = Annotated[int | None, Field(ge=0, le=MAX_SEED, description="Random seed; the same seed repeats a picture"), Absent("random", "-1")]
Count = Annotated[int | None, Field(ge=1, le=MOST_PICTURES, description="Number of pictures"), Also("n")]
Model = Annotated[str | None, Field(max_length=80, description="Which model"), Suggested(_models)]

PresetName = Annotated[str | None, Field(max_length=80, description="Preset name"), Completed("preset")]
PresetWords = Annotated[
    str | None,
    Field(min_length=1, max_length=MOST_WORDS, description="Preset name, then your prompt; fill slots with slot:value"),
    Completed("preset"),
]
PresetRest = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="Your prompt; fill slots with slot:value")]
PresetNamed = Annotated[str, Field(min_length=1, max_length=80, description="Preset name"), Completed("preset")]
SlotValue = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="Text for this slot")]
SlotWords = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="Your prompt")]
SlotLetters = Annotated[str | None, Field(max_length=10, description="Slots in the form, one letter each")]
PresetVersion = Annotated[int | None, Field(ge=1, description="Version of the preset")]
SharedCode = Annotated[str | None, Field(max_length=_LONGEST_ID, description="Code of the shared item")]
NewPreset = Annotated[str, Field(min_length=1, max_length=MOST_WORDS, description="One-word preset name; the prompt can follow it")]
Template = Annotated[str | None, Field(max_length=MOST_CHARACTERS, description="Prompt, with slots such as {title} or {title=a cat}")]
SomePicture = Annotated[str | None, Field(max_length=_LONGEST_ID, description="Id of one of your pictures to take the settings from")]
Locked = Annotated[str | None, Field(max_length=200, description="Settings that can't be changed, separated by commas")]
Ceilings = Annotated[str | None, Field(max_length=200, description="Upper limits for others, such as steps=30, count=2")]
Tags = Annotated[str | None, Field(max_length=200, description="Search tags, separated by commas")]
OtherName = Annotated[str | None, Field(max_length=32, description="Name of the preset")]
Everybody = Annotated[bool | None, Field(description="For all users of this Easel, not only this chat")]
FileFormat = Annotated[
    Literal["easel", "a1111", "fooocus", "invokeai"] | None, Field(description="File format; only easel keeps everything")
]
PresetFile = Annotated[bytes | None, Field(description="Preset file of Easel, A1111, Fooocus or InvokeAI"), FileMark()]
PresetText = Annotated[str | None, Field(max_length=4_000, description="Content of a preset file, as text")]
Code = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Code of the shared item")]
CodeAndWords = Annotated[
    str, Field(min_length=1, max_length=MOST_WORDS, description="Code of the shared item; your own words can follow it")
]
Order = Annotated[Literal["new", "used", "liked"] | None, Field(description="Sort order; new if left out")]
Reason = Annotated[str | None, Field(max_length=200, description="Why it doesn't belong on the board")]
SharedWords = Annotated[str | None, Field(max_length=MOST_WORDS, description="A prompt to share without a picture")]
SharedPicture = Annotated[str | None, Field(max_length=_LONGEST_ID, description="Id of one of your pictures to share")]
LinkCode = Annotated[str | None, Field(max_length=80, description="Code from the other group")]
PersonCode = Annotated[str | None, Field(max_length=80, description="Code from the other platform")]
PlatformName = Annotated[str | None, Field(max_length=40, description="Platform to disconnect; this platform if left out")]
PersonId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="User id")]
Until = Annotated[int, Field(ge=0, description="When this expires, in Unix time")]
Off = Annotated[bool | None, Field(description="Undo it")]
Closed = Annotated[str | None, Field(max_length=300, description="Commands that members can't use here, separated by commas")]
PlaceMost = Annotated[str | None, Field(max_length=200, description="Upper limits in this chat, such as steps=30, count=2")]
PlaceCredits = Annotated[float | None, Field(ge=0, le=1_000_000, description="Credits that each member can use in this chat per day")]
Cover = Annotated[Literal["on", "off"] | None, Field(description="Hide pictures in this chat until tapped")]
Switch = Annotated[Literal["on", "off"] | None, Field(description="Turn it on or off; left out, show whether it is on")]
Without = Annotated[str | None, Field(max_length=200, description="Settings to leave to the model, separated by commas")]
Unset = Annotated[str | None, Field(max_length=200, description="Settings to reset, separated by commas")]
Language = Annotated[Literal["en", "de", "es"] | None, Field(description="Language of Easel's messages")]
Here = Annotated[bool | None, Field(description="For everyone in this chat; only moderators can")]
Same = Annotated[bool | None, Field(description="Use the same seed too, for the same picture")]

JobId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Job id; the buttons below a picture fill it in")]
PictureId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID, description="Picture id; the buttons below a picture fill it in")]
Somebody = Annotated[str, Field(min_length=1, max_length=80, description="User: a name, an id, or platform:id")]
SomebodyOrHere = Annotated[str | None, Field(max_length=80, description="A name, an id, or platform:id; leave it out for this chat")]
Credits = Annotated[float | None, Field(ge=-1_000_000, le=1_000_000, description="Number of credits; a negative number takes some back")]
Way = Annotated[Literal["first", "up", "down", "last"] | None, Field(description="New position in your own queue; first if left out")]
CommandName = Annotated[str | None, Field(max_length=40, description="Command to explain"), Suggested(_commands)]
Words = Annotated[str | None, Field(max_length=200, description="Words to find; also model: preset: by: seed: before: in: is:favourite")]
Pair = Annotated[str, Field(min_length=1, max_length=2 * _LONGEST_ID + 1, description="One or two picture ids, separated by a space")]
Folder = Annotated[str | None, Field(max_length=40, description="Folder for it")]
Page = Annotated[int | None, Field(ge=1, le=10_000, description="Page number")]

"""The table of generation fields: what a request for pictures is made of, each field declared once; and the parameters made of them.

A row is a field of `GenerationFields`: its type (`param_types`), and a `Row` for what differs from most fields. Commands take
fields with `taking`; all other code asks `FIELDS`. What the engine knows of a field is declared beside its request (`TRAITS` of
`inference.contract.request`). A new field is one row here, a description in each language, and the place that uses it.

`GenerationParams` are the parameters of `/imagine`, stored with the job so that they can be changed and sent again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_type_hints

from pydantic import create_model
from pydantic.fields import FieldInfo

from bot.core.values import Given, InputFile
from bot.framework.params import Params, PictureMark, picture_fields
from bot.generation import param_types
from bot.i18n.translate import keys, number, size, text
from inference.contract.inputs import Role
from inference.contract.request import TRAITS, PictureRequest, Traits
from inference.contract.request import Prompt as Words

P = TypeVar("P", bound=Params)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What there is to know of a field beside its type; left out, it is a setting of how to paint, such as the scheduler."""

    #: Users and channels can set a default for it.
    settable: bool = True
    #: A preset keeps it.
    preset: bool = True
    #: A preset can keep others from changing it.
    lockable: bool = True
    #: It goes along when a request is shared.
    shared: bool = True
    #: A command that changes a request, or paints with a preset, takes it as it is.
    changeable: bool = True
    #: A request that is painted again keeps the value that it was painted with, whatever its model would choose now.
    pinned: bool = True
    #: It is shown with the settings of a request.
    fact: bool = True
    #: It is about one picture, and not about how many there are.
    of_picture: bool = True
    #: It is words, which `Prompt` holds as they were read.
    words: bool = False
    #: It means something only with a picture to start from.
    of_image: bool = False
    #: Left out, the model decides it.
    by_model: bool = True
    #: It is an amount, written as people write numbers.
    amount: bool = True
    #: It changes what a request costs.
    priced: bool = False
    #: Presets and channels can set the most that may be asked for, a whole number or any.
    limit: Literal["whole", "real"] | None = None
    #: `easel paint` has an option for it.
    option: bool = True
    #: The fields of the engine's request that it becomes; one of its own name where nothing is said.
    becomes: tuple[str, ...] = ()


class GenerationFields(Params):
    """The table; `None` is what was left out. Its order is that of options, flags and facts."""

    prompt: Annotated[
        param_types.Prompt, Row(settable=False, preset=False, shared=False, changeable=False, pinned=False, words=True, option=False)
    ]
    negative: Annotated[param_types.Negative, Row(pinned=False, words=True)] = None
    image: Annotated[param_types.Source, Row(settable=False, preset=False, lockable=False, shared=False, pinned=False, fact=False)] = None
    strength: Annotated[param_types.Strength, Row(settable=False, shared=False, of_image=True, limit="real")] = None
    model: Annotated[param_types.Model, Row(priced=True)] = None
    size: Annotated[param_types.Size, Row(priced=True, becomes=("width", "height"))] = None
    steps: Annotated[param_types.Steps, Row(priced=True, limit="whole")] = None
    guidance: Annotated[param_types.Guidance, Row(limit="real")] = None
    scheduler: Annotated[param_types.Scheduler, Row()] = None
    clip_skip: Annotated[param_types.ClipSkip, Row()] = None
    seed: Annotated[param_types.Seed, Row(settable=False, preset=False, shared=False, by_model=False, amount=False)] = None
    count: Annotated[param_types.Count, Row(of_picture=False, by_model=False, priced=True, limit="whole")] = None
    smaller: Annotated[
        param_types.Smaller,
        Row(preset=False, lockable=False, shared=False, by_model=False, amount=False, becomes=("allow_smaller",)),
    ] = None
    preset: Annotated[
        param_types.PresetName,
        Row(preset=False, lockable=False, shared=False, changeable=False, pinned=False, fact=False, by_model=False, option=False),
    ] = None


@dataclass(frozen=True)
class GenerationField:
    """A row of the table with the name of its field."""

    name: str
    row: Row
    info: FieldInfo
    annotation: Any

    @property
    def becomes(self) -> tuple[str, ...]:
        """Return the fields of the engine's request that it becomes; none for what only the bot knows."""
        return self.row.becomes or ((self.name,) if self.name in PictureRequest.__struct_fields__ else ())

    @property
    def traits(self) -> Traits:
        """Return what the engine knows of it."""
        return next((TRAITS[name] for name in self.becomes if name in TRAITS), Traits())

    @property
    def is_image(self) -> bool:
        """Return whether it is a picture."""
        return any(isinstance(mark, PictureMark) for mark in self.info.metadata)

    def value(self, request: PictureRequest) -> Given | None:
        """Return its value in a request, as it would be given."""
        values = [getattr(request, name) for name in self.becomes]
        if len(values) > 1:
            return "x".join(map(str, values))
        value = values[0] if values else None
        return value.text if isinstance(value, Words) else value

    def told(self, request: PictureRequest) -> str:
        """Return its value in a request, as people read it; empty where there is none."""
        if len(self.becomes) > 1:
            return size(*(getattr(request, name) for name in self.becomes))
        value = self.value(request)
        if value is None or value is False:
            return ""
        if value is True:
            return text("fact-yes")
        return number(value) if self.row.amount and isinstance(value, int | float) else str(value)


def _rows() -> Mapping[str, GenerationField]:
    hints = get_type_hints(GenerationFields, include_extras=True)
    rows = {name: next(mark for mark in info.metadata if isinstance(mark, Row)) for name, info in GenerationFields.model_fields.items()}
    return {name: GenerationField(name, row, GenerationFields.model_fields[name], hints[name]) for name, row in rows.items()}


#: The fields by name, in the order of the table.
FIELDS = _rows()


def named(which: Callable[[Row], bool]) -> tuple[str, ...]:
    """Return the names of the fields of which something holds."""
    return tuple(name for name, one in FIELDS.items() if which(one.row))


#: What users and channels can set defaults for.
SETTABLE = named(lambda row: row.settable)

#: The settings of a preset, which stand beside its words.
PRESET_SETTINGS = named(lambda row: row.preset and not row.words)

#: What a preset can keep others from changing.
LOCKABLE = named(lambda row: row.lockable)

#: What a command takes that changes a request, or paints with a preset.
CHANGEABLE = named(lambda row: row.changeable)

#: What is kept back when a request is shared, beside its words.
KEPT_BACK = named(lambda row: not row.shared and not row.words)

#: What a form that asks for the slots of a preset carries: every setting that fits into words.
CARRIED = tuple(name for name in CHANGEABLE if not (FIELDS[name].is_image or FIELDS[name].row.of_image))

#: What can have a limit, and what of it is a whole number.
LIMITED = named(lambda row: row.limit is not None)
WHOLE = named(lambda row: row.limit == "whole")


def taking(names: tuple[str, ...]) -> Callable[[type[P]], type[P]]:
    """Return a decorator that adds fields of the table to a class of parameters, behind those that it declares itself."""

    def add(params: type[P]) -> type[P]:
        missing = [FIELDS[name] for name in FIELDS if name in names and name not in params.model_fields]
        added: Any = {one.name: (one.annotation, one.info.default) for one in missing}
        return create_model(params.__name__, __base__=params, __module__=params.__module__, __doc__=params.__doc__, **added)

    return add


def label(name: str) -> str:
    """Return what a fact is called; a field that no catalogue has another word for is called by its name."""
    key = f"fact-{name.replace('_', '-')}"
    return name.replace("_", " ") if name in FIELDS and key not in keys() else text(key)


class GenerationParams(GenerationFields):
    """The parameters of a request; `None` means left out. Pictures such as `image` are keys of the file store."""

    #: The fields that are pictures, with the role of each.
    roles: ClassVar[Mapping[str, Role]]

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:
        super().__pydantic_init_subclass__(**more)
        cls.roles = picture_fields(cls)

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """Return its pictures and what each is for."""
        given = ((role, getattr(self, name)) for name, role in self.roles.items())
        return tuple(InputFile(role, file) for role, file in given if file is not None)


GenerationParams.roles = picture_fields(GenerationParams)


def read_params(kept: str) -> GenerationParams:
    """Return parameters from their JSON; fields that Easel does not know, such as those of a later version, are left out."""
    return GenerationParams.model_validate(
        {name: value for name, value in json.loads(kept).items() if name in GenerationParams.model_fields}
    )

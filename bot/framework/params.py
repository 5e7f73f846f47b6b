"""What a parameter of a command is: its declaration as a field of a frozen model, and the neutral form that platforms see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from inference.contract.inputs import Role

#: The longest help text and the most choices of a parameter that every platform can show.
MOST_HELP, MOST_CHOICES = 100, 25


class Params(BaseModel):
    """The parameters of a command: one frozen value, which can be queued, stored, changed and sent again."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(Enum):
    """What a parameter takes."""

    TEXT = "text"
    WHOLE = "whole"
    REAL = "real"
    YES_NO = "yes-no"
    PICTURE = "picture"
    FILE = "file"


@dataclass(frozen=True)
class Also:
    """Marks a parameter that has other names in text: `Annotated[str, Also("no")]` for `--no fog`."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Absent:
    """Marks a parameter that has words for leaving it out: `Annotated[int, Absent("random", "-1")]`."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)


@dataclass(frozen=True)
class ButtonId:
    """Marks a parameter that buttons name by a short id: `Annotated[int, ButtonId("k")]`; without it they name it in full."""

    id: str


@dataclass(frozen=True)
class Suggested:
    """Marks a parameter with too many or too changeable values for choices; `names` finds them in what is on offer now."""

    #: Takes the `ModelCatalog`; untyped, because the framework is below it.
    names: Callable[[Any], Sequence[str]]


@dataclass(frozen=True)
class Completed:
    """Marks a parameter whose values depend on who asks, and where; `what` is looked for (`bot.app.App.complete`)."""

    what: Literal["preset"]


class FileMark:
    """Marks a parameter that is a file which is read and not kept; its value is its bytes."""


class Several:
    """Marks the words of a command that `||` cuts into several, each a run of its own."""


@dataclass(frozen=True)
class PictureMark:
    """Marks a parameter that is a picture for a role; its value is a key of the file store."""

    role: Role


@dataclass(frozen=True)
class Param:
    """One parameter as platforms see it. `low` and `high` bound numbers, `shortest` and `longest` the characters of a text.

    `default` is what holds when nothing is given; empty where that depends on others, such as the model. `command` is whose it is,
    `role` what a picture is for, `button_id` how buttons name it.
    """

    name: str
    help: str
    kind: Kind
    required: bool
    also: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    shortest: int | None = None
    longest: int | None = None
    choices: tuple[str, ...] = ()
    suggested: Suggested | None = None
    completed: Completed | None = None
    several: bool = False
    default: str = ""
    role: Role | None = None
    command: str = field(default="", compare=False)
    button_id: str = ""


class DeclarationError(TypeError):
    """A command that not every platform could show; found when it is declared."""


def picture_fields(params_type: type[Params]) -> dict[str, Role]:
    """Return the names of the fields that are pictures, with the role of each, in their order."""
    fields = params_type.model_fields.items()
    return {name: mark.role for name, field in fields for mark in field.metadata if isinstance(mark, PictureMark)}

"""Declarations of commands."""

from typing import Annotated, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import Field

from bot.commands import COMMANDS
from bot.core.values import new_id
from bot.framework.binding import bind
from bot.framework.command import MOST_ATTACHED, button_command, command
from bot.framework.params import Also, ButtonId, DeclarationError, FileMark, Kind, Params, PictureMark, picture_fields
from bot.framework.reply import MOST_WIRE, Reply
from inference.contract.inputs import Role

Words = Annotated[str, Field(description="Some words")]
Number = Annotated[int | None, Field(ge=1, le=9, description="A number")]
Flag = Annotated[bool | None, Field(description="Whether")]
Shown = Annotated[str | None, Field(description="A picture"), PictureMark(Role.INIT)]
Read = Annotated[bytes | None, Field(description="A file"), FileMark()]

#: Storable characters: no lone surrogates, no NUL.
WRITABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


class Small(Params):
    """A text, a number, a flag."""

    words: Words
    number: Number = None
    flag: Flag = None


@command
async def small(_ctx, want: Small) -> Reply:
    """Do little."""
    return Reply(text=want.words)


def declare(params, name="tried", doc="Try it."):
    """Declare a command with these parameters."""

    async def run(_ctx, _want):
        return Reply()

    run.__name__, run.__doc__ = name, doc
    run.__annotations__["_want"] = params
    return command(run)


def fields(**annotated):
    """Return a class of parameters."""
    return type("Tried", (Params,), {"__annotations__": annotated})


def test_a_command_is_read_off_its_declaration():
    """Name, help, kinds, ranges and the free text parameter are derived from the function and its params."""
    assert (small.name, small.help, small.free, small.hidden) == ("small", "Do little.", "words", False)
    words, number, flag = small.params
    assert (words.kind, words.required, words.help) == (Kind.TEXT, True, "Some words")
    assert (number.kind, number.required, number.low, number.high) == (Kind.WHOLE, False, 1, 9)
    assert flag.kind is Kind.YES_NO


def test_marks_and_defaults():
    """Platforms also see choices, aliases, pictures and defaults."""

    class Marked(Params):
        shape: Annotated[Literal["wide", "high"] | None, Field(description="The shape"), Also("s", "form")] = None
        picture: Annotated[str | None, Field(description="A picture"), PictureMark(Role.INIT)] = None
        amount: Annotated[float, Field(ge=0, le=1, description="How much")] = 0.5
        loud: Annotated[bool, Field(description="Whether")] = False

    shape, picture, amount, loud = declare(Marked).params
    assert (shape.choices, shape.also) == (("wide", "high"), ("s", "form"))
    assert picture.kind is Kind.PICTURE
    assert (amount.kind, amount.default, loud.default) == (Kind.REAL, "0.5", "no")


def test_buttons_of_commands_only_pressed_are_hidden():
    """A command that is only pressed is left out of menus."""

    @button_command
    async def press(_ctx, want: Small) -> Reply:
        """Press."""
        return Reply(text=want.words)

    assert press.hidden


@pytest.mark.parametrize("name", ["Tried", "tried-it", "1st", "a" * 33, "über"])
def test_names_that_a_platform_cannot_show(name):
    """A name is accepted only if the strictest platform accepts it."""
    with pytest.raises(DeclarationError):
        declare(Small, name=name)


@pytest.mark.parametrize("doc", [None, "", "x" * 101])
def test_help_that_a_platform_cannot_show(doc):
    """A command needs a help line of limited length."""
    with pytest.raises(DeclarationError):
        declare(Small, doc=doc)


@pytest.mark.parametrize(
    "annotated",
    [
        {f"n{number}": Number for number in range(26)},
        {"one": Words, "two": Words},
        {"Big": Words},
        {"bare": str},
        {"long": Annotated[str, Field(description="x" * 101)]},
        {"odd": Annotated[bytes, Field(description="Bytes")]},
        {"many": Annotated[list[str], Field(description="Several")]},
        {"more": Annotated[int, Field(gt=0, description="More than none")]},
        {"fives": Annotated[int, Field(multiple_of=5, description="Fives")]},
        {"inner": Annotated[Annotated[int, Field(ge=1)] | None, Field(description="Bounds that would be lost")]},
        {"one": Annotated[Number, Also("n")], "two": Annotated[Number, Also("n")]},
        {"one": Annotated[Number, ButtonId("n")], "two": Annotated[Number, ButtonId("n")]},
        {"n": Number, "two": Annotated[Number, ButtonId("n")]},
        {f"p{number}": Shown for number in range(MOST_ATTACHED + 1)},
        {"one": Shown, "two": Read},
        {"one": Read, "two": Read},
        {"which": Annotated[Literal[tuple(f"c{number}" for number in range(26))], Field(description="Which")]},
    ],
)
def test_parameters_that_a_platform_cannot_show(annotated):
    """A parameter that some platform could not ask for is refused at its declaration."""
    with pytest.raises(DeclarationError):
        declare(fields(**annotated))


def test_a_command_takes_several_pictures():
    """Pictures are parameters with roles, and attachments fill them in the order of the declaration."""
    mask = Annotated[str | None, Field(description="Where to change it"), PictureMark(Role.MASK)]
    params_type = fields(words=Words, mask=mask, image=Shown)
    declared = declare(params_type)
    assert [(one.name, one.kind, one.role) for one in declared.attachments] == [
        ("mask", Kind.PICTURE, Role.MASK),
        ("image", Kind.PICTURE, Role.INIT),
    ]
    assert picture_fields(params_type) == {"mask": Role.MASK, "image": Role.INIT}


def test_required_parameters_come_first():
    """Required parameters must be declared first, because platforms show them first."""

    class Late(Params):
        number: Number = None
        words: Words

    with pytest.raises(DeclarationError):
        declare(Late)


def test_the_second_argument_is_a_params_class():
    """A handler without a readable params class is not accepted as a command."""
    with pytest.raises(DeclarationError):
        declare(str)


@given(words=st.text(WRITABLE, min_size=1, max_size=12), number=st.none() | st.integers(1, 9), flag=st.none() | st.booleans())
def test_buttons_come_back_as_they_were_made(words, number, flag):
    """The values of a button are the values that its press binds to."""
    values = {"words": words, "number": number, "flag": flag}
    given_values = {name: value for name, value in values.items() if value is not None}
    assume(len(small.wire(**given_values).encode()) <= MOST_WIRE)
    button = small.button("button-info", **given_values)
    name, *parts = button.wire.split(":")
    assert name == "small"
    assert bind(small, small.pressed(parts)) == Small(**values)


@pytest.mark.parametrize("values", [{}, {"words": "a", "number": 10}, {"words": "a", "colour": "red"}, {"words": "x" * 64}])
def test_buttons_that_do_not_fit(values):
    """A button is checked when it is created: its values against the params, its length against the platforms' limits."""
    with pytest.raises(DeclarationError):
        small.button("button-info", **values)


def test_buttons_with_ids_always_fit():
    """Every command that takes an id can have a button for one."""
    for one in COMMANDS:
        if one.params and one.params[0].name in ("job", "picture"):
            assert one.button("button-info", **{one.params[0].name: new_id()})


def test_ids_are_never_read_as_flags():
    """An id begins with a letter or a digit, so that it can be typed without being read as a flag."""
    assert all(new_id()[0].isalnum() for _ in range(500))

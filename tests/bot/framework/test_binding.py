"""Binding: from given values to params."""

import re
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from bot.commands import COMMANDS
from bot.core.errors import BadInput
from bot.framework.binding import bind
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Reply
from bot.i18n.translate import tell


class Everything(Params):
    """A parameter of each kind."""

    words: Annotated[str, Field(min_length=1, max_length=20, description="Some words")]
    steps: Annotated[int | None, Field(ge=1, le=60, description="Steps")] = None
    amount: Annotated[float | None, Field(ge=0, le=1, description="How much")] = None
    most: Annotated[int | None, Field(le=5, description="Few")] = None
    shape: Annotated[Literal["wide", "high"] | None, Field(description="The shape")] = None
    loud: Annotated[bool | None, Field(description="Whether")] = None


@command
async def everything(_ctx, want: Everything) -> Reply:
    """Take everything."""
    return Reply(text=want.words)


def test_layers_lie_under_what_was_given():
    """Given values override the first layer, which overrides the next, and empty texts count as not given."""
    want = bind(everything, {"words": "a", "steps": ""}, {"steps": 20, "amount": 0.2}, {"steps": 10, "amount": 0.1, "loud": True})
    assert want == Everything(words="a", steps=20, amount=0.2, loud=True)


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("steps", " 30 ", 30),
        ("steps", 30, 30),
        ("amount", "0,5", 0.5),
        ("amount", ".5", 0.5),
        ("loud", "ON", True),
        ("loud", "no", False),
        ("shape", "Wide", "wide"),
        ("words", "a\x00b\ud800", "ab"),
    ],
)
def test_texts_become_what_they_mean(name, written, value):
    """Numbers, yes and no, and choices are parsed from text, and characters that no database accepts are removed."""
    assert getattr(bind(everything, {"words": "a", name: written}), name) == value


@pytest.mark.parametrize(
    ("given_values", "sentence"),
    [
        ({}, "/everything needs a value for words: Some words."),
        ({"words": ""}, "/everything needs a value for words: Some words."),
        ({"words": "x" * 21}, "words can have at most 20 characters; yours has 21."),
        ({"words": "a", "steps": "600"}, "steps must be from 1 to 60; you wrote 600."),
        ({"words": "a", "steps": "many"}, "steps must be a whole number from 1 to 60; you wrote many."),
        ({"words": "a", "steps": "1.5"}, "steps must be a whole number from 1 to 60; you wrote 1.5."),
        ({"words": "a", "most": 6}, "most must be at most 5; you wrote 6."),
        ({"words": "a", "amount": "half"}, "amount must be a number from 0 to 1; you wrote half."),
        ({"words": "a", "amount": "nan"}, "amount must be from 0 to 1; you wrote nan."),
        ({"words": "a", "shape": "round"}, "shape must be one of wide, high; you wrote round."),
        ({"words": "a", "loud": "perhaps"}, "loud must be yes or no; you wrote perhaps."),
        ({"words": "a", "step": "3"}, "/everything has no step; did you mean steps?"),
        ({"words": "a", "qqq": "3"}, "/everything has no qqq. /help everything lists its options."),
    ],
)
def test_every_mistake_has_its_sentence(given_values, sentence):
    """Every mistake has a sentence with the valid values."""
    with pytest.raises(BadInput) as refused:
        bind(everything, given_values)
    assert tell(refused.value.problem) == sentence


VALUES = st.one_of(
    st.text(max_size=70), st.integers(), st.floats(), st.booleans(), st.binary(max_size=9), st.sampled_from(["1e999", "٣", "9" * 5000])
)


@given(st.data())
def test_nothing_but_bad_input_comes_out(data):
    """Any values for any command are either bound or refused with `BadInput`."""
    one = data.draw(st.sampled_from((*COMMANDS, everything)))
    names = st.sampled_from([param.name for param in one.params] or ["none"]) | st.text(max_size=9)
    try:
        want = bind(one, data.draw(st.dictionaries(names, VALUES, max_size=5)))
    except BadInput as refused:
        told = tell(refused.problem)
        assert not re.search(r"Input should|validation error|pydantic|Something went wrong \(|\bvalid (string|integer|number)", told)
        told.encode()
        return
    assert isinstance(want, one.params_type)

"""The kinds of parameters, and the params built from them."""

import pytest
from pydantic import ValidationError

from bot.commands import COMMANDS
from bot.framework.params import Kind
from bot.generation.fields import GenerationParams

#: Names with the same meaning in every command; all other names mean an object of their own command.
SAME = {*GenerationParams.model_fields, "page", "job", "same", "here", "order", "tags", "folder"} - {"prompt"}


def test_one_parameter_is_one_thing_everywhere():
    """Parameters with the same meaning in several commands have one description, range and set of aliases."""
    known = {}
    for one in COMMANDS:
        for param in one.params:
            if param.name in SAME and not (param.name == "preset" and param.name == one.free):
                assert known.setdefault((param.name, param.required), param) == param


def test_other_names_are_those_of_the_field():
    """Users of other programs find the flags that they know."""
    imagine = COMMANDS[0]
    also = {name: param.name for param in imagine.params for name in param.also}
    assert also == {
        "no": "negative",
        "ar": "size",
        "aspect": "size",
        "cfg": "guidance",
        "sampler": "scheduler",
        "n": "count",
    }


def test_a_wish_survives_the_store():
    """Params written as JSON and read again are equal."""
    params = GenerationParams(prompt='a "red" circle\n', steps=4, guidance=0.1, size="16:9", model="demo")
    assert GenerationParams.model_validate_json(params.model_dump_json(exclude_none=True)) == params


def test_a_wish_cannot_be_changed():
    """Params are immutable: accepted params never change."""
    with pytest.raises(ValidationError):
        GenerationParams(prompt="a").steps = 3


def test_commands_need_no_more_than_words_or_an_id():
    """No typed command has more than one required parameter."""
    for one in COMMANDS:
        if one.hidden:
            continue
        assert sum(param.required for param in one.params) <= 1
        assert all(param.kind is Kind.TEXT for param in one.params if param.required)

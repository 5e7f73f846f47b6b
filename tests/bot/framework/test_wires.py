"""Buttons keep their meaning: buttons in old messages survive new fields, new names and another order."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from bot.commands import COMMANDS
from bot.core.errors import BadInput
from bot.framework import reply
from bot.framework.command import command
from bot.framework.params import ButtonId, Params
from bot.framework.reply import Reply
from tests.talk import talk

#: Each command with its fields as buttons encode them: positional fields in their order, then `id=field` for named fields. If a test fails
#: here, append an entry to a list; never move or remove one, because its buttons are in chats.
GOLDEN = json.loads((Path(__file__).parent / "button_fields.json").read_text())

#: Custom ids as the version of 2026-11-23 wrote them, with their values.
RECORDED = json.loads((Path(__file__).parent / "button_wires.json").read_text())

KNOWN = {one.name: one for one in COMMANDS}

WRITABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def carried(one):
    """Return the fields of a command as buttons encode them."""
    channels = reply.PLACES.get(one.name, ())
    return [*channels, *(f"{param.button_id or param.name}={param.name}" for param in one.params if param.name not in channels)]


def test_no_field_changes_its_place_or_its_id():
    """The positions and ids of all fields are those of the golden file."""
    assert {one.name: carried(one) for one in COMMANDS} == GOLDEN


def test_every_place_is_of_a_field():
    """Every position belongs to a field of its command or is marked as removed, and a renamed command is found by its old name."""
    for name, channels in reply.PLACES.items():
        assert {*channels} - {"-"} <= {param.name for param in KNOWN[name].params}, name
    assert all(now in KNOWN and before not in KNOWN for before, now in reply.RENAMED.items())


@pytest.mark.parametrize("recorded", RECORDED, ids=[one["wire"] for one in RECORDED])
def test_old_buttons_mean_what_they_meant(recorded):
    """A custom id recorded before fields were named gives the same values to the same fields."""
    one = KNOWN[reply.command_of(recorded["wire"])]
    assert one.name == recorded["command"]
    assert one.pressed(recorded["wire"].split(":")[1:]) == recorded["values"]


def test_a_new_field_moves_no_old_value():
    """A command with a new field in the middle reads its old buttons as before, and new buttons name the new field."""

    class Wanted(Params):
        job: Annotated[str, Field(description="Which")]
        between: Annotated[int | None, Field(description="New"), ButtonId("b")] = None
        same: Annotated[bool | None, Field(description="Old")] = None

    @command
    async def again(_ctx, _want: Wanted) -> Reply:
        """Paint once more."""
        return Reply()

    assert again.pressed(["abc", "yes"]) == {"job": "abc", "same": "yes"}
    made = again.wire(job="abc", between=2, same="yes")
    assert made == "again:abc:yes:%b=2"
    assert again.pressed(made.split(":")[1:]) == {"job": "abc", "between": "2", "same": "yes"}


async def test_a_renamed_command_keeps_its_buttons(tmp_path, monkeypatch):
    """A button with a command's former name runs that command, and an unknown name is refused."""
    async with talk(tmp_path) as bot:
        monkeypatch.setattr(reply, "RENAMED", {"assist": "help"})
        assert (await bot.press("assist:imagine")).text == (await bot.press("help:imagine")).text
        with pytest.raises(BadInput):
            await bot.press("assist2:imagine")


@given(st.dictionaries(st.sampled_from(["preset", "asks", "words", "one", "two"]), WRITABLE.filter(bool)))
def test_values_come_back_as_they_were(values):
    """Any values written to a custom id are read back from it, by position or by id."""
    ids = {"preset": "preset", "asks": "asks", "words": "words", "one": "o", "two": "two"}
    assert reply.read_wire("fill", ids, reply.write_wire("fill", ids, values).split(":")[1:]) == values


@pytest.mark.parametrize("parts", [["a", "yes", "more"], ["a", "yes", ""], ["%x=1"], ["%"], ["a", "%job=b"], ["%job=a", "%job=b"]])
def test_what_no_button_carries_is_refused(parts):
    """Too many values, unknown ids and a field given twice are refused."""
    with pytest.raises(BadInput):
        KNOWN["again"].pressed(parts)

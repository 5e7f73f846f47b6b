"""Buttons of views: each names an existing command and valid values."""

import pytest

from bot.commands import COMMANDS
from bot.framework import reply
from bot.framework.reply import MOST_WIRE
from bot.store.jobs.job import CANCELLED, DONE, FAILED, PAUSED, RUNNING, WAITING
from bot.views import job_card

_ID = "0123456789abcdef"
_KNOWN = {one.name: one for one in COMMANDS}


def _shown():
    """Return every button that views create, with its values."""
    for state in (WAITING, PAUSED, RUNNING, DONE, CANCELLED, FAILED):
        yield from job_card.job_buttons(_ID, state)
    yield from job_card.picture_buttons(_ID)
    yield from job_card.info_buttons(_ID, is_marked=False, is_own=True)
    yield from job_card.info_buttons(_ID, is_marked=True, is_own=False)
    yield from job_card.post_buttons(_ID)
    yield job_card.button("button-board", "board", order="new")
    yield job_card.button("button-archive", "preset_delete", preset=f"#{_ID}", careful=True)
    yield job_card.button("button-fork", "preset_fork", preset=f"#{_ID}")


@pytest.mark.parametrize("shown", {one.wire: one for one in _shown()}.values(), ids=lambda one: one.wire)
def test_buttons_are_taken_by_the_commands_that_they_name(shown):
    """Every button of a view binds to its command as declared, and fits on every platform."""
    _, *parts = shown.wire.split(":")
    command = _KNOWN[reply.command_of(shown.wire)]
    values = command.pressed(parts)
    assert set(values.values()) <= {_ID, f"#{_ID}", "new"}
    assert values
    command.params_type(**values)
    assert command.wire(**values) == shown.wire
    assert len(shown.wire.encode()) <= MOST_WIRE

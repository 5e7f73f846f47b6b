"""Suggestions for mistyped words: only words that are near."""

import pytest

from bot.commands import COMMANDS
from bot.core.suggest import nearest

NAMES = [one.name for one in COMMANDS]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *[("imagin", "imagine"), ("iamgine", "imagine"), ("sharre", "share"), ("hlep", "help"), ("Histroy", "history"), ("qeue", "queue")],
        *[("upscale", ""), ("models", ""), ("nope", ""), ("upload", ""), ("xyz", ""), ("", "")],
    ],
)
def test_only_a_slip_is_corrected(typed, meant):
    """A slip of the keyboard is answered with the command that was meant, and another word with no suggestion."""
    assert nearest(typed, NAMES) == meant

"""Lines as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shared.command_line import Line, read_line


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("a red circle", Line("imagine", "a red circle")),
        ("/imagine a red circle", Line("imagine", "a red circle")),
        ("  /Imagine   a\nred circle  ", Line("imagine", "a\nred circle")),
        ("/imagine\na red circle", Line("imagine", "a red circle")),
        ("/queue", Line("queue", "")),
        ("/preset-save mine", Line("preset_save", "mine")),
        ("/imagine@easel_bot a circle", Line("imagine", "a circle", "easel_bot")),
        ("/usr/bin in the rain", Line("imagine", "/usr/bin in the rain")),
        ("/2 circles", Line("imagine", "/2 circles")),
        ("a /queue of people", Line("imagine", "a /queue of people")),
        ("/ queue", Line("imagine", "/ queue")),
        ("//queue", Line("imagine", "//queue")),
        ("", Line("imagine", "")),
    ],
)
def test_lines(line, read):
    """A slash and a name at the start call a command; any other line asks for a picture."""
    assert read_line(line) == read


@given(st.text())
def test_every_line_reads(text):
    """Whatever is typed reads as a command with words, and no word is lost."""
    read = read_line(text)
    assert read.command
    assert text.strip().endswith(read.words)

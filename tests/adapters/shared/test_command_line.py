"""Parsing of typed lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shared.command_line import CommandLine, read_line


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("a red circle", CommandLine("imagine", "a red circle")),
        ("/imagine a red circle", CommandLine("imagine", "a red circle")),
        ("  /Imagine   a\nred circle  ", CommandLine("imagine", "a\nred circle")),
        ("/imagine\na red circle", CommandLine("imagine", "a red circle")),
        ("/queue", CommandLine("queue", "")),
        ("/preset-save mine", CommandLine("preset_save", "mine")),
        ("/imagine@easel_bot a circle", CommandLine("imagine", "a circle", "easel_bot")),
        ("/usr/bin in the rain", CommandLine("imagine", "/usr/bin in the rain")),
        ("/2 circles", CommandLine("imagine", "/2 circles")),
        ("a /queue of people", CommandLine("imagine", "a /queue of people")),
        ("/ queue", CommandLine("imagine", "/ queue")),
        ("//queue", CommandLine("imagine", "//queue")),
        ("", CommandLine("imagine", "")),
    ],
)
def test_lines(line, read):
    """A slash and a name at the start call a command; any other line is a prompt."""
    assert read_line(line) == read


@given(st.text())
def test_every_line_reads(text):
    """Every line parses as a command with words, and no word is lost."""
    read = read_line(text)
    assert read.command
    assert text.strip().endswith(read.words)


@pytest.mark.parametrize("line", ["/", "//", " / ", "/\n"])
def test_nothing_but_slashes_asks_for_help(line):
    """A line of slashes shows the help and generates no image."""
    assert read_line(line) == CommandLine("help", "")

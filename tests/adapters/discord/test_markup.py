"""User text in Discord's markdown."""

import re

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.render import plain, small, within

HOSTILE = (
    "@everyone @here <@1> <@!1> <@&1> <#1> </imagine:1> <:cat:1> <a:cat:1> <t:1:R> <id:home>",
    "**bold** __under__ _it_ *it* ~~gone~~ ||secret|| `code` ```\ncode\n```",
    "[free](http://a.example) http://a.example <https://a.example> a@b.example",
    "# large\n## less\n### least\n-# small\n> quote\n>>> all\n- list\n* list\n+ list\n1. list\n 20. list",
    "\\*not this either\\*",
)


def unescaped(text):
    """Return a text without its escaped characters."""
    return re.sub(r"\\[^0-9A-Za-z\s]", "", text)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_have_no_effect(words):
    """Escaped text contains no markup, mention, emoji, timestamp, link or list."""
    left = unescaped(plain(words))
    assert not re.search(r"[\\*_~`|>#<@\[\]()+-]|https?:|^\s*\d+\.", left, re.MULTILINE)


@given(st.text())
def test_nothing_is_lost(words):
    """Unescaping an escaped text returns the original text."""
    assert re.sub(r"\\([^0-9A-Za-z\s])", r"\1", plain(words)) == words


@given(st.text())
def test_no_less_is_escaped_than_the_library_escapes(words):
    """Nothing that the library's own function would escape is left in escaped text."""
    left = unescaped(plain(words))
    assert discord.utils.escape_mentions(left) == left


@given(st.text(min_size=1), st.integers(1, 50))
def test_long_words_end_with_an_ellipsis(words, most):
    """A text that is too long is cut and ends with an ellipsis."""
    shown = re.sub(r"\\([^0-9A-Za-z\s])", r"\1", plain(words, most))
    assert len(shown) <= most
    assert shown == words or shown.endswith("…")


def test_small_print_is_small_in_every_line():
    """Each line of small print is marked as such, and empty lines are dropped."""
    assert small("one\n\ntwo") == "-# one\n-# two"


@given(st.lists(st.text("ab ", max_size=30)), st.integers(3, 100))
def test_lines_have_room(lines, most):
    """As many whole lines as fit are kept, and an ellipsis stands for the rest."""
    shown = within(lines, most)
    assert len(shown) <= most
    assert shown == "\n".join(lines) or shown.endswith("…")

"""Suggested words for a prompt with unknown words."""

from bot.generation.resolve import suggestions
from inference.demo.words import known_words


def test_like_words_come_first():
    """A mistyped word is suggested first."""
    assert suggestions(("circel", "purpel"), known_words())[:2] == ("circle", "purple")


def test_there_is_always_something_to_try():
    """Unknown words without similar words still get a few suggestions, each once and none too short to help."""
    offered = suggestions(("dragon", "wizard"), known_words())
    assert 4 <= len(offered) <= 8
    assert len(set(offered)) == len(offered)
    assert all(len(word) > 3 and word in known_words() for word in offered)


def test_small_vocabularies():
    """A model with a small vocabulary suggests all of it, and a model without one suggests nothing."""
    assert suggestions(("x",), ("a", "b")) == ("a", "b")
    assert suggestions(("x",), ()) == ()

"""Words offered to somebody who used unknown ones."""

from bot.generation.resolve import suggestions
from inference.demo.words import known_words


def test_like_words_come_first():
    """A word that was mistyped is offered right away."""
    assert suggestions(("circel", "purpel"), known_words())[:2] == ("circle", "purple")


def test_there_is_always_something_to_try():
    """Words like nothing known still get a handful of others, each once and none too short to help."""
    offered = suggestions(("dragon", "wizard"), known_words())
    assert 4 <= len(offered) <= 8
    assert len(set(offered)) == len(offered)
    assert all(len(word) > 3 and word in known_words() for word in offered)


def test_small_vocabularies():
    """A model that knows little offers what it knows; one that knows nothing offers nothing."""
    assert suggestions(("x",), ("a", "b")) == ("a", "b")
    assert suggestions(("x",), ()) == ()

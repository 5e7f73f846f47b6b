"""Sentences of a Fluent catalogue."""

import pytest

from bot.i18n.translate import Sentences

SOURCE = """\
### A catalogue
plain = As it stands
# With a fact
greeting = Hello, { $name }
several = { $count ->
    [0] nothing
    [one] one picture
   *[other] { $count } pictures
} in { $place }
kind = { $kind ->
    [small] little
   *[large] big
}
left-out = { GIVEN($near) ->
    [yes] Near { $near }.
   *[no] Nowhere.
}
place = { $n }{ ORDINAL($n) ->
    [one] st
    [two] nd
    [few] rd
   *[other] th
}
braces = Write {"{"}image{"}"}
long =
    Two lines
    are one text
term = { -brand }
broken = { $a
"""

ENGLISH = Sentences(SOURCE)


@pytest.mark.parametrize(
    ("key", "facts", "told"),
    [
        ("plain", {}, "As it stands"),
        ("greeting", {"name": "Ann"}, "Hello, Ann"),
        ("greeting", {"name": 7.0}, "Hello, 7"),
        ("greeting", {"name": 2.675001}, "Hello, 2.68"),
        ("greeting", {"name": -0.001}, "Hello, 0"),
        ("greeting", {"name": 1234567}, "Hello, 1234567"),
        ("several", {"count": 0, "place": "a"}, "nothing in a"),
        ("several", {"count": 1, "place": "a"}, "one picture in a"),
        ("several", {"count": 1.0, "place": "a"}, "one picture in a"),
        ("several", {"count": 1.5, "place": "a"}, "1.5 pictures in a"),
        ("several", {"count": "one", "place": "a"}, "one picture in a"),
        ("kind", {"kind": "small"}, "little"),
        ("kind", {"kind": "unheard of"}, "big"),
        ("left-out", {"near": ""}, "Nowhere."),
        ("left-out", {"near": "here"}, "Near here."),
        ("braces", {}, "Write {image}"),
        ("long", {}, "Two lines\nare one text"),
    ],
)
def test_facts_are_filled_in(key, facts, told):
    """A sentence contains its facts, and the words that agree with them."""
    assert ENGLISH.tell(key, facts) == told


@pytest.mark.parametrize(
    ("n", "told"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"), (111, "111th")]
)
def test_places_are_counted_as_people_do(n, told):
    """An ordinal number has the right ending, also for the teens."""
    assert ENGLISH.tell("place", {"n": n}) == told


@pytest.mark.parametrize("key", ["greeting", "several", "kind", "left-out", "place"])
def test_a_missing_fact_is_no_fault(key):
    """A sentence with missing facts is still shown, because it tells the user more than an error about an error."""
    assert ENGLISH.tell(key, {})


def test_keys_are_those_of_messages():
    """Comments and indented lines are not keys."""
    assert ENGLISH.keys == {"plain", "greeting", "several", "kind", "left-out", "place", "braces", "long", "term", "broken"}


@pytest.mark.parametrize("key", ["term", "broken"])
def test_what_cannot_be_told_is_refused(key):
    """Syntax that the catalogue may not use, and text that is no Fluent, are refused and not misread."""
    with pytest.raises(ValueError, match="catalogue"):
        ENGLISH.tell(key, {})

"""Flags in a line of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadInput
from bot.framework.binding import MOST_CHARACTERS, Spoken, parse_flags
from bot.framework.params import Kind, Param, Suggested
from bot.i18n.translate import tell
from bot.prompting import grammar

PARAMS = (
    Param("prompt", "What to paint", Kind.TEXT, True, longest=4000),
    Param("negative", "What not to paint", Kind.TEXT, False, also=("no",), longest=2000),
    Param("note", "Anything", Kind.TEXT, False),
    Param("size", "Width and height", Kind.TEXT, False, also=("ar", "aspect"), longest=20, suggested=Suggested(lambda _: ("1:1", "16:9"))),
    Param("scheduler", "How steps are taken", Kind.TEXT, False, longest=40, suggested=Suggested(lambda _: ("euler a",))),
    Param("mode", "How", Kind.TEXT, False, choices=("rough", "fine")),
    Param("steps", "Steps", Kind.WHOLE, False),
    Param("guidance", "Guidance", Kind.REAL, False, also=("cfg",)),
    Param("share_it", "Show it to all", Kind.YES_NO, False),
    Param("image", "A picture", Kind.PICTURE, False),
)


def given_in(text):
    """Return the words and the flag values of a line."""
    spoken = parse_flags(text, PARAMS)
    return spoken.words, spoken.given


@pytest.mark.parametrize(
    ("text", "words", "values"),
    [
        ("a castle", "a castle", {}),
        ("  a castle \n by the sea ", "a castle \n by the sea", {}),
        ("a castle --steps 30", "a castle", {"steps": "30"}),
        ("--steps=30 a castle", "a castle", {"steps": "30"}),
        ("a --steps 30 castle", "a castle", {"steps": "30"}),
        ("a\n--steps 30\ncastle", "a\n\ncastle", {"steps": "30"}),
        ("a —steps 30 –cfg 7.5 b", "a b", {"steps": "30", "guidance": "7.5"}),
        ("--ar 16:9 a castle --Aspect_Ratio", None, None),
        ("--ar 16:9 a castle --STEPS 3", "a castle", {"size": "16:9", "steps": "3"}),
        ("a --no fog, rain --steps 3 b", "a b", {"negative": "fog, rain", "steps": "3"}),
        ("a --no=fog and\nrain", "a", {"negative": "fog and\nrain"}),
        ("a --scheduler euler a --cfg -1", "a", {"scheduler": "euler a", "guidance": "-1"}),
        ("a --mode rough sea", "a sea", {"mode": "rough"}),
        ('a --no "fog --steps 3" b', "a b", {"negative": "fog --steps 3"}),
        ("a --no “fog and rain”b", "a b", {"negative": "fog and rain"}),
        ("a --steps „30“ --note «x y» c", "a c", {"steps": "30", "note": "x y"}),
        ('a --no "fog', "a", {"negative": '"fog'}),
        ("a --share-it b", "a b", {"share_it": "yes"}),
        ("a --share_it\nb", "a\nb", {"share_it": "yes"}),
        ("a --share-it Off b", "a b", {"share_it": "Off"}),
        ("a --share-it=no b", "a b", {"share_it": "no"}),
        ('a --share-it "b"', 'a "b"', {"share_it": "yes"}),
        ("a --image https://a.b/c.png d", "a d", {"image": "https://a.b/c.png"}),
        ("well-made a--b -- --5 — 5 -steps 3 —", "well-made a--b -- --5 — 5 -steps 3 —", {}),
        (r"a \--steps 3 \—b c\--d", r"a --steps 3 —b c\--d", {}),
        (r"a --no \--fog --steps 3", "a", {"negative": "--fog", "steps": "3"}),
        ("", "", {}),
    ],
)
def test_lines(text, words, values):
    """Flags are taken out wherever they stand, and the rest are the words."""
    if words is None:
        with pytest.raises(BadInput):
            parse_flags(text, PARAMS)
    else:
        assert given_in(text) == (words, values)


@pytest.mark.parametrize(
    ("text", "key", "facts"),
    [
        ("a --stpes 30", "input-flag-unknown", {"given": "stpes", "nearest": "steps"}),
        ("a --steps: 30", "input-flag-unknown", {"given": "steps:", "nearest": "steps"}),
        ("a --qqqq", "input-flag-unknown", {"given": "qqqq", "nearest": ""}),
        ("a --" + "z" * 99, "input-flag-unknown", {"given": "z" * 40}),
        ("--steps 3 --steps 4", "input-flag-twice", {"name": "steps"}),
        ("--ar 1:1 --size 3x4", "input-flag-twice", {"name": "size"}),
        ("a --steps", "input-flag-value", {"given": "steps"}),
        ("a --steps --cfg 3", "input-flag-value", {"given": "steps"}),
        ("a --no --cfg 3", "input-flag-value", {"given": "no"}),
        ("a --steps= 3", "input-flag-value", {"given": "steps"}),
        ('a --no ""', "input-flag-value", {"given": "no"}),
        ("a" * (MOST_CHARACTERS + 1), "input-line-long", {"most": MOST_CHARACTERS}),
    ],
)
def test_refused_lines(text, key, facts):
    """A mistake in a flag is reported with the flag's name, and with the nearest name if it is unknown."""
    with pytest.raises(BadInput) as caught:
        parse_flags(text, PARAMS)
    problem = caught.value.problem
    assert (problem.key, {name: problem.facts[name] for name in facts}) == (key, facts)
    assert "{" not in tell(problem)


def test_the_longest_line():
    """The longest allowed line is parsed."""
    assert parse_flags("a" * MOST_CHARACTERS, PARAMS) == Spoken("a" * MOST_CHARACTERS, {})


PIECES = ["--steps", "--no", "—", "–", "--", "\\", "=", " ", "\n", '"', "”", "a", "3", "share-it", "--share_it", "é", "-"]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200))
def test_everything_parses(text):
    """Any line gives trimmed words and values that are not empty, or `BadInput`."""
    try:
        spoken = parse_flags(text, PARAMS)
    except BadInput:
        return
    assert spoken.words == spoken.words.strip()
    assert all(spoken.given.values())
    assert set(spoken.given) <= {one.name for one in PARAMS}


@given(
    st.lists(st.sampled_from([*PIECES, "(", "||", "{"]), max_size=60).map("".join)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
)
def test_escaped_words_are_no_flags(text):
    """An escaped prompt comes back unchanged from a line, whatever flags follow it."""
    spoken = parse_flags(f"{grammar.escape(text)} --steps 3", PARAMS)
    assert spoken.given == {"steps": "3"}
    assert "".join(one.text for part in grammar.read(spoken.words).prompt.parts for one in part) == text.strip()


@given(st.text(st.sampled_from("ab-— ().é12"), min_size=1, max_size=50).filter(str.strip))
def test_quoted_values_are_kept(value):
    """The text in quotes is the value, including flags in it."""
    assert given_in(f'a --no "{value}" b') == ("a b", {"negative": value.strip()})

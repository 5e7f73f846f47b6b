"""The prompt grammar."""

import random
import sys
from types import FrameType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadInput
from bot.prompting import grammar, tokenizer
from bot.prompting.grammar import DEEPEST, LEAST_WEIGHT, MOST_CHARACTERS, MOST_WEIGHT, Reading, escape, is_visible, read, split
from tests.stores import tries

#: Texts that are mostly grammar, so that hypothesis reaches its corner cases.
SIGNS = [
    *"()[]{}\\:.,-+|<>_ \n12ab",
    *("BREAK", " BREAK ", ":1.2)", "\\(", "é", "円", "(-", " -", "{image}", "{image:", "http://a.b/", "||", "--", "—", "__", "<lora:"),
]
written = st.lists(st.sampled_from(SIGNS), max_size=200).map("".join)

anything = st.one_of(st.text(max_size=300), written)


def fragments(text):
    """Return the fragments of every part, as pairs."""
    return [[(one.text, one.weight) for one in part] for part in read(text).prompt.parts]


def spoken(text):
    """Return the words without any emphasis."""
    return words(read(text).prompt)


def words(made):
    """Return the words of a prompt without their weights."""
    return "".join(one.text for part in made.parts for one in part)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a red circle", [[("a red circle", 1.0)]]),
        ("a (red) circle", [[("a ", 1.0), ("red", 1.1), (" circle", 1.0)]]),
        ("a [red] circle", [[("a ", 1.0), ("red", 0.9091), (" circle", 1.0)]]),
        ("((red))", [[("red", 1.21)]]),
        ("([red])", [[("red", 1.0)]]),
        ("(red:1.3) circle", [[("red", 1.3), (" circle", 1.0)]]),
        ("(red : .5 )", [[("red", 0.5)]]),
        ("(a (red:1.5) circle:1.2)", [[("a ", 1.2), ("red", 1.8), (" circle", 1.2)]]),
        ("(ratio 3:4:1.2)", [[("ratio 3:4", 1.2)]]),
        ("(red) [blue]", [[("red ", 1.1), ("blue", 0.9091)]]),
    ],
)
def test_emphasis(text, parts):
    """Brackets mean what they mean in A1111."""
    assert fragments(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a BREAK b", [[("a", 1.0)], [("b", 1.0)]]),
        ("(a BREAK b)", [[("a", 1.1)], [("b", 1.1)]]),
        ("BREAK a BREAK BREAK b BREAK", [[("a", 1.0)], [("b", 1.0)]]),
        ("BREAKFAST break \\BREAK", [[("BREAKFAST break BREAK", 1.0)]]),
        ("", []),
        (" \n", []),
        ("(:1.2)", []),
    ],
)
def test_parts(text, parts):
    """BREAK starts a part, at any depth; blank parts are left out, and the word itself can be escaped."""
    assert fragments(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "a) b",
        "(a b",
        "a ] b [",
        "(a ] b",
        "a:1.2) b",
        "smile :) and :(",
        "a\\b \\",
        "{a} | <3 b>",
        "a -> b < c <-> d",
        "snake__case__word __ ___ __init",
        "a - \\B c",
        "()()",
        "(a:x)",
    ],
)
def test_lone_brackets_are_text(text):
    """A bracket without its partner, and every sign without a meaning, is plain text."""
    assert spoken(text).replace("(", "").replace(")", "") == text.replace("(", "").replace(")", "")


def test_crossed_brackets():
    """If brackets cross, the first pair to close counts and the other signs are text."""
    assert fragments("(a [b) c]") == [[("a [b", 1.1), (" c]", 1.0)]]


@pytest.mark.parametrize(("text", "weight"), [("(a:-3)", LEAST_WEIGHT), ("(a:99)", MOST_WEIGHT), ("((a:2):2)", MOST_WEIGHT)])
def test_weights_are_clamped(text, weight):
    """A weight outside the range becomes the nearest limit."""
    assert fragments(text) == [[("a", weight)]]


def test_weights_multiply_before_they_are_clamped():
    """A strong bracket around a weak bracket gives their product, even if the strong bracket alone would be clamped."""
    assert fragments("((a:0.25):4)") == [[("a", 1.0)]]


def test_long_prompts_are_refused():
    """The longest prompt is parsed, and one character more is refused with both numbers."""
    assert read("a" * MOST_CHARACTERS).prompt.parts
    with pytest.raises(BadInput) as caught:
        read("a" * (MOST_CHARACTERS + 1))
    assert (caught.value.problem.key, caught.value.problem.facts) == ("input-prompt-long", {"most": 2000, "given": 2001})


def test_deep_prompts_are_refused():
    """The deepest nesting is parsed, and one bracket more is refused; brackets that never close do not count."""
    assert fragments("[" * DEEPEST + "a" + "]" * DEEPEST) == [[("a", round(1.1**-DEEPEST, 4))]]
    assert fragments("(" * 500 + "a") == [[("(" * 500 + "a", 1.0)]]
    with pytest.raises(BadInput, match="input-prompt-deep"):
        read("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1))


@given(anything, st.none() | st.randoms(use_true_random=False))
def test_everything_reads(text, rng):
    """Any text gives usable prompts with weights in range, or `BadInput`."""
    try:
        made = read(text, rng)
    except BadInput:
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Reading) == made
    for one in (made.prompt, made.negative):
        assert all(LEAST_WEIGHT <= fragment.weight <= MOST_WEIGHT for part in one.parts for fragment in part)
        assert all("".join(fragment.text for fragment in part).strip() for part in one.parts)


@given(anything)
def test_what_was_read_reads_the_same_again(text):
    """The text of a parsed prompt contains no tag, no alternative and no negative words, and parses to itself."""
    try:
        made = read(text)
    except BadInput:
        return
    assert read(made.prompt.text) == Reading(made.prompt)
    assert read(made.negative.text) == Reading(made.negative)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=300))
def test_escaped_text_comes_back(text):
    """Any escaped text is plain: one part of weight 1 with exactly its words."""
    assert fragments(escape(text)) == ([[(text.strip(), 1.0)]] if text.strip() else [])


@given(written)
def test_escaping_is_about_signs_alone(text):
    """Escaped grammar signs are read back as plain characters."""
    assert spoken(escape(text)) == text.strip()


@given(st.floats(LEAST_WEIGHT, MOST_WEIGHT).map(lambda weight: round(weight, 3)))
def test_written_weights_are_kept(weight):
    """A weight within the range is the weight of the fragment."""
    assert fragments(f"a (b:{weight})")[0][-1] == ("b" if weight != 1.0 else "a b", weight)


@given(anything)
def test_escaped_text_is_one_prompt(text):
    """Escaping also removes the meaning of bars."""
    assert not is_visible(text) or split(escape(text)) == (escape(text).strip(),)


def test_hostile_texts():
    """Thousands of texts made of the grammar's own signs raise nothing but `BadInput`."""
    rng = random.Random(22)
    read_ones = 0
    for _ in range(tries(100_000)):
        text = "".join(rng.choices(SIGNS, k=rng.randrange(1, 25)))
        try:
            read(text, rng)
            split(text)
        except BadInput:
            continue
        read_ones += 1
    assert read_ones > tries(100_000) // 2


PARSER = {grammar.__file__, tokenizer.__file__, grammar.__file__}


def steps(text):
    """Return how many lines of the parser run for a text."""
    count = 0

    def line(frame: FrameType, event: str, _: object):
        nonlocal count
        count += event == "line"
        return line if frame.f_code.co_filename in PARSER else None

    before = sys.gettrace()
    sys.settrace(line)
    try:
        read(text)
    except BadInput:
        pass
    finally:
        sys.settrace(before)
    return count


MORE = [
    "(-a -b)",
    "(-",
    "(-[",
    "{a|b}",
    "{|",
    "{a|{b|",
    "{|}|}",
    "{image}",
    "{image:a}",
    "__a",
    "-__a.__b",
    "<a",
    "<lora:",
    "http://)",
    " -",
    "||",
    "\\",
]


@pytest.mark.parametrize("bit", ["(", ")", "[(", "[])", "(a)", "[a:1.2)", "\\(", "BREAK ", "a BREAK(b)", ":1.2)", ": ", ":1", *MORE])
def test_work_grows_with_length_alone(bit):
    """A prompt twice as long takes at most about twice the steps, whatever its content."""
    short, long = bit * (900 // len(bit)), bit * (1800 // len(bit))
    assert steps(long) <= 2.1 * steps(short) + 20
    assert steps(long) <= 80 * len(long) + 100

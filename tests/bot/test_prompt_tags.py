"""Parts of a prompt other than its words: negative words, a picture, alternatives, several prompts."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadInput
from bot.prompting.grammar import DEEPEST, MOST_PROMPTS, join, read, split
from inference.contract.request import Prompt


def words(made):
    """Return the words of a prompt without their weights."""
    return "".join(one.text for part in made.parts for one in part)


@pytest.mark.parametrize(
    ("text", "wanted", "negative"),
    [
        ("a castle (-bad hands -bad anatomy)", "a castle", "bad hands, bad anatomy"),
        ("(-fog) a castle (-rain) by the sea", "a castle by the sea", "fog, rain"),
        ("a (-well-made\n- thing -) b", "a b", "well-made, thing"),
        ("a (-) b (- -)", "a b", ""),
        ("a (-b (-c) d)", "a", "b, c, d"),
        ("a (-(b -c:1.2) -[d])", "a", "(b, c:1.2), [d]"),
        ("a (-b -c:1.3)", "a", "(b, c:1.3)"),
        ("a (-b \\-c)", "a", "b \\-c"),
        ("a (-b [) (-c ])", "a", "b \\[, c \\]"),
        ("a (\\-b) (-c", "a (\\-b) (-c", ""),
        ("(a (-b) c)", "(a c)", "b"),
    ],
)
def test_negative_words(text, wanted, negative):
    """An opening bracket and a minus start negative words, anywhere and any number of times; emphasis works inside."""
    made = read(text)
    assert (made.prompt.text, made.negative.text) == (wanted, negative)


@given(
    st.lists(st.sampled_from(["(-XX)", "(-XX -XX)", "a", "(b:1.2)", "[c", ")", " ", "((-XX [d)", "(-XX:1.2)"]), max_size=30).map("".join)
)
def test_negative_words_never_leak(text):
    """Negative words never appear in the positive prompt."""
    made = read(text)
    assert "XX" not in made.prompt.text
    assert words(made.negative).count("XX") == text.count("XX")


@pytest.mark.parametrize(
    ("text", "wanted", "image"),
    [
        ("a castle", "a castle", None),
        ("a castle {image}", "a castle", ""),
        ("{Image} a castle", "a castle", ""),
        ("a {image:https://a.b/c_(d).png} castle", "a castle", "https://a.b/c_(d).png"),
        ("{image: https://a.b/c } x", "x", "https://a.b/c"),
        ("{image} as (https://a.b/c_(d).png), please", "as ( ), please", "https://a.b/c_(d).png"),
        ("{image} see [<http://a.b/c>]. http://d.e", "see [ ]. http://d.e", "http://a.b/c"),
        ("http://a.b/c[1]]... {image}", "]...", "http://a.b/c[1]"),
        ("http://a.b/c without a tag", "http://a.b/c without a tag", None),
        ("im{image}age {image}", "im age", ""),
        ("{im{image}age}", "{im age}", ""),
        ("\\{image} {image of a cat} {image:}", "\\{image} {image of a cat}", ""),
        ("{a{image:http://a.b}|b}", "a", "http://a.b"),
    ],
)
def test_pictures(text, wanted, image):
    """An image tag selects a picture: by its link, the first link in the text, or the attachment; tag and link leave the prompt."""
    made = read(text)
    assert (made.prompt.text, made.image) == (wanted, image)


def test_one_picture_alone():
    """The same picture may be named twice, two pictures may not."""
    assert read("{image} a {image}").image == ""
    with pytest.raises(BadInput, match="input-prompt-images"):
        read("{image} {image:http://a.b}")


@pytest.mark.parametrize(
    ("text", "wanted", "chosen"),
    [
        ("a {red|green} circle", "a red circle", ("red",)),
        ("a{ red |}", "a red ", ("red",)),
        ("{|a}b", "b", ("",)),
        ("{a {b|c}|d} {e|f}", "a b e", ("a b", "b", "e")),
        ("{a} {b c|d", "{a} {b c|d", ()),
        ("a|b} c", "a|b} c", ()),
        ("\\{a|b\\}", "\\{a|b\\}", ()),
        ("{a\\|b|c}", "a\\|b", ("a\\|b",)),
        ("{(a|b}:1.3)", "(a:1.3)", ("(a",)),
        ("{image:a|b}", "image:a", ("image:a",)),
    ],
)
def test_alternatives(text, wanted, chosen):
    """One alternative is inserted before emphasis is parsed, and is reported; without randomness it is the first."""
    made = read(text)
    assert (made.prompt.text, made.chosen) == (wanted, chosen)


def test_chance_draws_every_alternative():
    """All alternatives are drawn about equally often, and the same seed draws the same."""
    drawn = [read("{a|b|{c|d}}", random.Random(seed)).prompt.text for seed in range(300)]
    assert {one: drawn.count(one) > 25 for one in drawn} == dict.fromkeys("abcd", True)
    assert drawn == [read("{a|b|{c|d}}", random.Random(seed)).prompt.text for seed in range(300)]


def test_deep_alternatives_are_refused():
    """The deepest nesting is parsed, also beside other alternatives, and one level more is refused, whatever is drawn."""
    deep = "{a|" * DEEPEST + "b" + "}" * DEEPEST
    assert read(f"{{{deep}}} {deep}{{" * 2).prompt.text.count("a") == 4
    for text in (f"{{a|{deep}}}", f"{{{deep}|a}}"):
        with pytest.raises(BadInput, match="input-prompt-choices"):
            read(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a <lora:ink:0.8>", "input-prompt-lora"),
        ("a <LoRA:ink wash>", "input-prompt-lora"),
        ("a <my-concept.2>", "input-prompt-concept"),
        ("a __colour__ cat", "input-prompt-list"),
        ("(-__deep_sea-colour.2__)", "input-prompt-list"),
        ("{<a>|b}", "input-prompt-concept"),
    ],
)
def test_what_does_not_exist_yet(text, key):
    """A LoRA, an embedding and a word list are refused by name, with correct advice how to write them as words."""
    with pytest.raises(BadInput, match=key) as caught:
        read(text)
    facts = caught.value.problem.facts
    assert facts["given"] in text
    assert words(read(str(facts["plain"])).prompt) == facts["given"]


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a castle", ("a castle",)),
        ("a castle || a skyline --seed 4||b", ("a castle", "a skyline --seed 4", "b")),
        ("|| a ||||", ("a",)),
        ("a \\|| b | c \\\\|| d", ("a \\|| b | c \\\\", "d")),
    ],
)
def test_several_prompts(text, prompts):
    """Two bars separate prompts, escaped bars do not, and empty prompts are left out."""
    assert split(text) == prompts


def test_too_many_prompts():
    """The largest number of prompts is accepted, one more is refused, and so is none."""
    assert len(split("a||" * MOST_PROMPTS)) == MOST_PROMPTS
    with pytest.raises(BadInput, match="input-prompts-many"):
        split("a||" * (MOST_PROMPTS + 1))
    for text in ("", " || "):
        with pytest.raises(BadInput, match="input-prompts-empty"):
            split(text)


def test_prompts_are_joined():
    """Joined prompts keep their weights, and blank prompts leave no trace."""
    assert join(read("(a:1.2)").prompt, Prompt(), Prompt(" "), read("b").prompt) == read("(a:1.2), b").prompt
    assert join() == Prompt()


def test_links_are_found_whatever_stands_around_them():
    """A picture's link is exactly the typed link, without surrounding words or characters that cannot be part of a link."""
    link = "https://a.b/c?d=e&f=(g)~h_i"
    for before, after in (("", ""), ("see ", "."), ("(", ")"), ("a:\n", "\nb"), ("«", " »"), ("[x] ", "?!"), ("<", ">")):
        made = read(f"{before}{link}{after} {{image}}")
        assert made.image == link
        assert re.sub(r"\s", "", made.prompt.text) == re.sub(r"[\s<>]", "", before + after)

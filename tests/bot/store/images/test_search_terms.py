"""Search terms: normalised words, and tags."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store.images import search_terms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a Red, circle!", ("a", "red", "circle")),
        ("(red:1.3) <lora:x>", ("red", "1", "3", "lora", "x")),
        ("Café ÄPFEL ﬁn", ("cafe", "apfel", "fin")),
        ("circles boxes ponies glass bus cats", ("circle", "box", "poni", "glass", "bus", "cat")),
        ("𝐁𝐨𝐥𝐝 ℡ ﬀ", ("bold", "tel", "ff")),
        ("is 3s gas", ("is", "3s", "gas")),
        ("红色圆圈 ガラス", ("红", "色", "圆", "圈", "ガ", "ラ", "ス")),
        ("☃ 🦊 … – ×", ("☃", "🦊")),
        ("red RED reds", ("red",)),
        ("snake_case don't", ("snake", "cas", "don", "t")),
        ("हिन्दी", ("हिन्दी",)),
        ("x" * 99, ("x" * 40,)),
        (" /%*\n", ()),
    ],
)
def test_words(text, words):
    """Case, accents, punctuation and plural s do not count, and scripts without spaces are split into characters."""
    assert search_terms.words_of(text) == words


SEVERAL = """cookie cookies, movie movies, zombie zombies, selfie selfies, axe axes, box boxes, hero heroes, potato potatoes, lens lenses,
bus buses, glass glasses, princess princesses, prince princes, house houses, horse horses, rose roses, shoe shoes, toe toes, pie pies,
tie ties, pony ponies, city cities, sky skies, fly flies, monkey monkeys, toy toys, church churches, cache caches, brush brushes,
maze mazes, size sizes, octopus octopuses, cactus cactuses, iris irises, canvas canvases, atlas atlases, menu menus, bikini bikinis,
photo photos, canoe canoes, tree trees, eye eyes, fox foxes, gas gases, cat cats, circle circles, plane planes, dress dresses"""


@pytest.mark.parametrize("pair", SEVERAL.split(","), ids=str.strip)
def test_one_and_several_are_one_word(pair):
    """The singular and the plural of an English word are the same term, whatever its ending."""
    assert len(search_terms.words_of(pair)) == 1


def test_different_words_stay_different():
    """A word that only looks like a plural stays a word of its own."""
    words = [
        "prince",
        "princess",
        "sky",
        "ski",
        "moo",
        "moose",
        "den",
        "dense",
        "cap",
        "cape",
        "man",
        "mane",
        "her",
        "hero",
        "glas",
        "glass",
    ]
    assert len({search_terms.words_of(word) for word in words}) == len(words)


def test_every_sign_is_compared_without_case():
    """No character keeps its capital form in a term, because one database would find it and the other would not."""
    signs = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "LNMS")
    assert [sign for sign in signs if any(word != word.casefold() for word in search_terms.words_of(sign))] == []


@given(st.text())
def test_words_are_terms(text):
    """A word contains no space, and no sign reserved by a database or a tag, and occurs once."""
    found = search_terms.words_of(text)
    assert len(set(found)) == len(found)
    for word in found:
        assert not re.search(r"[\s\x00-/:-@\[-`{-\x7f]", word)
        assert 1 <= len(word) <= 40


@given(st.sampled_from([search_terms.PERSON, search_terms.MODEL, search_terms.PRESET]), st.text())
def test_marks_are_no_words(sign, value):
    """Whatever the name of a model or preset, its tag is a single term that no word equals."""
    made = search_terms.mark(sign, value)
    assert made[0] == sign
    assert not re.search(r"""\s|["'\\:*()&|!<]""", made)
    assert made not in search_terms.words_of(value)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ('{"prompt": "x", "preset": "poster@3#id"}', "poster"),
        ('{"preset": "poster"}', "poster"),
        ('{"preset": null}', ""),
        ('{"preset": 7}', ""),
        ("{}", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_the_preset_of_a_wish(params, name):
    """Params name their preset with its version; params without a preset, or unreadable params, have none."""
    assert search_terms.preset_of(params) == name


def test_questions():
    """A query is written in the syntax of each database, and no text escapes its quotes."""
    groups = [("@ann", "@b\"o'b\\"), ("red",), ("circ*",)]
    assert search_terms.match(groups) == '("@ann" OR "@b""o\'b_") AND ("red") AND ("cir" *)'
    assert search_terms.unsure([("red",), ("cir*",), ("circ*",), ("circl*",), ("circle*",)]) == (("% circ%",), ("% circle%",))
    assert search_terms.unsure([("@ann", "@bob"), ("movie*", "movi")]) == ()
    assert search_terms.unsure([("house*", "hou"), ("houses*", "hou")]) == (("% houses%", "% hou %"),)

    assert search_terms.tsquery(groups) == "('@ann' | '@b\"o''b_') & ('red') & ('circ':*)"

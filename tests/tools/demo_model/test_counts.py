"""The figures of the demo model: right answers count as right, wrong answers as wrong."""

from random import Random

import pytest
from PIL import Image

from tools.demo_model.captions import Captioned
from tools.demo_model.counts import Figures, count_objects, count_pairs, count_scenes, meaning, prompt_sets, taught
from tools.demo_model.draw import draw

COUNT = 40


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Captioned]]:
    """Return prompts of every set."""
    return prompt_sets(COUNT)


def drawn(wanted: list[Captioned]) -> list[Image.Image]:
    """Return what a perfect model would generate."""
    return [draw(one.picture, (128, 128), Random(number)) for number, one in enumerate(wanted)]


def promised(figures: Figures) -> list[float]:
    """Return the shares that the documentation promises, for any set."""
    kinds = ("colour", "background", "shape", "time", "place", "relation")
    return [share for name, share in figures.items() if name.split(".")[-1] in kinds]


def test_a_perfect_model_is_perfect(sets):
    """Pictures drawn for the prompts keep every promise."""
    for name, count in (("scenes", count_scenes), ("pairs", count_pairs)):
        assert min(promised(count(sets[name], drawn(sets[name])))) == 1
    assert min(promised(count_objects("objects", sets["objects"], drawn(sets["objects"])))) == 1


def test_pictures_of_other_prompts_fail(sets):
    """Correct pictures for the wrong prompts score near chance."""
    for name, count in (("scenes", count_scenes), ("pairs", count_pairs)):
        images = drawn(sets[name])
        assert max(promised({k: v for k, v in count(sets[name], images[1:] + images[:1]).items() if "background" not in k})) < 0.6
    images = drawn(sets["objects"])
    assert max(promised(count_objects("objects", sets["objects"], images[1:] + images[:1]))) < 0.4


def test_empty_pictures_count_as_wrong(sets):
    """In empty pictures, nothing is right except possibly the background."""
    blank = [Image.new("RGB", (128, 128), "white")] * COUNT
    figures = count_pairs(sets["pairs"], blank) | count_objects("objects", sets["objects"], blank)
    assert {share for name, share in figures.items() if not name.endswith("background")} == {0}


def test_prompts_are_the_same_every_time(sets):
    """A set is the same each time, and a shorter set is the beginning of a longer one."""
    again = prompt_sets(COUNT // 2)
    assert all(again[name] == sets[name][: len(again[name])] for name in sets)


def test_what_training_draws_is_known(sets):
    """As documented, all single objects appear in the training data, and most pairs do not."""
    known = taught()
    assert all(meaning(one.picture) in known for one in sets["objects"])
    assert sum(meaning(one.picture) in known for one in sets["pairs"]) < COUNT / 4

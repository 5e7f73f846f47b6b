"""How the demo model's answers are counted: right answers count as right, wrong ones as wrong."""

from random import Random

import pytest
from PIL import Image

from tools.demo_model.captions import Captioned
from tools.demo_model.counts import Figures, count_objects, count_pairs, count_scenes, meaning, prompt_sets, taught
from tools.demo_model.draw import draw

COUNT = 40


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Captioned]]:
    """Prompts of every set."""
    return prompt_sets(COUNT)


def drawn(wanted: list[Captioned]) -> list[Image.Image]:
    """Return what a perfect model would paint."""
    return [draw(one.picture, (128, 128), Random(number)) for number, one in enumerate(wanted)]


def promised(figures: Figures) -> list[float]:
    """Return the figures that are promised, whatever their set."""
    kinds = ("colour", "background", "shape", "time", "place", "relation")
    return [share for name, share in figures.items() if name.split(".")[-1] in kinds]


def test_a_perfect_model_is_perfect(sets):
    """Drawn pictures of the prompts keep every promise."""
    for name, count in (("scenes", count_scenes), ("pairs", count_pairs)):
        assert min(promised(count(sets[name], drawn(sets[name])))) == 1
    assert min(promised(count_objects("objects", sets["objects"], drawn(sets["objects"])))) == 1


def test_pictures_of_other_prompts_fail(sets):
    """Good pictures under the wrong prompts come near chance."""
    for name, count in (("scenes", count_scenes), ("pairs", count_pairs)):
        images = drawn(sets[name])
        assert max(promised({k: v for k, v in count(sets[name], images[1:] + images[:1]).items() if "background" not in k})) < 0.6
    images = drawn(sets["objects"])
    assert max(promised(count_objects("objects", sets["objects"], images[1:] + images[:1]))) < 0.4


def test_empty_pictures_count_as_wrong(sets):
    """Where nothing is to be seen, nothing is right but perhaps the background."""
    blank = [Image.new("RGB", (128, 128), "white")] * COUNT
    figures = count_pairs(sets["pairs"], blank) | count_objects("objects", sets["objects"], blank)
    assert {share for name, share in figures.items() if not name.endswith("background")} == {0}


def test_prompts_are_the_same_every_time(sets):
    """A set does not depend on when it is made, and a shorter one is the beginning of a longer one."""
    again = prompt_sets(COUNT // 2)
    assert all(again[name] == sets[name][: len(again[name])] for name in sets)


def test_what_training_draws_is_known(sets):
    """Single objects are all known from training, pairs mostly not: what the documentation says."""
    known = taught()
    assert all(meaning(one.picture) in known for one in sets["objects"])
    assert sum(meaning(one.picture) in known for one in sets["pairs"]) < COUNT / 4

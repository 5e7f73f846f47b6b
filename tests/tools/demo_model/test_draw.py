"""The demo model's training data: drawings, captions and vocabulary."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.demo.words import COLOURS, GLUE, PATTERNS, PLACES, RELATIONS, SHAPES, SIZES, SPOTS, SYNONYMS, THINGS, TIMES, known_words
from tools.demo_model.captions import MIXTURE, captioned, one_object, pair, scene
from tools.demo_model.draw import PAINTERS, Picture, Thing, draw

seeds = st.integers(0, 2**63)


def words_of(caption: str) -> list[str]:
    """Return the words of a caption without its commas."""
    return caption.replace(",", "").split()


@given(seeds)
def test_a_seed_draws_one_picture(seed):
    """The same seed gives the same caption and the same pixels."""
    first, second = ((rng, captioned(rng)) for rng in (Random(seed), Random(seed)))
    assert first[1] == second[1]
    one, other = (draw(made.picture, (64, 64), rng).tobytes() for rng, made in (first, second))
    assert one == other


@given(seeds)
def test_captions_use_known_words_only(seed):
    """Every word of a training caption is in the list of known words."""
    assert set(words_of(captioned(Random(seed)).caption)) <= set(known_words())


def test_captions_use_every_known_word():
    """Every known word appears in training captions."""
    rng = Random(1)
    said = {word for _ in range(6000) for word in words_of(captioned(rng).caption)}
    assert set(known_words()) - said == set()


def test_known_words_come_from_the_tables():
    """The known words are sorted and unique, and contain every word of the tables; no synonym has synonyms of its own."""
    known = known_words()
    assert list(known) == sorted(set(known))
    for table in (COLOURS, SHAPES, THINGS, PATTERNS, TIMES, PLACES, RELATIONS, SPOTS, GLUE, SIZES):
        assert {word for phrase in table for word in phrase.split()} <= set(known)
    assert set(SYNONYMS) <= set(known)
    assert not {other for others in SYNONYMS.values() for other in others} & set(SYNONYMS)


@pytest.mark.parametrize("size", [(128, 128), (192, 128), (128, 192), (8, 8), (64, 40)])
def test_pictures_have_the_size_asked_for(size):
    """Pictures have the requested width and height, plain pictures as well as scenes."""
    rng = Random(4)
    for made in (one_object(rng, SHAPES), pair(rng), scene(rng)):
        image = draw(made.picture, size, rng)
        assert image.size == size
        assert image.mode == "RGB"


def test_everything_named_can_be_drawn():
    """Each shape and thing has a painter that leaves something visible, and every painter has a name."""
    assert set(PAINTERS) == {*SHAPES, *THINGS}
    for name in PAINTERS:
        image = np.asarray(draw(Picture("white", things=(Thing(name, "red", 0.5, 0.5, 0.5),)), (64, 64), Random(1)), dtype=int)
        share = (np.abs(image - COLOURS["white"]).sum(axis=-1) > 90).mean()
        assert 0.05 < share < 0.4, name


@given(seeds)
def test_captions_tell_the_truth(seed):
    """The colours and shapes named in a plain caption are in the picture, and an object never has the background's colour."""
    made = one_object(Random(seed), SHAPES)
    thing = made.picture.things[0]
    assert f"{thing.colour} {thing.name}" in made.caption
    assert thing.colour != made.picture.background
    if "background" in made.caption:
        assert f"{made.picture.background} background" in made.caption


@given(seeds)
def test_pairs_stand_as_the_caption_says(seed):
    """The second object is on the side of the first that the relation names, in another colour, and both are inside the picture."""
    made = pair(Random(seed))
    first, second = made.picture.things
    assert len({first.colour, second.colour, made.picture.background}) == 3
    for relation, (dx, dy) in RELATIONS.items():
        if f" {relation} " in made.caption:
            assert (second.x - first.x) * dx + (second.y - first.y) * dy > 0.4
    assert all(0.2 < place < 0.8 for thing in made.picture.things for place in (thing.x, thing.y))


@given(seeds)
def test_scenes_have_a_place_and_a_time(seed):
    """A scene's caption ends with its time of day and names its place."""
    made = scene(Random(seed))
    assert made.caption.endswith(made.picture.time)
    assert made.picture.place.split(" ", 1)[1] in made.caption
    assert made.picture.time in TIMES


def test_kinds_come_in_their_proportions():
    """Shapes, things, pairs and scenes are drawn as often as the mixture says."""
    rng = Random(12)
    kinds: Counter[str] = Counter()
    for _ in range(4000):
        picture = captioned(rng).picture
        several = "pair" if len(picture.things) == 2 else "shape" if picture.things and picture.things[0].name in SHAPES else "thing"
        kinds["scene" if picture.place else several] += 1
    for kind, share in MIXTURE.items():
        assert kinds[kind] / 4000 == pytest.approx(share, abs=0.04)

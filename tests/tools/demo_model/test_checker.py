"""The checker judges the demo model, so it is tested on drawn pictures that are not among its references."""

import io
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from inference.demo.words import COLOURS, PLACES, RELATIONS, SHAPES, TIMES
from tools.demo_model.captions import Captioned, one_object, pair, scene
from tools.demo_model.checker import look, look_at_scene, relation
from tools.demo_model.draw import Picture, Thing, draw

COUNT = 200


def worn(image: Image.Image, rng: Random) -> Image.Image:
    """Return a picture as a poor autoencoder would decode it: blurred, noisy, and with strong JPEG blocks."""
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float64)
    noisy = soft + np.random.default_rng(rng.randrange(2**32)).normal(0, 8, soft.shape)
    buffer = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=30)
    return Image.open(buffer).convert("RGB")


def as_drawn(image: Image.Image, rng: Random) -> Image.Image:
    """Return a picture unchanged."""
    del rng
    return image


@pytest.fixture(params=[(as_drawn, 0.99, 0.97), (worn, 0.97, 0.97)], ids=["drawn", "worn"])
def wear(request):
    """Return a treatment of pictures, and the required shares of right answers: in general, and for place and relation."""
    return request.param


def shown(choose: Callable[[Random], Captioned], fits: Callable[[Captioned], bool], treat: Callable[..., Image.Image], seed: int):
    """Yield drawn pictures and their treated images."""
    rng, count = Random(seed), 0
    while count < COUNT:
        one = choose(rng)
        image = draw(one.picture, (128, 128), rng)
        if fits(one):
            count += 1
            yield one.picture, treat(image, rng)


def test_it_names_shapes_colours_and_backgrounds(wear):
    """In single shapes of any size and position, the checker names colour, background and shape."""
    treat, least, _ = wear
    right = np.zeros(4)
    for picture, image in shown(lambda rng: one_object(rng, SHAPES), lambda one: not one.picture.pattern, treat, 51):
        view, thing = look(image), picture.things[0]
        seen = view.objects[0]
        right += [len(view.objects) == 1, seen.colour == thing.colour, seen.name == thing.name, view.background == picture.background]
    assert (right / COUNT >= least).all(), right / COUNT


def test_it_sees_through_patterns(wear):
    """On stripes and dots, the checker names the colours of background and object, unless the object looks like a stripe."""
    treat, _, least = wear
    right = np.zeros(2)
    for picture, image in shown(lambda rng: one_object(rng, SHAPES), lambda one: bool(one.picture.pattern), treat, 52):
        view = look(image)
        found = view.objects[0].colour if view.objects else ""
        right += [found == picture.things[0].colour, view.background == picture.background]
    # A grey object on black with lighter stripes, which are grey too, is hard to tell apart.
    assert (right / COUNT >= least - 0.03).all(), right / COUNT


def test_it_tells_how_two_objects_stand(wear):
    """In a picture of two shapes, even if they touch, the checker names both colours, both shapes and their relation."""
    treat, _, least = wear
    right = np.zeros(3)
    for picture, image in shown(pair, lambda one: one.picture.things[0].name in SHAPES and one.picture.things[1].name in SHAPES, treat, 53):
        first, second = picture.things
        found = {seen.colour: seen for seen in look(image).objects}
        if not {first.colour, second.colour} <= found.keys():
            continue
        a, b = found[first.colour], found[second.colour]
        wanted = max(RELATIONS, key=lambda name: (second.x - first.x) * RELATIONS[name][0] + (second.y - first.y) * RELATIONS[name][1])
        right += [len(found) == 2, (a.name, b.name) == (first.name, second.name), relation(a, b) == wanted]
    assert (right / COUNT >= least).all(), right / COUNT


def test_it_knows_places_and_times(wear):
    """In scenes that are not among its references, empty or with an object in front, the checker names time and place."""
    treat, least, least_place = wear
    right = np.zeros(2)
    for picture, image in shown(scene, lambda one: bool(one.picture.place), treat, 54):
        place, time = look_at_scene(image)
        right += [time == picture.time, place == picture.place]
    assert right[0] / COUNT >= least
    assert right[1] / COUNT >= least_place


def test_every_place_and_time_is_told_apart():
    """None of the eighteen scenes is confused with another."""
    wanted = [(place, time) for place in PLACES for time in TIMES]
    assert [look_at_scene(draw(Picture(place=place, time=time), (192, 128), Random(9))) for place, time in wanted] == wanted


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_is_told_from_every_other(colour):
    """Each colour in front of each other colour is named, and so is the background."""
    others = [name for name in COLOURS if name != colour]
    views = [look(draw(Picture(behind, things=(Thing("star", colour, 0.5, 0.5, 0.4),)), (128, 128), Random(1))) for behind in others]
    assert [view.background for view in views] == others
    assert {(seen.colour, seen.name) for view in views for seen in view.objects} == {(colour, "star")}


def test_nothing_is_seen_where_nothing_is():
    """A plain, striped or dotted background contains no objects."""
    for pattern in ("", "striped", "dotted"):
        view = look(draw(Picture("green", pattern), (128, 128), Random(3)))
        assert view.background == "green"
        assert view.objects == ()


def test_a_blot_has_no_name():
    """An outline unlike anything that can be drawn is an object without a name, so it cannot count as a shape."""
    image = Image.new("RGB", (128, 128), COLOURS["white"])
    ImageDraw.Draw(image).polygon([(20, 30), (60, 50), (110, 20), (70, 64), (118, 100), (64, 80), (40, 118), (48, 66)], fill=COLOURS["red"])
    (seen,) = look(image).objects
    assert seen.colour == "red"
    assert seen.name == ""


def test_sizes_do_not_matter():
    """Pictures in wide and tall formats and four times the size are read correctly."""
    picture = Picture("blue", things=(Thing("heart", "yellow", 0.3, 0.5, 0.45),))
    for size in ((192, 128), (128, 192), (512, 512)):
        view = look(draw(picture, size, Random(2)))
        assert (view.background, view.objects[0].colour, view.objects[0].name) == ("blue", "yellow", "heart")
        assert view.objects[0].x == pytest.approx(0.3, abs=0.02)

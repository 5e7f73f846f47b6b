"""The prompts for the evaluation of the demo model, and the figures counted from its images."""

from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from PIL import Image

from inference.demo.words import SHAPES, SPOTS, THINGS
from tools.demo_model.captions import Captioned, captioned, one_object, pair, scene
from tools.demo_model.checker import Seen, View, look, look_at_scene, relation
from tools.demo_model.draw import Picture, Thing
from tools.demo_model.train import TOGETHER, Plan, seeds

Figures = dict[str, float]

#: Seeds of prompts and noise; training draws with seeds below 4,000.
FIRST_SEED = 7_000_000

NOTHING = Seen("", "", 0.5, 0.5, 0.0)


def some(count: int, seed: int, choose: Callable[[Random], Captioned], fits: Callable[[Captioned], bool]) -> list[Captioned]:
    """Return `count` captioned pictures that fit."""
    rng, found = Random(FIRST_SEED + seed), list[Captioned]()
    while len(found) < count:
        one = choose(rng)
        found += [one] if fits(one) else []
    return found


def _is_plain(one: Captioned) -> bool:
    said = one.caption
    return "background" in said and not one.picture.pattern and not any(ref in said for ref in SPOTS)


def _is_placed_pair(one: Captioned) -> bool:
    return " and " not in one.caption and all(thing.name in SHAPES for thing in one.picture.things)


def prompt_sets(prompts: int) -> dict[str, list[Captioned]]:
    """Return the prompts by set; `wide`, `special` (patterns, spots, no background in the caption) and `things` carry no promise."""
    few = max(4, prompts // 5)
    return {
        "objects": some(prompts, 1, lambda rng: one_object(rng, SHAPES), _is_plain),
        "scenes": some(prompts, 2, scene, lambda _: True),
        "pairs": some(prompts, 3, pair, _is_placed_pair),
        "things": some(few, 4, lambda rng: one_object(rng, THINGS), _is_plain),
        "special": some(few, 5, lambda rng: one_object(rng, SHAPES), lambda one: not _is_plain(one)),
        "wide": some(few, 6, lambda rng: one_object(rng, SHAPES), _is_plain),
    }


def _as_seen(thing: Thing) -> Seen:
    return Seen(thing.name, thing.colour, thing.x, thing.y, 0.0)


def meaning(picture: Picture) -> tuple[object, ...]:
    """Return the contents of a picture without sizes and exact spots."""
    things = picture.things
    heading = relation(_as_seen(things[0]), _as_seen(things[1])) if len(things) == 2 else ""
    return picture.background, picture.place, picture.time, heading, *((thing.name, thing.colour) for thing in things)


@cache
def taught() -> frozenset[tuple[object, ...]]:
    """Return the meaning of every picture that training draws, from the seeds it uses."""
    drawn = [Random(seed) for blocks in seeds(Plan.pictures).values() for seed in blocks]
    return frozenset(meaning(captioned(rng).picture) for rng in drawn for _ in range(TOGETHER))


def share_of(marks: Sequence[bool]) -> float:
    return round(sum(marks) / max(1, len(marks)), 4)


def count_objects(name: str, wanted: Sequence[Captioned], images: Sequence[Image.Image]) -> Figures:
    """Return the shares of pictures with right colour, background and shape; the largest object in each picture counts."""
    views = [look(image) for image in images]
    pairs = [(one.picture.things[0], next(iter(view.objects), NOTHING)) for one, view in zip(wanted, views, strict=True)]
    figures = {
        f"{name}.colour": share_of([thing.colour == seen.colour for thing, seen in pairs]),
        f"{name}.background": share_of([one.picture.background == view.background for one, view in zip(wanted, views, strict=True)]),
        f"{name}.shape": share_of([thing.name == seen.name for thing, seen in pairs]),
    }
    for shape in SHAPES if name == "objects" else ():
        figures[f"objects.shape.{shape}"] = share_of([seen.name == shape for thing, seen in pairs if thing.name == shape])
    return figures


def count_scenes(wanted: Sequence[Captioned], images: Sequence[Image.Image]) -> Figures:
    """Return the shares of pictures with the right time of day, the right place, and both."""
    seen = [look_at_scene(image) for image in images]
    asked = [(one.picture.place, one.picture.time) for one in wanted]
    return {
        "scenes.time": share_of([a[1] == b[1] for a, b in zip(asked, seen, strict=True)]),
        "scenes.place": share_of([a[0] == b[0] for a, b in zip(asked, seen, strict=True)]),
        "scenes.both": share_of([a == b for a, b in zip(asked, seen, strict=True)]),
    }


def _found(thing: Thing, view: View) -> Seen:
    return next((seen for seen in view.objects if seen.colour == thing.colour), NOTHING)


def count_pairs(wanted: Sequence[Captioned], images: Sequence[Image.Image]) -> Figures:
    """Return the shares of pictures with both colours as objects, in the right relation, and (strict) also with the right shapes."""
    views = [look(image) for image in images]
    pairs = [(one.picture.things, [_found(thing, view) for thing in one.picture.things]) for one, view in zip(wanted, views, strict=True)]
    both = [NOTHING not in seen for _, seen in pairs]
    heading = [relation(*map(_as_seen, things)) == relation(*seen) for things, seen in pairs]
    shapes = [[thing.name for thing in things] == [one.name for one in seen] for things, seen in pairs]
    return {
        "pairs.relation": share_of([a and b for a, b in zip(both, heading, strict=True)]),
        "pairs.both": share_of(both),
        "pairs.strict": share_of([a and b and c for a, b, c in zip(both, heading, shapes, strict=True)]),
        "pairs.background": share_of([one.picture.background == view.background for one, view in zip(wanted, views, strict=True)]),
    }

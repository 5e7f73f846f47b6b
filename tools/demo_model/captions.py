"""Captions: choose random picture contents and describe them in words."""

from dataclasses import dataclass
from random import Random

from inference.demo.words import COLOURS, PATTERNS, PLACES, RELATIONS, SHAPES, SIZES, SPOTS, SYNONYMS, THINGS, TIMES
from tools.demo_model.draw import Picture, Thing


@dataclass(frozen=True)
class Captioned:
    """A caption and the picture that it describes."""

    caption: str
    picture: Picture


#: How often each kind of picture is drawn for training. Pairs and scenes are harder, so they are most of the rest.
MIXTURE = {"shape": 0.38, "thing": 0.12, "pair": 0.26, "scene": 0.24}


def _other(rng: Random, *taken: str) -> str:
    return rng.choice([name for name in COLOURS if name not in taken])


def _phrase(size: str, colour: str, name: str) -> str:
    words = " ".join(word for word in (size, colour, name) if word)
    return f"{'an' if words[0] == 'o' else 'a'} {words}"


def _with_background(caption: str, background: str, pattern: str, rng: Random) -> str:
    words = " ".join(word for word in (pattern, background) if word)
    return (
        f"{caption} on {'an' if words[0] == 'o' else 'a'} {words} background" if rng.random() < 0.85 else f"{caption}, {words} background"
    )


def one_object(rng: Random, names: tuple[str, ...]) -> Captioned:
    """Return one object on a background; some captions leave the background out."""
    name, colour, size = rng.choice(names), rng.choice(list(COLOURS)), rng.choice(["", "", *SIZES])
    said = rng.random() < 0.92
    background = _other(rng, colour) if said else ("grey" if colour == "white" else "white")
    pattern = rng.choice(PATTERNS) if said and rng.random() < 0.1 else ""
    caption, x, y = _phrase(size, colour, name), 0.5, 0.5
    if size != "large" and rng.random() < 0.15:
        ref = rng.choice(list(SPOTS))
        caption, (x, y) = f"{caption} {ref}", SPOTS[ref]
    if said:
        caption = _with_background(caption, background, pattern, rng)
    thing = Thing(name, colour, x + rng.uniform(-0.03, 0.03), y + rng.uniform(-0.03, 0.03), rng.uniform(*SIZES[size]))
    return Captioned(caption, Picture(background, pattern, things=(thing,)))


def pair(rng: Random) -> Captioned:
    """Return two objects of different colours, one beside, above or below the other."""
    names = SHAPES if rng.random() < 0.8 else THINGS
    first, second = rng.choice(names), rng.choice(names)
    colour = rng.choice(list(COLOURS))
    other = _other(rng, colour)
    background = _other(rng, colour, other)
    relation = rng.choice(list(RELATIONS))
    dx, dy = RELATIONS[relation]
    wiggle = rng.uniform(-0.04, 0.04)
    ends = [(0.5 - 0.24 * dx * way + wiggle * abs(dy), 0.5 - 0.24 * dy * way + wiggle * abs(dx)) for way in (1, -1)]
    things = tuple(
        Thing(name, tint, x, y, rng.uniform(0.36, 0.43)) for name, tint, (x, y) in zip((first, second), (colour, other), ends, strict=True)
    )
    caption = f"{_phrase('', colour, first)} {relation} {_phrase('', other, second)}"
    if rng.random() < 0.12:
        caption = f"{_phrase('', colour, first)} and {_phrase('', other, second)}"
    return Captioned(_with_background(caption, background, "", rng), Picture(background, things=things))


def scene(rng: Random) -> Captioned:
    """Return a place at a time of day, often with one thing in it."""
    place, time = rng.choice(PLACES), rng.choice(TIMES)
    if rng.random() < 0.4:
        bare = place.split(" ", 1)[1] if rng.random() < 0.5 else f"{rng.choice(['a scene', 'a picture'])} {place}"
        return Captioned(f"{bare} {time}", Picture(place=place, time=time))
    on_land = [name for name in THINGS if name not in ("fish", "boat")]
    name, colour = rng.choice(on_land) if place != "by the sea" else "boat", rng.choice(list(COLOURS))
    thing = Thing(name, colour, rng.uniform(0.3, 0.7), rng.uniform(0.68, 0.74), rng.uniform(0.4, 0.48))
    return Captioned(f"{_phrase('', colour, name)} {place} {time}", Picture(place=place, time=time, things=(thing,)))


def captioned(rng: Random) -> Captioned:
    """Return one captioned picture in the proportions of `MIXTURE`."""
    kind = rng.choices(list(MIXTURE), list(MIXTURE.values()))[0]
    if kind == "pair":
        made = pair(rng)
    elif kind == "scene":
        made = scene(rng)
    else:
        made = one_object(rng, SHAPES if kind == "shape" else THINGS)
    return Captioned(_loosely_said(made.caption, rng), made.picture)


def _loosely_said(caption: str, rng: Random) -> str:
    """Vary a caption as users type: use a synonym in some places, and sometimes leave out the articles."""
    words = [rng.choice(SYNONYMS[word]) if word in SYNONYMS and rng.random() < 0.12 else word for word in caption.split()]
    bare = rng.random() < 0.15
    return " ".join(word for word in words if not (bare and word in ("a", "an", "the")))

"""Drawing: from a `Picture` (a description of the contents) to a Pillow image.

Everything is drawn flat at `SCALE` times its size and reduced, which is cheap anti-aliasing. There is no learning here and no torch: the
same functions make the training pictures, the references of the checker and the sources of the image-to-image test.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from inference.demo.words import COLOURS, Rgb

SCALE = 3

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Thing:
    """One object: a shape or a thing in one colour. `x`, `y` are its centre and `size` its width, as shares of the picture."""

    name: str
    colour: str
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Picture:
    """The contents to draw: a plain or patterned background, or a place at a time of day, and the things on it."""

    background: str = ""
    pattern: str = ""
    place: str = ""
    time: str = ""
    things: tuple[Thing, ...] = ()


@dataclass(frozen=True)
class Brush:
    """The position for drawing one thing: unit coordinates (-1 to 1) around a centre, and the colour under it."""

    pen: ImageDraw.ImageDraw
    x: float
    y: float
    radius: float
    under: Rgb

    def at(self, points: Points) -> Points:
        """Return unit points in pixels."""
        return [(self.x + px * self.radius, self.y + py * self.radius) for px, py in points]

    def shape(self, points: Points, fill: Rgb) -> None:
        """Fill a polygon of unit points."""
        self.pen.polygon(self.at(points), fill=fill)

    def oval(self, left: float, top: float, right: float, bottom: float, fill: Rgb) -> None:
        """Fill an ellipse in a unit box."""
        (x0, y0), (x1, y1) = self.at([(left, top), (right, bottom)])
        self.pen.ellipse((x0, y0, x1, y1), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Rgb) -> None:
        """Fill a rectangle in a unit box."""
        self.shape([(left, top), (right, top), (right, bottom), (left, bottom)], fill)


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """Return `one` mixed with this share of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def shaken(colour: Rgb, rng: Random, spread: int = 7) -> Rgb:
    """Return a slightly different colour, so that a word means a small region and not one point."""
    red, green, blue = (min(255, max(0, part + rng.randint(-spread, spread))) for part in colour)
    return red, green, blue


def _spokes(count: int, inner: float) -> Points:
    radii = [1.05 if turn % 2 == 0 else inner for turn in range(2 * count)]
    angles = [math.pi * turn / count - math.pi / 2 for turn in range(2 * count)]
    return [(r * math.cos(a), r * math.sin(a) + 0.06) for r, a in zip(radii, angles, strict=True)]


def _circle(brush: Brush, fill: Rgb) -> None:
    brush.oval(-1, -1, 1, 1, fill)


def _square(brush: Brush, fill: Rgb) -> None:
    brush.box(-0.9, -0.9, 0.9, 0.9, fill)


def _triangle(brush: Brush, fill: Rgb) -> None:
    brush.shape([(0, -0.95), (1.05, 0.85), (-1.05, 0.85)], fill)


def _star(brush: Brush, fill: Rgb) -> None:
    brush.shape(_spokes(5, 0.45), fill)


def _heart(brush: Brush, fill: Rgb) -> None:
    turns = [2 * math.pi * step / 60 for step in range(60)]
    curve = [(16 * math.sin(t) ** 3, 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) for t in turns]
    brush.shape([(x / 16, -(y + 2.5) / 15.5) for x, y in curve], fill)


def _diamond(brush: Brush, fill: Rgb) -> None:
    brush.shape([(0, -1.1), (0.8, 0), (0, 1.1), (-0.8, 0)], fill)


def _ring(brush: Brush, fill: Rgb) -> None:
    brush.oval(-1, -1, 1, 1, fill)
    brush.oval(-0.55, -0.55, 0.55, 0.55, brush.under)


def _cross(brush: Brush, fill: Rgb) -> None:
    brush.box(-0.34, -1, 0.34, 1, fill)
    brush.box(-1, -0.34, 1, 0.34, fill)


def _house(brush: Brush, fill: Rgb) -> None:
    dark = mix(fill, (0, 0, 0), 0.45) if fill != COLOURS["black"] else (80, 80, 84)
    brush.box(-0.75, -0.15, 0.75, 1, fill)
    brush.shape([(0, -1.05), (1.05, -0.1), (-1.05, -0.1)], dark)
    brush.box(-0.18, 0.4, 0.22, 1, dark)


def _tree(brush: Brush, fill: Rgb) -> None:
    brush.box(-0.16, 0.2, 0.16, 1.05, (96, 62, 36))
    for x, y, r in ((-0.42, 0.0, 0.46), (0.42, 0.0, 0.46), (0, -0.46, 0.58), (0, 0.05, 0.5)):
        brush.oval(x - r, y - r, x + r, y + r, fill)


def _boat(brush: Brush, fill: Rgb) -> None:
    brush.box(-0.05, -1.0, 0.05, 0.5, (96, 62, 36))
    brush.shape([(0.1, -1.0), (0.85, 0.3), (0.1, 0.3)], mix(fill, (255, 255, 255), 0.35))
    brush.shape([(-0.1, -0.8), (-0.1, 0.3), (-0.7, 0.3)], mix(fill, (255, 255, 255), 0.35))
    brush.shape([(-1.05, 0.42), (1.05, 0.42), (0.65, 0.95), (-0.65, 0.95)], fill)


def _flower(brush: Brush, fill: Rgb) -> None:
    brush.box(-0.07, 0.2, 0.07, 1.1, (40, 130, 50))
    brush.shape([(0, 0.85), (0.5, 0.45), (0.55, 0.7)], (40, 130, 50))
    for turn in range(6):
        x, y = 0.42 * math.cos(turn * math.pi / 3), 0.42 * math.sin(turn * math.pi / 3) - 0.35
        brush.oval(x - 0.32, y - 0.32, x + 0.32, y + 0.32, fill)
    brush.oval(-0.24, -0.59, 0.24, -0.11, (250, 206, 60) if fill != COLOURS["yellow"] else (150, 90, 30))


def _cat(brush: Brush, fill: Rgb) -> None:
    brush.shape([(-0.85, -1.05), (-0.1, -0.6), (-0.8, 0.0)], fill)
    brush.shape([(0.85, -1.05), (0.1, -0.6), (0.8, 0.0)], fill)
    brush.oval(-0.95, -0.72, 0.95, 0.95, fill)
    light = sum(fill) > 360
    eye = (40, 40, 46) if light else (240, 226, 120)
    for side in (-0.4, 0.4):
        brush.oval(side - 0.15, -0.2, side + 0.15, 0.16, eye)
    brush.shape([(-0.14, 0.32), (0.14, 0.32), (0, 0.5)], (236, 120, 140))


def _fish(brush: Brush, fill: Rgb) -> None:
    brush.shape([(0.35, 0), (1.05, -0.6), (1.05, 0.6)], fill)
    brush.oval(-1.05, -0.6, 0.6, 0.6, fill)
    brush.oval(-0.72, -0.26, -0.46, 0.0, (250, 250, 250) if sum(fill) < 560 else (30, 30, 34))


PAINTERS: dict[str, Callable[[Brush, Rgb], None]] = {
    "circle": _circle, "square": _square, "triangle": _triangle, "star": _star, "heart": _heart, "diamond": _diamond,
    "ring": _ring, "cross": _cross, "house": _house, "tree": _tree, "boat": _boat, "flower": _flower, "cat": _cat,
    "fish": _fish,
}  # fmt: skip


def _patterned(image: Image.Image, pattern: str, fill: Rgb) -> None:
    pen, light = ImageDraw.Draw(image), mix(fill, (255, 255, 255), 0.4)
    if sum(fill) > 640:
        light = mix(fill, (120, 120, 130), 0.35)
    step = 16 * SCALE
    if pattern == "striped":
        for x in range(0, image.width, step):
            pen.rectangle((x, 0, x + step // 2, image.height), fill=light)
    for y in range(step // 2, image.height if pattern == "dotted" else 0, step):
        for x in range(step // 2, image.width, step):
            pen.ellipse((x - step // 5, y - step // 5, x + step // 5, y + step // 5), fill=light)


def draw(picture: Picture, size: tuple[int, int], rng: Random) -> Image.Image:
    """Draw a picture at `size` (width, height in pixels); `rng` varies colours and the small details of a scene."""
    from tools.demo_model.scenery import draw_scenery

    under = shaken(COLOURS[picture.background or "white"], rng)
    image = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), under)
    if picture.place:
        draw_scenery(image, picture.place, picture.time, rng)
    elif picture.pattern:
        _patterned(image, picture.pattern, under)
    pen, shorter = ImageDraw.Draw(image), min(image.size)
    for thing in picture.things:
        brush = Brush(pen, thing.x * image.width, thing.y * image.height, thing.size * shorter / 2, under)
        PAINTERS[thing.name](brush, shaken(COLOURS[thing.colour], rng))
    return image.reduce(SCALE)

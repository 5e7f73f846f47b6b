"""Drawing places: a sky for each time of day, a ground for each place."""

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from inference.demo.words import Rgb


@dataclass(frozen=True)
class Light:
    """The colours of a time of day: sky from top to horizon, how dark the land is, and its tint."""

    top: Rgb
    horizon: Rgb
    shade: float
    tint: Rgb


LIGHTS = {
    "by day": Light((88, 168, 240), (196, 226, 248), 0.0, (255, 255, 255)),
    "at sunset": Light((150, 70, 130), (252, 150, 60), 0.32, (150, 60, 40)),
    "at night": Light((10, 14, 44), (36, 44, 92), 0.62, (10, 14, 50)),
}


def _lit(colour: Rgb, light: Light) -> Rgb:
    red, green, blue = (round(a + (b - a) * light.shade) for a, b in zip(colour, light.tint, strict=True))
    return red, green, blue


def _sky(image: Image.Image, time: str, horizon: int, rng: Random) -> None:
    light, pen, unit = LIGHTS[time], ImageDraw.Draw(image), min(image.size)
    for y in range(horizon):
        share = y / horizon
        red, green, blue = (round(a + (b - a) * share) for a, b in zip(light.top, light.horizon, strict=True))
        pen.line((0, y, image.width, y), fill=(red, green, blue))
    pen.rectangle((0, horizon, image.width, image.height), fill=light.horizon)
    x, radius = rng.uniform(0.15, 0.85) * image.width, 0.085 * unit
    top = {"by day": 0.16, "at sunset": 0.42, "at night": 0.16}[time] * image.height
    disc = {"by day": (255, 228, 90), "at sunset": (255, 214, 96), "at night": (240, 240, 226)}[time]
    if time == "at night":
        for _ in range(14):
            sx, sy = rng.random() * image.width, rng.random() * horizon * 0.9
            pen.ellipse((sx, sy, sx + unit * 0.014, sy + unit * 0.014), fill=(226, 228, 240))
    pen.ellipse((x - radius, top - radius, x + radius, top + radius), fill=disc)
    if time == "at night":
        pen.ellipse((x - radius * 0.4, top - radius * 1.1, x + radius * 1.4, top + radius * 0.7), fill=LIGHTS[time].top)


def _sea(image: Image.Image, light: Light, horizon: int, rng: Random) -> None:
    pen, unit = ImageDraw.Draw(image), min(image.size)
    pen.rectangle((0, horizon, image.width, image.height), fill=_lit((28, 120, 190), light))
    for row in range(4):
        y = horizon + (row + 0.5) * (image.height - horizon) / 4
        for column in range(4):
            x = (column + rng.random() * 0.7) * image.width / 4
            pen.line((x, y, x + unit * 0.13, y), fill=_lit((120, 200, 236), light), width=round(unit * 0.018))


def _desert(image: Image.Image, light: Light, horizon: int, rng: Random) -> None:
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, horizon, image.width, image.height), fill=_lit((238, 200, 120), light))
    for _ in range(2):
        x, wide = rng.random() * image.width, image.width * rng.uniform(0.5, 0.8)
        top = horizon - image.height * rng.uniform(0.02, 0.07)
        pen.ellipse((x - wide, top, x + wide, image.height * 1.5), fill=_lit((228, 182, 98), light))


def _mountains(image: Image.Image, light: Light, horizon: int, rng: Random) -> None:
    pen, foot = ImageDraw.Draw(image), horizon + image.height * 0.16
    for centre in (0.12, 0.52, 0.9):
        x, peak = (centre + rng.uniform(-0.08, 0.08)) * image.width, horizon - image.height * rng.uniform(0.18, 0.3)
        wide, cap = image.width * rng.uniform(0.24, 0.34), (foot - peak) * 0.3
        pen.polygon([(x, peak), (x + wide, foot), (x - wide, foot)], fill=_lit((112, 112, 128), light))
        snow = [(x, peak), (x + wide * 0.3, peak + cap), (x - wide * 0.3, peak + cap)]
        pen.polygon(snow, fill=_lit((246, 248, 252), light))
    pen.rectangle((0, foot, image.width, image.height), fill=_lit((92, 124, 84), light))


def _forest(image: Image.Image, light: Light, horizon: int, rng: Random) -> None:
    pen, unit = ImageDraw.Draw(image), min(image.size)
    pen.rectangle((0, horizon + unit * 0.06, image.width, image.height), fill=_lit((58, 84, 44), light))
    count = round(7 * image.width / unit)
    for index in range(count):
        x, foot = (index + rng.uniform(0.2, 0.8)) * image.width / count, horizon + unit * rng.uniform(0.08, 0.2)
        high, wide = unit * rng.uniform(0.34, 0.46), unit * 0.1
        pen.rectangle((x - unit * 0.015, foot - 2, x + unit * 0.015, foot + unit * 0.07), fill=_lit((84, 56, 34), light))
        pen.polygon([(x, foot - high), (x + wide, foot), (x - wide, foot)], fill=_lit((22, 92, 48), light))


def _city(image: Image.Image, light: Light, horizon: int, rng: Random) -> None:
    pen, unit = ImageDraw.Draw(image), min(image.size)
    glow = (255, 220, 110) if light.shade > 0.2 else (190, 214, 230)
    count = round(5 * image.width / unit)
    foot = horizon + image.height * 0.14
    for index in range(count):
        left, wide = index * image.width / count, image.width / count * 0.86
        top = horizon - image.height * rng.uniform(0.08, 0.32)
        pen.rectangle((left, top, left + wide, foot), fill=_lit(rng.choice([(126, 120, 130), (150, 120, 108), (104, 112, 132)]), light))
        y = top + unit * 0.035
        while y < foot - unit * 0.05:
            for column in (0.2, 0.6):
                pen.rectangle((left + wide * column, y, left + wide * (column + 0.2), y + unit * 0.04), fill=glow)
            y += unit * 0.085
    pen.rectangle((0, foot, image.width, image.height), fill=_lit((92, 92, 98), light))


def _meadow(image: Image.Image, light: Light, horizon: int, rng: Random) -> None:
    pen, unit = ImageDraw.Draw(image), min(image.size)
    pen.rectangle((0, horizon, image.width, image.height), fill=_lit((112, 190, 70), light))
    for _ in range(16):
        x, y = rng.random() * image.width, rng.uniform(horizon + unit * 0.05, image.height)
        bloom = _lit(rng.choice([(250, 240, 240), (250, 220, 70), (236, 90, 110)]), light)
        pen.ellipse((x, y, x + unit * 0.04, y + unit * 0.04), fill=bloom)


GROUNDS = {
    "by the sea": _sea,
    "in the desert": _desert,
    "in the mountains": _mountains,
    "in a forest": _forest,
    "in a city": _city,
    "in a meadow": _meadow,
}

#: Height of the horizon as a share of the picture: things in a scene stand below it.
HORIZON = 0.56


def draw_scenery(image: Image.Image, place: str, time: str, rng: Random) -> None:
    """Draw a place at a time of day over the whole image."""
    horizon = round(image.height * HORIZON)
    _sky(image, time, horizon, rng)
    GROUNDS[place](image, LIGHTS[time], horizon, rng)

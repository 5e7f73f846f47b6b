"""The checker: reports what a picture shows, without knowing the prompt.

It names colours by the nearest colour of the palette in CIE Lab, shapes by the most similar silhouette, and places by the most similar
reference. Silhouettes and references come from the drawing code. It uses no torch and no learning.
"""

from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from inference.demo.words import COLOURS, PLACES, RELATIONS, TIMES
from tools.demo_model.captions import scene
from tools.demo_model.draw import PAINTERS, Picture, Thing, draw

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Lab distance from which a pixel is no longer background; the nearest two colours of the palette lie 29 apart.
APART = 14.0

#: Smallest object, as a share of the picture: a dot of a dotted background takes 0.2 %.
SMALLEST = 0.012

#: Similarity below which an outline matches nothing that can be drawn: drawn shapes reach 0.92 and more, after an autoencoder mostly 0.9,
#: random blots 0.75.
ALIKE = 0.8

#: Cells along a silhouette's side, its extent in spreads of its outline, and cells along a scene's side.
SILHOUETTE, REACH, GRID = 40, 2.4, 16

#: Drawn references for each place at each time, and how many of the nearest vote.
REFERENCES, VOTERS = 60, 5

#: Lab distance at which two cells of a scene count as simply different: a boat in front must not outweigh the sea.
DIFFERENT = 30.0


@dataclass(frozen=True)
class Seen:
    """One object: its name (empty if unknown), its colour, and its centre and area as shares of the picture."""

    name: str
    colour: str
    x: float
    y: float
    area: float


@dataclass(frozen=True)
class View:
    """The contents of a picture: the background colour, and the objects in front of it, the largest first."""

    background: str
    objects: tuple[Seen, ...]


def lab(image: Image.Image) -> Numbers:
    """Return a picture in CIE Lab (height, width, 3), for daylight (D65)."""
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    made: Numbers = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return made


@cache
def _palette() -> Numbers:
    colours: Numbers = lab(Image.fromarray(np.array([list(COLOURS.values())], dtype=np.uint8)))[0]
    return colours


def _distances(points: Numbers) -> Numbers:
    """Return the Lab distance of each point to each colour of the palette."""
    apart: Numbers = np.linalg.norm(points[..., None, :] - _palette(), axis=-1)
    return apart


def _most_named(points: Numbers) -> str:
    """Return the most frequent colour name among these pixels: edges and small parts are outvoted."""
    votes = np.bincount(_distances(points).argmin(axis=-1), minlength=len(COLOURS))
    return list(COLOURS)[int(votes.argmax())]


def _border(points: Numbers) -> tuple[Numbers, Numbers]:
    """Return the two colours along the border, the true one first; they are equal unless the background is striped."""
    edge = np.concatenate([side.reshape(-1, 3) for side in (points[:2], points[-2:], points[:, :2], points[:, -2:])])
    middle = np.median(edge, axis=0)
    spread = (edge - middle) @ np.linalg.svd(edge - edge.mean(axis=0), full_matrices=False)[2][0]
    upper = spread > (spread.max() + spread.min()) / 2
    if not 0.3 < upper.mean() < 0.7:
        return middle, middle
    one, other = np.median(edge[upper], axis=0), np.median(edge[~upper], axis=0)
    if np.linalg.norm(one - other) < APART / 2:
        return middle, middle
    # A stripe is the background's colour made lighter or darker, so the colour itself is the one in the palette.
    return (one, other) if _distances(one).min() < _distances(other).min() else (other, one)


def _dots(mask: Mask, points: Numbers) -> Numbers | None:
    """Return the colour of the dots of a dotted background, recognised by many parts too small to be objects; `None` if there are none."""
    labels, count = ndimage.label(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    dots = [number for number in range(1, count + 1) if 0.0005 < areas[number] / mask.size < SMALLEST / 2]
    return np.median(points[np.isin(labels, dots)], axis=0) if len(dots) >= 8 else None


def _away(points: Numbers, one: Numbers, other: Numbers) -> Numbers:
    """Return the Lab distance of each pixel from everything between the two border colours."""
    line = other - one
    along = np.clip((points - one) @ line / max(float(line @ line), 1e-9), 0, 1)
    apart: Numbers = np.linalg.norm(points - one - along[..., None] * line, axis=-1)
    return apart


def _parts(mask: Mask) -> list[Mask]:
    """Return the connected parts of a mask that are large enough to be objects, each with its soft rim."""
    cores, count = ndimage.label(ndimage.binary_erosion(mask))
    areas = np.bincount(cores.ravel(), minlength=count + 1)[1:]
    kept = [number + 1 for number in range(count) if areas[number] >= 0.5 * SMALLEST * mask.size]
    if not kept:
        return []
    nearest = ndimage.distance_transform_edt(~np.isin(cores, kept), return_distances=False, return_indices=True)
    owner = cores[tuple(nearest)]
    return [part for part in (mask & (owner == number) for number in kept) if part.mean() >= SMALLEST]


def _box(mask: Mask) -> tuple[slice, slice]:
    found: tuple[slice, slice] = ndimage.find_objects(mask.astype(np.int8))[0]
    return found


def _split(part: Mask, points: Numbers) -> list[Mask]:
    """Return two objects that touch as two: split a long part at its waist if the halves have different colours."""
    rows, columns = _box(part)
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    if max(high, wide) < 1.5 * min(high, wide):
        return [part]
    axis, start, length = (0, rows.start, high) if high > wide else (1, columns.start, wide)
    first, last = start + length // 3, start + 2 * length // 3
    cut = first + int(part.sum(axis=1 - axis)[first:last].argmin())
    before = np.arange(part.shape[axis]).reshape((-1, 1) if axis == 0 else (1, -1)) < cut
    halves = [part & before, part & ~before]
    if min(half.mean() for half in halves) < SMALLEST or _most_named(points[halves[0]]) == _most_named(points[halves[1]]):
        return [part]
    return halves


def _silhouette(mask: Mask) -> Numbers:
    """Return an outline on a square grid, centred and scaled to a spread of 1.

    It is measured by moments and not by the bounding box, which a rounded tip or a stray pixel would change.
    """
    y, x = np.nonzero(mask)
    spread = float(np.sqrt(y.var() + x.var())) or 1.0
    ticks = np.linspace(-REACH, REACH, SILHOUETTE) * spread
    places = np.meshgrid(ticks + y.mean(), ticks + x.mean(), indexing="ij")
    cover: Numbers = ndimage.map_coordinates(mask.astype(np.float64), places, order=1)
    return cover


@cache
def _templates() -> tuple[tuple[str, Numbers], ...]:
    """Return silhouettes of everything that can be drawn, at several sizes, crisp and soft."""
    made = []
    for name in PAINTERS:
        for size in (0.3, 0.4, 0.5, 0.7):
            drawn = draw(Picture("white", things=(Thing(name, "purple", 0.5, 0.5, size),)), (128, 128), Random(0))
            soft = drawn.filter(ImageFilter.GaussianBlur(1.6))
            made += [(name, _silhouette(lab(image)[..., 0] < 75)) for image in (drawn, soft)]
    return tuple(made)


def _likeness(one: Numbers, other: Numbers) -> float:
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


def _sharp(part: Mask, inside: Mask, points: Numbers, away: Numbers, ground: Numbers) -> Mask:
    """Return a part without its soft rim, which starts half way between the two colours, and without its halo."""
    towards = np.median(points[inside], axis=0) - ground
    along = (points - ground) @ towards / max(float(towards @ towards), 1e-9)
    # A roof, an eye or a stem may have any colour; a halo is thin and weak.
    sharp: Mask = part & ((along > 0.5) | (inside & (away > APART)) | (away > 0.8 * np.linalg.norm(towards)))
    return sharp if sharp.any() else part


def _seen(part: Mask, points: Numbers, away: Numbers, ground: Numbers) -> Seen:
    """Return the object that a part of the picture shows."""
    core = ndimage.binary_erosion(part, iterations=2)
    inside = core if core.sum() > 0.2 * part.sum() else part
    outline = _silhouette(_sharp(part, inside, points, away, ground))
    likeness, name = max((_likeness(outline, template), name) for name, template in _templates())
    y, x = ((middle + 0.5) / length for middle, length in zip(ndimage.center_of_mass(part), part.shape, strict=True))
    return Seen(name if likeness >= ALIKE else "", _most_named(points[inside]), float(x), float(y), float(part.mean()))


def look(image: Image.Image) -> View:
    """Return the background and the objects of a picture that is not a scene."""
    points = lab(image)
    one, other = _border(points)
    away = _away(points, one, other)
    dots = _dots(away > APART / 2, points) if one is other else None
    away = away if dots is None else _away(points, one, dots)
    parts = [half for part in _parts(away > APART) for half in _split(part, points)]
    seen = sorted((_seen(part, points, away, one) for part in parts), key=lambda thing: -thing.area)
    return View(list(COLOURS)[int(_distances(one).argmin())], tuple(seen))


def relation(first: Seen, second: Seen) -> str:
    """Return the position of the first object relative to the second."""
    dx, dy = second.x - first.x, second.y - first.y
    return max(RELATIONS, key=lambda name: dx * RELATIONS[name][0] + dy * RELATIONS[name][1])


def _grid(image: Image.Image) -> Numbers:
    return lab(image.convert("RGB").resize((GRID, GRID), Image.Resampling.BOX)).reshape(GRID * GRID, 3)


@cache
def _references() -> tuple[Numbers, tuple[tuple[str, str], ...]]:
    """Return the grids of drawn scenes and what each shows: empty places, and places with an object in front."""
    rng, grids, shown = Random(4242), [], []
    wanted = {(place, time): REFERENCES for place in PLACES for time in TIMES}
    while any(wanted.values()):
        picture = scene(rng).picture
        if wanted[picture.place, picture.time]:
            wanted[picture.place, picture.time] -= 1
            grids.append(_grid(draw(picture, (64, 64), rng)))
            shown.append((picture.place, picture.time))
    return np.stack(grids), tuple(shown)


def look_at_scene(image: Image.Image) -> tuple[str, str]:
    """Return the place and the time of day that a picture shows."""
    grids, shown = _references()
    apart = np.minimum(np.linalg.norm(grids - _grid(image), axis=-1), DIFFERENT).mean(axis=-1)
    nearest = [shown[index] for index in np.argsort(apart, kind="stable")[:VOTERS]]
    return max(nearest, key=nearest.count)

"""Easel's PNG writer against Pillow's default PNG save: how much sooner a finished image is a file.

The image looks natural: soft shapes of many colours under fine camera grain. Pillow at level 1 and a JPEG are measured for orientation.
Every PNG is decoded and compared with the pixels.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks.measure import race, report
from inference.images.encode import Pixels, jpeg, png

SIDES = (1024, 128)


def natural(side: int, seed: int = 7) -> Pixels:
    """Return a square image of soft shapes with camera-like grain."""
    random = np.random.default_rng(seed)
    down, across = np.mgrid[0:side, 0:side] / side
    picture = random.normal(0, 3, (side, side, 3))
    for _ in range(16):
        x, y, width = random.random(3)
        shape = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (0.01 + width / 10))
        picture += shape[..., None] * random.random(3) * 130
    return picture.clip(0, 255).astype(np.uint8)


def main() -> None:
    """Measure both sizes and print the report; the ratio is that of the larger size."""
    figures = {side: _measured(natural(side)) for side in SIDES}
    large = figures[SIDES[0]]
    report(ratio=large["times_default"], **{f"side_{side}": found for side, found in figures.items()})


def _measured(pixels: Pixels) -> dict[str, float]:
    """Return times in milliseconds and sizes in bytes for each method, and how many times faster ours is than each of the others."""
    image = Image.fromarray(pixels)
    ways: dict[str, Callable[[], bytes]] = {
        "default": lambda: _saved(image),
        "level_1": lambda: _saved(image, compress_level=1),
        "jpeg": lambda: jpeg(pixels, longest=max(image.size), quality=90),
    }
    found: dict[str, float] = {"bytes_ours": len(_exact(png(pixels), pixels))}
    for name, way in ways.items():
        result = race(lambda: png(pixels), way)
        found |= {f"times_{name}": result.ratio, f"ms_{name}": result.peer.median * 1e3, f"bytes_{name}": len(way())}
        if name == "default":
            found |= {"ms_ours": result.ours.median * 1e3, "spread_ours": result.ours.spread, "spread_default": result.peer.spread}
            _exact(way(), pixels)
    return found


def _saved(image: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def _exact(file: bytes, pixels: Pixels) -> bytes:
    """Return the file after checking that it decodes to these pixels."""
    with Image.open(io.BytesIO(file)) as image:
        if not np.array_equal(np.asarray(image), pixels):
            raise SystemExit("the decoded pixels differ")
    return file


if __name__ == "__main__":
    main()

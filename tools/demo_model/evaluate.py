"""Generate images with the demo model and check their contents: `python -m tools.demo_model.evaluate [--model FOLDER] [--prompts 300]`.

How new the test prompts are: every image starts from noise with its own seed, and the prompts are drawn with seeds that training does not
use, so no test picture was ever drawn. A shape in a colour on a background is one of 1,056 triples, all of which 48,000 training pictures
hold, but nearly none of the pairs was drawn. The shares are counted and printed (`….new`).

The last line is JSON, and the exit code is 1 if a promise is missed.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from inference.demo.words import COLOURS
from inference.models.registry import inspect
from inference.worker.schedulers import make
from tools.demo_model.build import SIDE
from tools.demo_model.captions import Captioned
from tools.demo_model.checker import look
from tools.demo_model.counts import FIRST_SEED, Figures, count_objects, count_pairs, count_scenes, meaning, prompt_sets, share_of, taught
from tools.demo_model.draw import Picture, Thing, draw

#: The promises: the least value of each share.
PROMISED: Figures = {
    "objects.colour": 0.98,
    "objects.background": 0.98,
    "objects.shape": 0.95,
    "scenes.time": 0.90,
    "scenes.place": 0.90,
    "pairs.relation": 0.75,
    "negatives.effect": 0.75,
    "strength.grows": 1.0,
    "strength.flips": 0.90,
    "schedulers.worst": 0.90,
}

#: Strengths of the image-to-image test, and the images in one forward pass.
STRENGTHS, BATCH = (0.1, 0.2, 0.4, 0.6, 0.8, 0.95), 16

GROUPS = ("objects", "scenes", "pairs", "things", "special", "wide", "negatives", "strength", "schedulers")

MODEL = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Settings:
    """Settings of all images; an empty scheduler means the scheduler that the model is saved with."""

    steps: int = 20
    guidance: float = 2.5
    scheduler: str = ""


class Painter:
    """The stock pipeline, in batches, with a generator for each picture."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings = settings
        # diffusers types neither its constructors nor its calls.
        load: Any = StableDiffusionPipeline.from_pretrained
        self.pipe: Any = load(folder, dtype=torch.float32, local_files_only=True)
        self.config = dict(self.pipe.scheduler.config)
        self.fitting = inspect(folder).schedulers
        if settings.scheduler:
            self.pipe.scheduler = make(settings.scheduler, self.config)
        join: Any = StableDiffusionImg2ImgPipeline
        self.again: Any = join(**self.pipe.components, requires_safety_checker=False)
        for pipe in (self.pipe, self.again):
            pipe.set_progress_bar_config(disable=True)

    def paint(self, said: Sequence[str], negatives: Sequence[str] = (), size: tuple[int, int] = (SIDE, SIDE)) -> list[Image.Image]:
        """Generate one image for each caption; image `i` has seed `FIRST_SEED + i`."""
        made: list[Image.Image] = []
        for start in range(0, len(said), BATCH):
            part = list(said[start : start + BATCH])
            unwanted = list(negatives[start : start + BATCH]) or None
            made += self.pipe(part, size[1], size[0], negative_prompt=unwanted, **self._given(start, len(part))).images
        return made

    def repaint(self, sources: Sequence[Image.Image], said: str, strength: float) -> list[Image.Image]:
        """Run image to image on each source, each with its own seed."""
        made: list[Image.Image] = []
        for start in range(0, len(sources), BATCH):
            part = list(sources[start : start + BATCH])
            made += self.again([said] * len(part), part, strength, **self._given(start, len(part))).images
        return made

    def _given(self, start: int, count: int) -> dict[str, object]:
        generators = [torch.Generator().manual_seed(FIRST_SEED + start + number) for number in range(count)]
        return {"num_inference_steps": self.settings.steps, "guidance_scale": self.settings.guidance, "generator": generators}


def _colour(image: Image.Image) -> str:
    objects = look(image).objects
    return objects[0].colour if objects else ""


def negatives(painter: Painter, count: int) -> Figures:
    """Leave the colour open and forbid one colour: compare how often it comes with how often it comes when another is forbidden.

    Any negative prompt changes an image, so an image without one is no fair comparison; that is reported for the most frequent colour.
    """
    said, colours = "a circle on a white background", [name for name in COLOURS if name != "white"]
    forbidden = [name for name in colours for _ in range(max(1, count // 4))]
    seen = [_colour(image) for image in painter.paint([said] * len(forbidden), forbidden)]
    hit = share_of([a == b for a, b in zip(forbidden, seen, strict=True)])
    elsewhere = [share_of([b == name for a, b in zip(forbidden, seen, strict=True) if a != name]) for name in colours]
    expected = sum(elsewhere) / len(colours)
    free = [_colour(image) for image in painter.paint([said] * count)]
    frequent, times = (Counter(colour for colour in free if colour).most_common(1) or [("", 0)])[0]
    without = [_colour(image) for image in painter.paint([said] * count, [frequent] * count)]
    return {
        "negatives.effect": round(1 - hit / expected, 4) if expected else 0.0,
        "negatives.forbidden": hit,
        "negatives.expected": round(expected, 4),
        "negatives.most_frequent.free": round(times / count, 4),
        "negatives.most_frequent.forbidden": share_of([colour == frequent for colour in without]),
    }


def _change(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)).mean())


def image_to_image(painter: Painter, count: int) -> Figures:
    """Turn drawn red circles into blue circles at rising strengths: change in 0..255, shares of red and blue."""
    rng = Random(FIRST_SEED)
    sources = [draw(Picture("white", things=(Thing("circle", "red", 0.5, 0.5, 0.5),)), (SIDE, SIDE), rng) for _ in range(count)]
    figures, changes = Figures(), list[float]()
    for strength in STRENGTHS:
        made = painter.repaint(sources, "a blue circle on a white background", strength)
        changes.append(float(np.mean([_change(a, b) for a, b in zip(sources, made, strict=True)])))
        figures[f"strength.{strength}.change"] = round(changes[-1], 2)
        for colour in ("red", "blue"):
            figures[f"strength.{strength}.{colour}"] = share_of([_colour(image) == colour for image in made])
    # Between two colours the latents pass other colours, so the change in levels need not rise at every strength, but blue must.
    turned = [figures[f"strength.{strength}.blue"] for strength in STRENGTHS]
    grows = all(after >= before for before, after in pairwise(turned)) and changes[-1] > 1.25 * changes[0]
    figures["strength.grows"] = float(grows)
    figures["strength.flips"] = round(figures[f"strength.{STRENGTHS[-1]}.blue"] - figures[f"strength.{STRENGTHS[0]}.blue"], 4)
    return figures


def schedulers(painter: Painter, wanted: Sequence[Captioned]) -> Figures:
    """Generate the same prompts with every scheduler that fits the model: colour and background."""
    figures, own = Figures(), painter.pipe.scheduler
    for name in painter.fitting:
        painter.pipe.scheduler = make(name, painter.config)
        counted = count_objects(f"schedulers.{name}", wanted, painter.paint([one.caption for one in wanted]))
        figures |= {figure: share for figure, share in counted.items() if not figure.endswith(".shape")}
    painter.pipe.scheduler = own
    figures["schedulers.worst"] = min(share for figure, share in figures.items() if figure.endswith(".colour"))
    return figures


def sheet(painter: Painter, sets: dict[str, list[Captioned]], path: Path) -> list[str]:
    """Save 6 rows of 8 pictures, two rows each of objects, pairs and scenes; return their captions."""
    said = [one.caption for name in ("objects", "pairs", "scenes") for one in sets[name][:16]]
    page = Image.new("RGB", (8 * (SIDE + 4), 6 * (SIDE + 4)), "grey")
    for number, image in enumerate(painter.paint(said)):
        page.paste(image, (number % 8 * (SIDE + 4) + 2, number // 8 * (SIDE + 4) + 2))
    page.save(path)
    return said


def answers(painter: Painter, name: str, wanted: Sequence[Captioned]) -> Figures:
    """Generate and count the prompts of one set; `new` is the share whose meaning training never drew."""
    began = time.monotonic()
    size = (SIDE * 3 // 2, SIDE) if name == "wide" else (SIDE, SIDE)
    images = painter.paint([one.caption for one in wanted], size=size)
    seconds = (time.monotonic() - began) / len(wanted)
    counters = {"scenes": count_scenes, "pairs": count_pairs}
    counted = counters[name](wanted, images) if name in counters else count_objects(name, wanted, images)
    known = taught()
    new = share_of([meaning(one.picture) not in known for one in wanted])
    return {**counted, f"{name}.new": new, f"{name}.seconds_each": round(seconds, 3)}


def tests(painter: Painter, prompts: int) -> Mapping[str, Callable[[], Figures]]:
    """Return every test by its name."""
    sets = prompt_sets(prompts)
    return {name: partial(answers, painter, name, wanted) for name, wanted in sets.items()} | {
        "negatives": partial(negatives, painter, max(8, prompts // 6)),
        "strength": partial(image_to_image, painter, max(4, prompts // 25)),
        "schedulers": partial(schedulers, painter, sets["objects"][:20]),
    }


def _tell(figures: Figures) -> None:
    for name, value in figures.items():
        least = PROMISED.get(name)
        verdict = "" if least is None else f"   promised {least:g}: {'kept' if value >= least else 'MISSED'}"
        print(f"{name:40} {value:8.3f}{verdict}", flush=True)


def main() -> int:
    """Evaluate; return 1 if a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the pipeline")
    parser.add_argument("--prompts", type=int, default=300, help="pictures in each of the three sets with a promise")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--guidance", type=float, default=Settings.guidance)
    parser.add_argument("--scheduler", default=Settings.scheduler, help="scheduler; empty: the one saved with the model")
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--sheet", type=Path, help="only save a sheet of 48 pictures to this file and print their captions")
    parser.add_argument("--only", nargs="+", choices=GROUPS, help="run only some of the tests")
    parser.add_argument("--threads", type=int, default=2, help="threads; fewer are faster if other work keeps the cores busy")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    painter = Painter(given.model, Settings(given.steps, given.guidance, given.scheduler))
    if given.sheet:
        print("\n".join(sheet(painter, prompt_sets(20), given.sheet)))
        return 0
    figures = Figures()
    for name, test in tests(painter, given.prompts).items():
        counted = test() if not given.only or name in given.only else {}
        figures |= counted
        if not given.json:
            _tell(counted)
    missed = [name for name, least in PROMISED.items() if figures.get(name, least) < least]
    print(json.dumps({"settings": vars(painter.settings), "figures": figures, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

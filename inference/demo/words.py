"""The vocabulary of the demo model, and the appearance of each word.

There is a table for each kind of word. Drawing, captions, training, evaluation and the tokenizer all read these tables, so a new
colour or a new thing is a single entry here (and, for a thing, a function in `tools/demo_model/draw.py`).
"""

from typing import Final

Rgb = tuple[int, int, int]

#: Colours far enough apart in CIE Lab that a checker can name them after a lossy autoencoder.
COLOURS: Final[dict[str, Rgb]] = {
    "red": (214, 36, 40),
    "orange": (245, 134, 24),
    "yellow": (250, 218, 48),
    "green": (40, 156, 60),
    "cyan": (64, 208, 220),
    "blue": (34, 76, 205),
    "purple": (126, 42, 168),
    "pink": (246, 150, 190),
    "brown": (116, 70, 36),
    "white": (250, 250, 248),
    "grey": (134, 136, 140),
    "black": (20, 20, 24),
}

SHAPES: Final = ("circle", "square", "triangle", "star", "heart", "diamond", "ring", "cross")

THINGS: Final = ("house", "tree", "boat", "flower", "cat", "fish")

#: Share of the shorter side that an object takes; the empty word is the size in a caption without a size, such as "a red circle".
SIZES: Final[dict[str, tuple[float, float]]] = {"small": (0.26, 0.34), "": (0.44, 0.54), "large": (0.66, 0.76)}

#: Positions of a single object in captions that name one: the centre as a share of width and height.
SPOTS: Final[dict[str, tuple[float, float]]] = {
    "on the left": (0.27, 0.5),
    "on the right": (0.73, 0.5),
    "at the top": (0.5, 0.27),
    "at the bottom": (0.5, 0.73),
}

#: The direction from the first object to the second.
RELATIONS: Final[dict[str, tuple[int, int]]] = {
    "left of": (1, 0),
    "right of": (-1, 0),
    "above": (0, 1),
    "below": (0, -1),
}

PATTERNS: Final = ("striped", "dotted")

TIMES: Final = ("by day", "at sunset", "at night")

PLACES: Final = ("by the sea", "in the desert", "in the mountains", "in a forest", "in a city", "in a meadow")

#: Words that captions use besides the tables above.
GLUE: Final = ("a", "an", "the", "and", "on", "background", "picture", "scene")

#: Synonyms; captions use them occasionally, so the model learns them too.
SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "grey": ("gray",),
    "large": ("big", "huge"),
    "small": ("little", "tiny"),
    "purple": ("violet",),
    "cyan": ("turquoise",),
    "ring": ("donut",),
    "sea": ("ocean",),
    "cat": ("kitten",),
    "house": ("home",),
    "boat": ("ship",),
    "forest": ("woods",),
    "city": ("town",),
    "sunset": ("dusk",),
}


def known_words() -> tuple[str, ...]:
    """Return every word that the model was trained on, sorted."""
    phrases = [*COLOURS, *SHAPES, *THINGS, *SIZES, *SPOTS, *RELATIONS, *PATTERNS, *TIMES, *PLACES, *GLUE]
    words = {word for phrase in phrases for word in phrase.split()}
    return tuple(sorted(words.union(*SYNONYMS.values())))

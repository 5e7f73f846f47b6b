"""The shipped weights generate what the prompt says, judged with the checker on images of the real batch engine."""

import io

import numpy as np
import pytest
from PIL import Image
from sd_parsers import ParserManager

from bot.i18n.translate import ENGLISH, LANGUAGES, keys, speaking, text
from inference.contract.request import Picture, Prompt
from inference.demo.words import known_words
from tests.room import DEMO_INFO, asked, room
from tools.demo_model.checker import look, look_at_scene, relation


@pytest.fixture(scope="module")
def batch_engine():
    """One batch engine for all pictures."""
    with room() as opened:
        yield opened


def usual(words, **changes):
    """Return a request with the model's default settings."""
    own = DEMO_INFO.defaults
    return asked(words, **{"steps": own.steps, "guidance": own.guidance, "scheduler": own.scheduler} | changes)


def test_a_red_circle_on_blue_is_one(batch_engine):
    """A first picture is red in the middle and blue in the corners, and repeats with identical pixels."""
    request = usual("a large red circle on a blue background", seed=7)
    first, second = (batch_engine.paint(request)[0].pictures[0] for _ in range(2))
    middle, corners = first[56:72, 56:72].reshape(-1, 3).mean(0), first[[0, 0, -1, -1], [0, -1, 0, -1]].mean(0)

    assert np.array_equal(first, second)
    assert middle[0] > 150 > max(middle[1:])
    assert corners[2] > 130 > max(corners[:2])


@pytest.mark.parametrize(
    ("colour", "name", "background"), [("green", "star", "yellow"), ("purple", "heart", "white"), ("white", "square", "black")]
)
def test_colour_shape_and_background_come_out(batch_engine, colour, name, background):
    """In at least four of five seeds, the checker names what the prompt said."""
    words = f"a large {colour} {name} on a {background} background"
    pictures = [outcome.pictures[0] for outcome in batch_engine.paint(*[usual(words, seed=seed, share=str(seed)) for seed in range(5)])]
    views = [look(Image.fromarray(picture)) for picture in pictures]
    right = [
        view.background == background and bool(view.objects) and (view.objects[0].colour, view.objects[0].name) == (colour, name)
        for view in views
    ]

    assert sum(right) >= 4


def seen(image):
    """Return what the checker sees in an image: background, objects, the relation of two of them, place and time."""
    view = look(image)
    objects = {(one.colour, one.name) for one in view.objects}
    above = view.objects[0].name if len(view.objects) == 2 and relation(*view.objects) == "above" else ""
    above = view.objects[1].name if len(view.objects) == 2 and relation(*view.objects) == "below" else above
    return view.background, objects, above, look_at_scene(image)


#: The examples of the chat page, and what the checker must see in each.
EXAMPLES = {
    "example-1": lambda background, objects, _above, _scene: background == "blue" and objects == {("red", "circle")},
    "example-2": lambda _background, _objects, _above, scene: scene == ("by the sea", "at sunset"),
    "example-3": lambda background, objects, above, _scene: (
        background == "white" and objects == {("yellow", "star"), ("purple", "heart")} and above == "star"
    ),
}


@pytest.mark.parametrize("key", EXAMPLES)
def test_every_example_of_the_page_comes_out(batch_engine, key):
    """In ten of ten seeds, each example prompt of the chat page gives what it says."""
    with speaking(ENGLISH):
        words = text(key)
    images = [
        Image.fromarray(one.pictures[0]) for one in batch_engine.paint(*[usual(words, seed=seed, share=str(seed)) for seed in range(10)])
    ]
    assert [EXAMPLES[key](*seen(image)) for image in images] == [True] * 10


def test_the_examples_of_the_page_are_all_checked():
    """The page shows the same examples in every language, because the model knows English words only, and each of them is checked."""
    found = {}
    for language in LANGUAGES:
        with speaking(language):
            found[language] = {key: text(key) for key in keys() if key.startswith("example-")}
    assert set(found[ENGLISH]) == set(EXAMPLES)
    assert all(one == found[ENGLISH] for one in found.values())


def test_the_settings_inside_are_read_by_others(batch_engine):
    """sd-parsers, which reads the metadata of A1111, finds prompt, seed, steps, sampler and model."""
    events = batch_engine.paint(usual("a red circle", seed=11))[0].events
    image = next(event.image for event in events if isinstance(event, Picture))
    read = ParserManager().parse(Image.open(io.BytesIO(image)))

    assert read is not None
    assert [prompt.value for prompt in read.prompts] == ["a red circle"]
    assert next(iter(read.samplers)).parameters["steps"] == str(DEMO_INFO.defaults.steps)
    assert next(iter(read.models)).name == "demo"


def test_the_card_tells_the_vocabulary():
    """The words that users are offered are the words of the training captions."""
    assert DEMO_INFO.words == known_words()
    assert DEMO_INFO.unknown_words(Prompt.plain("a cyberpunk Circle, at NIGHT")) == ("cyberpunk",)

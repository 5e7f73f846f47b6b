"""From params to a complete request."""

import pytest

from bot.core.errors import BadInput
from bot.generation import resolve
from bot.generation.fields import GenerationParams
from bot.i18n.translate import tell
from inference.contract.errors import InferenceError
from inference.contract.inputs import Role
from inference.contract.model_info import MAX_SEED
from inference.demo import WEIGHTS
from inference.images.validation import Header
from inference.models.registry import read_catalogue


@pytest.fixture(scope="module")
def model_info():
    """Return the model info of the model that ships with Easel."""
    return read_catalogue([], None, WEIGHTS)["demo"]


def request_of(model_info, pictures=(), **params):
    """Return the request for params with seed 7."""
    want = GenerationParams(**{"prompt": "a red circle", **params})
    return resolve.request_of(want, resolve.reading_of(want, 7), model_info, 7, pictures)


def test_what_is_left_out_is_the_model_s_own(model_info):
    """Missing size, steps, guidance and scheduler take the model's defaults."""
    usual, request = model_info.defaults, request_of(model_info)
    assert (request.width, request.height, request.steps) == (usual.width, usual.height, usual.steps)
    assert (request.guidance, request.scheduler, request.count, request.seed) == (usual.guidance, usual.scheduler, 1, 7)


def test_what_is_given_is_taken(model_info):
    """The request has the given values of its params."""
    request = request_of(model_info, steps=3, guidance=0, scheduler=" Euler ", size="128x64", count=2, negative="a (blue) square")
    assert (request.steps, request.guidance, request.scheduler, request.count) == (3, 0, "euler", 2)
    assert (request.width, request.height) == (128, 64)
    assert request.negative.text == "a (blue) square"


def test_negatives_of_both_places_come_together(model_info):
    """Negative words in the prompt and in the negative parameter form one negative prompt."""
    request = request_of(model_info, prompt="a red circle (-a dog -a cat)", negative="fog")
    assert request.prompt.text == "a red circle"
    assert request.negative.text == "fog, a dog, a cat"


def test_a_shape_becomes_a_size_of_the_model(model_info):
    """A shape becomes a size of about the model's own number of pixels, in multiples that it allows."""
    request, usual = request_of(model_info, size="16:9"), model_info.defaults
    assert request.width > request.height
    assert request.width % model_info.limits.multiple == 0
    assert request.width * request.height <= 1.3 * usual.width * usual.height


def test_a_source_gives_its_shape(model_info):
    """Without a size the picture has the shape of its source."""
    request = request_of(model_info, pictures=[(Role.INIT, Header("PNG", 300, 600))], strength=0.4)
    assert 1.6 < request.height / request.width < 2.4
    assert (request.strength, request.inputs) == (0.4, ())


def test_alternatives_are_drawn_by_the_seed():
    """The same seed draws the same alternatives, and other seeds draw others."""
    params = GenerationParams(prompt="a {red|green|blue|yellow} circle")
    drawn = {seed: resolve.reading_of(params, seed).chosen for seed in range(30)}
    assert drawn == {seed: resolve.reading_of(params, seed).chosen for seed in range(30)}
    assert len(set(drawn.values())) == 4


def test_seeds_leave_room_for_every_picture():
    """A drawn seed leaves room to count up for all pictures of the request, and a given seed is kept."""
    assert all(resolve.seed_for(GenerationParams(prompt="a", count=16)) <= MAX_SEED - 16 for _ in range(100))
    assert resolve.seed_for(GenerationParams(prompt="a", seed=0)) == 0


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"strength": 0.5}, "Add a picture"),
        ({"prompt": "(-a dog)"}, "The prompt is empty"),
        ({"prompt": " () "}, "The prompt is empty"),
        ({"size": "big"}, "Write a size like 768x512"),
        ({"size": "0:3"}, "Write a shape like 16:9"),
        ({"size": "9:1"}, "more than 4 times"),
        ({"size": "1x1"}, "width must be from 64"),
        ({"size": "70x64"}, "must be a multiple of"),
        ({"scheduler": "eulr"}, "did you mean euler"),
        ({"prompt": f"a (-{'b ' * 600})", "negative": "c " * 800}, "at most 2000 characters"),
        ({"prompt": "a" * 2001}, "at most 2000 characters"),
        ({"prompt": "a <lora:fine:1>"}, "LoRA"),
    ],
)
def test_what_cannot_be_painted_is_said(model_info, params, sentence):
    """Params that cannot become a request are refused with the valid values."""
    with pytest.raises((BadInput, InferenceError)) as refused:
        request_of(model_info, **params)
    assert sentence in tell(refused.value.problem)

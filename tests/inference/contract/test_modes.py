"""Modes: the mode of a request, the inputs it accepts and its cost factor."""

import pytest

from inference.contract.errors import NotOffered, OutOfRange
from inference.contract.inputs import Input, Role
from inference.contract.modes import MODES, Mode, Needs, mode_of
from inference.contract.request import PictureRequest, Prompt

INIT = Input(Role.INIT, b"a picture")

#: An example of a mode with control inputs: an optional init picture, and up to three inputs of another role.
GUIDED = Mode(name="guided", inputs=(Needs(Role.INIT, 0), Needs(Role.CONTROL, 1, 3)), factor=1.5)


def asked(**changes):
    """Return a request of 30 steps at 512 × 512."""
    usual = {"model": "demo", "width": 512, "height": 512, "steps": 30, "guidance": 4.0, "scheduler": "euler", "seed": 7}
    return PictureRequest(prompt=Prompt.plain("a cat"), **usual | changes)


def test_inputs_decide_the_mode():
    """A request without a mode gets the first mode that accepts its inputs."""
    assert mode_of(asked()) is MODES["txt2img"]
    assert mode_of(asked(inputs=(INIT,))) is MODES["img2img"]


def test_the_mode_that_a_request_names_counts():
    """A named mode is used whatever the inputs are, and its check reports the missing inputs."""
    mode = mode_of(asked(mode="img2img"))
    assert mode is MODES["img2img"]
    with pytest.raises(OutOfRange, match="range-inputs") as refused:
        mode.check(asked(mode="img2img"))
    assert refused.value.problem.facts == {"mode": "img2img", "role": "init", "wanted": "1", "given": 0}


@pytest.mark.parametrize("changes", [{"mode": "sculpture"}, {"inputs": (INIT, INIT)}, {"inputs": (Input(Role.MASK),)}])
def test_an_unknown_mode_is_refused(changes):
    """An unknown mode name, and inputs that fit no mode, are refused with the list of modes."""
    with pytest.raises(NotOffered, match="unknown-mode") as refused:
        mode_of(asked(**changes))
    assert refused.value.problem.facts["offered"] == ", ".join(MODES)


@pytest.mark.parametrize(
    ("roles", "wanted"),
    [
        ((Role.CONTROL,), None),
        ((Role.CONTROL, Role.INIT, Role.CONTROL), None),
        ((), "1–3"),
        ((Role.CONTROL,) * 4, "1–3"),
        ((Role.CONTROL, Role.INIT, Role.INIT), "0–1"),
        ((Role.CONTROL, Role.MASK), "0"),
    ],
)
def test_a_mode_counts_its_inputs(roles, wanted):
    """A mode accepts only its allowed number of inputs of each role, and none of any other role."""
    assert GUIDED.takes(roles) is (wanted is None)
    if wanted is None:
        GUIDED.check(asked(), roles)
        return
    with pytest.raises(OutOfRange) as refused:
        GUIDED.check(asked(), roles)
    assert refused.value.problem.facts["wanted"] == wanted


def test_steps_of_a_mode():
    """Text to image runs all steps, image to image the last `strength` of them."""
    assert mode_of(asked(strength=0.5)).steps(asked(strength=0.5)) == 30
    assert mode_of(asked(inputs=(INIT,))).steps(asked(strength=0.5)) == 15


def test_a_strength_without_a_step_is_refused():
    """Image to image that would run no step at all is refused with the smallest strength that runs a step."""
    request = asked(inputs=(INIT,), steps=4, strength=0.2)
    with pytest.raises(OutOfRange, match="range-no-steps") as refused:
        mode_of(request).check(request)
    assert refused.value.problem.facts["least"] == 0.25

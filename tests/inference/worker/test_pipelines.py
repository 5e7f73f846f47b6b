"""Modes in the engine: a mode is a value, and its inputs reach the stock pipeline that it names."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from inference.contract.inputs import Input, Role
from inference.contract.modes import MODES, Mode, Needs
from inference.models.registry import inspect
from inference.worker.model_loader import load
from inference.worker.schedulers import make
from tests import tiny_models
from tests.room import asked, room


def arguments(request, pictures):
    """Return the arguments of the stock inpainting pipeline."""
    return {"image": pictures[Role.INIT][0], "mask_image": pictures[Role.MASK][0], "strength": request.strength}


#: The content of a file for one more mode.
INPAINT = Mode(
    name="inpaint", inputs=(Needs(Role.INIT), Needs(Role.MASK)), fields=frozenset({"strength"}), pipeline="Inpaint", arguments=arguments
)


def png(image):
    """Return an image as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def model_info(tmp_path):
    """Return a tiny model of Stable Diffusion 1."""
    return inspect(tiny_models.write_folder(tiny_models.make("sd1"), tmp_path / "tiny"))


def test_a_new_mode_is_a_value_and_a_name(model_info, monkeypatch):
    """A mode that the engine does not know gives the image of its stock pipeline, from inputs of two roles."""
    monkeypatch.setitem(MODES, "inpaint", INPAINT)
    side = model_info.defaults.width
    start, mask = Image.new("RGB", (side, side), "red"), Image.new("L", (side, side))
    ImageDraw.Draw(mask).rectangle((0, 0, side // 2, side), fill=255)
    request = asked(
        model=model_info.name, width=side, height=side, inputs=(Input(Role.MASK, png(mask)), Input(Role.INIT, png(start))), strength=1.0
    )
    with room({model_info.name: model_info}) as opened:
        outcome = opened.paint(request)[0]

    loaded = load(model_info, torch.float32)
    stock = loaded.pipeline("StableDiffusionInpaintPipeline")
    stock.scheduler = make(request.scheduler, loaded.scheduler_config)
    told = {"num_inference_steps": request.steps, "guidance_scale": request.guidance, "output_type": "np"}
    rng = torch.Generator().manual_seed(request.seed)
    expected = stock(
        request.prompt.text, image=start, mask_image=mask, strength=1.0, width=side, height=side, generator=rng, **told
    ).images[0]
    assert np.abs(outcome.pictures[0] - expected * 255).max() <= 2
    picture = next(event.image for event in outcome.events if hasattr(event, "image"))
    assert json.loads(Image.open(io.BytesIO(picture)).text["easel"])["picture"]["mode"] == "inpaint"


@pytest.mark.parametrize("part", ["unet", "vae"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_invalid_numbers_are_no_picture(part, number):
    """A denoiser or a decoder that overflows fails its request with a sentence; it is never delivered as a black picture."""
    with room() as opened:
        opened.paint(asked(steps=1))
        network = opened.easel.loaded.components[part] if part == "unet" else opened.easel.loaded.components["vae"].decoder
        run = network.forward

        def forward(*given, **named):
            answer = run(*given, **named)
            if isinstance(answer, torch.Tensor):
                return torch.full_like(answer, number)
            return (torch.full_like(answer[0], number), *answer[1:])

        network.forward = forward
        (broken,) = opened.paint(asked(steps=2))
        network.forward = run
        (whole,) = opened.paint(asked(steps=2))

    assert (broken.pictures, broken.end.problem.key) == ([], "model-not-finite")
    assert len(whole.pictures) == 1

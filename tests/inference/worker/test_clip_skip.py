"""`clip_skip` chooses the layer of CLIP that encodes the prompt.

It counts as A1111 does, is stored in the file, and can be mixed in a batch with requests that leave it out.
"""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from inference.contract.errors import NotOffered
from inference.contract.request import Picture, Prompt
from inference.models.registry import inspect
from inference.worker.model_loader import load
from inference.worker.text_encoding import TextEncoder
from tests import tiny_models
from tests.room import DEMO_INFO, asked, room
from tools.demo_model.checker import look

CPU = torch.device("cpu")

#: The largest difference of a mixed batch from the lone run, on a scale of 0 to 255.
ALIKE = 2

WORDS = "a large green star on a yellow background"


@pytest.fixture(scope="module")
def batch_engine():
    """Return one batch engine for all images."""
    with room() as opened:
        yield opened


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl"])
def loaded(request, tmp_path_factory):
    """Return a tiny model of each family that supports it, with two layers in every encoder."""
    pipeline = tiny_models.make(request.param)
    if request.param == "sdxl":
        clip = tiny_models.make_clip(CLIPTextModelWithProjection, 1280, 2, pipeline.tokenizer_2, "gelu")
        pipeline.register_modules(text_encoder_2=clip)
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_models.write_folder(pipeline, folder)
    return load(inspect(folder), torch.float32)


def embedded(loaded, clip_skip, words="a (red) circle"):
    """Return the embeddings of a prompt by a layer."""
    return TextEncoder(loaded, CPU).embed(Prompt.plain(words), Prompt.plain("blue"), True, clip_skip)


def usual(**changes):
    """Return a request with the demo model's own settings."""
    own = DEMO_INFO.defaults
    return asked(WORDS, steps=own.steps, guidance=own.guidance, scheduler=own.scheduler, **changes)


@torch.no_grad()
def test_layers_are_those_of_the_stock_pipelines(loaded, monkeypatch):
    """1 is the last layer and 2 the layer before it: the embeddings are those that diffusers makes with its own count."""
    # diffusers 0.42 looks for the layer norm at a place that transformers 5 no longer has.
    monkeypatch.setattr(CLIPTextModel, "text_model", property(lambda encoder: encoder), raising=False)
    pipeline, is_xl = loaded.text_pipeline, loaded.model_info.family == "sdxl"
    for clip_skip in (1, 2):
        # diffusers counts from 0, and for SDXL from the default layer there, which is the second to last.
        more = {"device": CPU, "negative_prompt": "blue", "clip_skip": clip_skip - (2 if is_xl else 1)}
        if not is_xl:
            more |= {"num_images_per_prompt": 1, "do_classifier_free_guidance": True}
        words, unwanted = pipeline.encode_prompt("a (red) circle", **more)[:2]
        ours = embedded(loaded, clip_skip)
        assert torch.allclose(ours["prompt_embeds"], words, atol=1e-5)
        # diffusers encodes the negative prompt of SDXL with the default layer, whatever layer the prompt uses; A1111 and Easel use the same
        # layer.
        assert is_xl or torch.allclose(ours["negative_prompt_embeds"], unwanted, atol=1e-5) or clip_skip > 1


@torch.no_grad()
def test_the_models_own_layer_is_the_default(loaded):
    """The layer that a model was trained with gives the same bits whether it is named or left out; any other layer gives other bits."""
    own = 2 if loaded.model_info.family == "sdxl" else 1
    default = embedded(loaded, None)
    assert all(torch.equal(value, default[name]) for name, value in embedded(loaded, own).items())
    assert not torch.equal(embedded(loaded, 3 - own)["prompt_embeds"], default["prompt_embeds"])


@torch.no_grad()
def test_long_prompts_and_deep_layers(loaded):
    """Every window is encoded by the same layer, also empty windows; an encoder with fewer layers uses its first layer."""
    long = " ".join(["red circle"] * 60)
    one, other = embedded(loaded, 2, long), embedded(loaded, 4, long)
    assert one["prompt_embeds"].shape[1] > 77
    assert one["negative_prompt_embeds"].shape == one["prompt_embeds"].shape
    assert torch.equal(one["prompt_embeds"], other["prompt_embeds"])
    empty = TextEncoder(loaded, CPU).embed(Prompt(), Prompt(), True, 2)["prompt_embeds"]
    assert torch.allclose(one["negative_prompt_embeds"][:, 77:154], empty, atol=1e-5)


def test_models_without_clip_alone_refuse_it(tmp_path):
    """A model with other text encoders than CLIP refuses it by name; the models that support it list it."""
    tiny_models.write_folder(tiny_models.make("sd3"), tmp_path / "model")
    model_info = inspect(tmp_path / "model")
    plain = asked(width=64, height=64, scheduler=model_info.defaults.scheduler)
    model_info.check(plain)
    with pytest.raises(NotOffered) as refused:
        model_info.check(asked(width=64, height=64, scheduler=model_info.defaults.scheduler, clip_skip=2))
    assert refused.value.problem.key == "unknown-option-here"
    assert refused.value.problem.facts == {"name": "clip_skip", "model": "model"}
    assert (model_info.options, DEMO_INFO.options) == ((), ("clip_skip",))


def test_pictures_differ_by_the_layer(batch_engine):
    """Over several seeds the demo model gives the same bits with 1 as without, which show the prompt, and another image with 2."""
    seeds = range(5)
    # One by one: in a batch an image is the same to the eye, but not to the last bit.
    default, last, before = (
        [batch_engine.paint(usual(seed=seed, clip_skip=skip))[0].pictures[0] for seed in seeds] for skip in (None, 1, 2)
    )
    assert all(np.array_equal(one, other) for one, other in zip(default, last, strict=True))
    apart = [float(np.abs(one.astype(int) - other.astype(int)).mean()) for one, other in zip(last, before, strict=True)]
    assert min(apart) > ALIKE
    views = [look(Image.fromarray(picture)) for picture in last]
    seen = [(one.background, one.objects[0].colour, one.objects[0].name) for one in views if one.objects]
    assert seen.count(("yellow", "green", "star")) >= 4


def test_a_mixed_batch_is_the_lone_run(batch_engine):
    """Requests with and without it in one batch give the same images as each alone."""
    requests = [asked(WORDS, seed=seed, share=str(seed), clip_skip=skip) for seed, skip in enumerate((None, 2, 1, 2))]
    alone = [batch_engine.paint(one)[0].pictures[0] for one in requests]
    together = [one.pictures[0] for one in batch_engine.paint(*requests)]
    assert max(int(np.abs(one.astype(int) - other.astype(int)).max()) for one, other in zip(alone, together, strict=True)) <= ALIKE


@pytest.mark.parametrize("clip_skip", [None, 2])
def test_the_file_says_it(batch_engine, clip_skip):
    """A1111's text and the JSON beside it contain the layer, or nothing if the model chose it."""
    events = batch_engine.paint(asked(clip_skip=clip_skip))[0].events
    image = Image.open(io.BytesIO(next(event.image for event in events if isinstance(event, Picture))))
    assert (", Clip skip: 2, RNG" in image.text["parameters"]) == (clip_skip is not None)
    assert ("Clip skip" in image.text["parameters"]) == (clip_skip is not None)
    assert json.loads(image.text["easel"])["request"]["clip_skip"] == clip_skip

"""Images carry their settings: other tools can read them, and no prompt can forge them."""

import hashlib
import io
import json
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngImageFile
from sd_parsers import ParserManager
from sd_parsers.data import PromptInfo

from inference.contract.inputs import Input, Role
from inference.contract.model_info import Defaults, Limits, ModelInfo
from inference.contract.request import Fragment, PictureRequest, Prompt
from inference.images.encode import png
from inference.images.metadata import SAMPLERS, chunks, parameters, settings_json, xmp
from inference.worker.schedulers import RECIPES
from tests.stores import tries

DEMO_INFO = ModelInfo(
    name="demo",
    family="sd1",
    kind="folder",
    source="/srv/models/private/demo",
    prediction="epsilon",
    precision="float16",
    bytes=1,
    sha256=hashlib.sha256(b"demo").hexdigest(),
    limits=Limits(8, 64, 512, 512 * 512),
    defaults=Defaults(128, 128),
    schedulers=tuple(RECIPES),
)
REQUEST = PictureRequest(
    prompt=Prompt("a red circle, (soft:1.2)", ((Fragment("a red circle, "), Fragment("soft", 1.2)),)),
    negative=Prompt.plain("blurry, text"),
    model="demo",
    width=128,
    height=96,
    steps=20,
    guidance=7.5,
    scheduler="dpm++ 2m karras",
    seed=7,
    count=3,
    share="discord:4711",
)
VERSIONS = {"torch": "2.13.0", "diffusers": "0.42.1"}
HOSTILE = ("Steps: 1", "Negative prompt:", "Sampler: x", "Seed: 99", "Size: 1x1", "Hashes: {}", *'\n\r\u2028\x85\0\ud800",:{} ')
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=80) | st.lists(st.sampled_from(HOSTILE)).map("".join)


def asked(prompt: str, negative: str = "", **changes: object) -> PictureRequest:
    return msgspec.structs.replace(REQUEST, prompt=Prompt.plain(prompt), negative=Prompt.plain(negative), **changes)


def written(request: PictureRequest, model_info: ModelInfo = DEMO_INFO) -> PngImageFile:
    """Return an opened file with the metadata of picture 2 of the request."""
    file = png(np.full((96, 128, 3), 90, np.uint8), chunks(request, model_info, request.seed + 2, (128, 96), VERSIONS))
    image = PngImageFile(io.BytesIO(file))
    image.load()
    return image


def read_back(image: PngImageFile) -> PromptInfo:
    found = ParserManager().parse(image)
    assert found is not None
    return found


def test_another_reader_finds_every_setting() -> None:
    """sd-parsers reads prompt, negative prompt, steps, seed, sampler, guidance, size and model out of the file."""
    found = read_back(written(REQUEST))
    (sampler,) = found.samplers
    assert found.full_prompt == "a red circle, (soft:1.2)"
    assert found.full_negative_prompt == "blurry, text"
    assert sampler.name == "DPM++ 2M"
    assert sampler.parameters == {"scheduler": "Karras", "cfg_scale": "7.5", "seed": "9", "steps": "20"}
    assert found.metadata["Size"] == "128x96"
    assert sampler.model is not None
    assert (sampler.model.name, sampler.model.hash) == ("demo", DEMO_INFO.sha256[:10])


def test_the_text_is_that_of_a1111() -> None:
    """The text has the lines, names and order that other tools expect."""
    prompt, negative, pairs = parameters(REQUEST, DEMO_INFO, 7, (128, 96)).split("\n")
    assert prompt == "a red circle, (soft:1.2)"
    assert negative == "Negative prompt: blurry, text"
    assert pairs.startswith("Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 7, Size: 128x96, Model hash: ")
    assert "Denoising" not in pairs
    assert ", Version: Easel " in pairs


def test_image_to_image_says_its_strength() -> None:
    """An image made from another image names the denoising strength."""
    image = written(asked("a cat", inputs=(Input(Role.INIT, b"secret bytes"),), strength=0.45))
    assert read_back(image).metadata["Denoising strength"] == "0.45"


def test_every_scheduler_has_a_name_elsewhere() -> None:
    """The table has exactly the available schedulers, and no name contains a character that needs quotes."""
    assert set(SAMPLERS) == set(RECIPES)
    assert all(name.replace("+", "").replace(" ", "").isalnum() for pair in SAMPLERS.values() for name in pair)


@pytest.mark.parametrize("name", ["a, b", "a: b", 'say "cheese"', "Steps: 3, Seed: 4"])
def test_a_model_name_with_signs_is_quoted(name: str) -> None:
    """A value with a comma, colon or quotation mark is written as a JSON string, as A1111 does, so it adds no setting."""
    pairs = parameters(REQUEST, msgspec.structs.replace(DEMO_INFO, name=name), 7, (128, 96)).split("\n")[-1]
    assert f"Model: {json.dumps(name)}, RNG" in pairs


@given(ANYTHING, ANYTHING)
@settings(max_examples=tries(300))
def test_no_prompt_can_pretend_settings(prompt: str, negative: str) -> None:
    """Whatever the prompts contain, the settings read back are the true settings, and the exact prompts are in the JSON."""
    image = written(asked(prompt, negative))
    text = image.text["parameters"]
    (sampler,) = read_back(image).samplers
    assert (sampler.parameters["steps"], sampler.parameters["seed"], sampler.name) == ("20", "9", "DPM++ 2M")
    assert sum(line.lower().startswith("steps:") for line in text.splitlines()) == 1
    assert text.lower().count("negative prompt:") <= 1
    kept = json.loads(image.text["easel"])
    assert kept["request"]["prompt"]["text"] == prompt
    assert kept["request"]["negative"]["text"] == negative
    assert (kept["request"]["steps"], kept["picture"]["seed"], kept["request"]["model"]) == (20, 9, "demo")


def test_the_prompt_survives_in_any_writing() -> None:
    """A prompt outside Latin-1, or with several lines, is read back unchanged."""
    words = "ein Käse, 猫 🎨\nsecond line"
    assert read_back(written(asked(words))).full_prompt == words


def test_the_json_is_complete() -> None:
    """The request can be rebuilt from the JSON, which also has the model's checksum and the versions that generated the image."""
    kept = json.loads(settings_json(REQUEST, DEMO_INFO, 9, (128, 96), VERSIONS))
    assert msgspec.convert(kept["request"], PictureRequest) == msgspec.structs.replace(REQUEST, share="")
    assert kept["model"]["sha256"] == DEMO_INFO.sha256
    assert kept["versions"] == VERSIONS
    assert kept["picture"] == {"seed": 9, "width": 128, "height": 96, "mode": "txt2img", "from_source": False}


def test_nothing_private_is_written() -> None:
    """The requester, the source image and the model's path on disk appear nowhere in the file."""
    request = asked("a cat", inputs=(Input(Role.INIT, b"secret bytes"),))
    joined = b"".join(chunk.data for chunk in chunks(request, DEMO_INFO, 7, (128, 96), VERSIONS))
    for private in (b"4711", b"secret", b"c2VjcmV0", b"/srv"):
        assert private not in joined


@pytest.mark.parametrize(("composite", "kind"), [(False, "trainedAlgorithmicMedia"), (True, "compositeWithTrainedAlgorithmicMedia")])
def test_the_packet_says_that_a_model_painted_it(composite: bool, kind: str) -> None:
    """The XMP is well-formed and holds the IPTC digital source type for a new image or for an image made from another."""
    tree = ElementTree.fromstring(xmp(composite).replace("\ufeff", ""))
    found = tree.find(".//{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert found is not None
    assert found.text == f"http://cv.iptc.org/newscodes/digitalsourcetype/{kind}"


def test_readers_of_xmp_find_the_packet() -> None:
    """The packet is where the XMP specification requires it in PNG, in the variant that fits the request."""
    assert ">http://cv.iptc.org/newscodes/digitalsourcetype/trained" in written(REQUEST).info["XML:com.adobe.xmp"]
    assert "/compositeWith" in written(asked("a cat", inputs=(Input(Role.INIT, b"x"),))).info["XML:com.adobe.xmp"]

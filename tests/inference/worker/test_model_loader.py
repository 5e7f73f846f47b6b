"""Each family is loaded from a folder and from a single file, and generates with diffusers' own pipelines."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from inference.contract.errors import BadModel
from inference.contract.model_info import ModelInfo
from inference.contract.modes import MODES
from inference.models.families import FAMILIES
from inference.models.registry import ModelEntry, inspect, read_catalogue
from inference.worker.environment import prepare
from inference.worker.model_loader import Loaded, load
from tests import tiny_models
from tests.tiny_models import SIDE, TINY

CPU = torch.device("cpu")


class Pair(NamedTuple):
    """A tiny model on disk in both layouts."""

    name: str
    folder: Path
    file: Path

    def model_infos(self) -> tuple[ModelInfo, ModelInfo]:
        """Return the model infos of the folder and of the single file."""
        entry = ModelEntry(name="single", source=str(self.file), config=str(self.folder))
        return inspect(self.folder), read_catalogue((entry,), None, self.folder)["single"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Return every tiny model, written to disk once."""
    root = tmp_path_factory.mktemp("models")
    made = {}
    for name in TINY:
        pipeline = tiny_models.make(name)
        folder = tiny_models.write_folder(pipeline, root / name)
        made[name] = Pair(name, folder, tiny_models.write_file(name, pipeline, root / f"{name}.safetensors"))
    return made


@pytest.fixture
def sd1(pairs: dict[str, Pair]) -> Pair:
    """Return the tiny SD 1.x model."""
    return pairs["sd1"]


def paint(loaded: Loaded, source: Image.Image | None = None) -> np.ndarray:
    """Run two steps of the stock pipeline, from a prompt or from an image."""
    family = FAMILIES[loaded.model_info.family]
    pipeline = loaded.pipeline(family.pipeline(MODES["txt2img" if source is None else "img2img"]))
    size = {"width": SIDE, "height": SIDE} if source is None or family.name == "sd3" else {}
    start = {} if source is None else {"image": source, "strength": 1.0}
    rng = torch.Generator().manual_seed(1)
    painted = pipeline("red blue", num_inference_steps=2, guidance_scale=3.0, generator=rng, output_type="np", **size, **start)
    return np.asarray(painted.images[0])


def networks(loaded: Loaded) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in loaded.components.items() if isinstance(part, torch.nn.Module)}


@pytest.mark.parametrize("name", TINY)
# diffusers 0.42 passes tensors to numpy in the old way.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_folder_and_file_are_the_same_model(pairs, name):
    """A family's folder and its single original file hold equal weights and give equal images, from prompts and from images."""
    folder, single = (load(model_info, torch.float32) for model_info in pairs[name].model_infos())
    for loaded in (folder, single):
        loaded.to(CPU)
    assert folder.components.keys() == single.components.keys()
    assert networks(folder).keys() == networks(single).keys()
    for part, network in networks(folder).items():
        ours, theirs = network.state_dict(), networks(single)[part].state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())
        assert not network.training
    assert folder.bytes == single.bytes

    picture = paint(folder)
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.std() > 0.02
    assert np.array_equal(picture, paint(single))

    source = Image.fromarray((picture * 255).astype("uint8"))
    again = paint(folder, source)
    assert not np.array_equal(again, picture)
    assert np.array_equal(again, paint(single, source))


@pytest.mark.parametrize("name", TINY)
def test_passports_of_true_layouts(pairs, name):
    """Family, prediction and size are the same in both layouts."""
    folder, single = pairs[name].model_infos()

    assert folder.family == single.family == name.replace("sd35", "sd3")
    assert folder.prediction == single.prediction
    assert (folder.kind, single.kind) == ("folder", "file")
    assert (folder.limits, folder.defaults) == (single.limits, single.defaults)
    assert folder.defaults.width == SIDE
    assert folder.limits.multiple == (16 if folder.family == "sd3" else 8)


def test_prediction_reaches_the_scheduler(pairs):
    """SD 2 uses velocity prediction, and a configured model may override that."""
    folder, single = pairs["sd2"].model_infos()
    entry = ModelEntry(name="base", source=str(pairs["sd2"].folder), prediction="epsilon")
    base = read_catalogue((entry,), None, pairs["sd2"].folder)["base"]

    assert load(folder, torch.float32).scheduler_config["prediction_type"] == "v_prediction"
    assert load(single, torch.float32).scheduler_config["prediction_type"] == "v_prediction"
    assert load(base, torch.float32).scheduler_config["prediction_type"] == "epsilon"


def test_pure_noise_mark(sd1, tmp_path):
    """A file marked by its author for velocity and a schedule ending in pure noise gets both."""
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    path = tiny_models.write_file("sd1", tiny_models.make("sd1"), tmp_path / "a.safetensors", **marks)
    model_info = read_catalogue((ModelEntry(name="a", source=str(path), config=str(sd1.folder)),), None, sd1.folder)["a"]
    config = load(model_info, torch.float32).scheduler_config

    assert (config["prediction_type"], config["rescale_betas_zero_snr"]) == ("v_prediction", True)


def test_half_precision(sd1, tmp_path):
    """An fp16 variant is found, and is loaded in one dtype throughout."""
    folder = tiny_models.write_folder(tiny_models.make("sd1").to(torch.float16), tmp_path / "half", variant="fp16")
    model_info = inspect(folder)
    loaded = load(model_info, torch.float32)

    assert model_info.precision == "fp16"
    assert {tensor.dtype for part in networks(loaded).values() for tensor in part.parameters()} == {torch.float32}
    assert load(inspect(sd1.folder), torch.bfloat16).components["unet"].dtype == torch.bfloat16


@pytest.mark.parametrize("part", ["first_stage_model.", "cond_stage_model."])
def test_file_without_a_part(sd1, tmp_path, part):
    """A component missing from a single file is taken from its configuration folder, or named in the error if that lacks it too."""
    tensors = {key: tensor for key, tensor in load_file(sd1.file).items() if not key.startswith(part)}
    path = tmp_path / "part.safetensors"
    save_file(tensors, path)
    config = tmp_path / "config"
    shutil.copytree(sd1.folder, config, ignore=shutil.ignore_patterns("*.safetensors"))
    model_info = read_catalogue((ModelEntry(name="a", source=str(path), config=str(sd1.folder)),), None, sd1.folder)["a"]
    loaded, whole = load(model_info, torch.float32), load(inspect(sd1.folder), torch.float32)

    for name, network in networks(whole).items():
        assert all(torch.equal(tensor, networks(loaded)[name].state_dict()[key]) for key, tensor in network.state_dict().items())

    bare = read_catalogue((ModelEntry(name="a", source=str(path), config=str(config)),), None, sd1.folder)["a"]
    with pytest.raises(BadModel) as caught:
        load(bare, torch.float32)
    assert caught.value.problem.key == "model-part-missing"


def test_sd3_file_without_t5(pairs, tmp_path):
    """An SD 3 file without its largest text encoder is used without that encoder."""
    pair = pairs["sd3"]
    tensors = {key: tensor for key, tensor in load_file(pair.file).items() if "t5xxl" not in key}
    save_file(tensors, tmp_path / "a.safetensors")
    config = tmp_path / "config"
    shutil.copytree(pair.folder, config, ignore=shutil.ignore_patterns("*.safetensors"))
    entry = ModelEntry(name="a", source=str(tmp_path / "a.safetensors"), config=str(config))
    loaded = load(read_catalogue((entry,), None, pair.folder)["a"], torch.float32)

    assert loaded.components["text_encoder_3"] is None
    assert paint(loaded).shape == (SIDE, SIDE, 3)


def test_file_without_config(sd1):
    """A single file needs a configuration folder, and the error names the file and the family."""
    with pytest.raises(BadModel) as caught:
        load(inspect(sd1.file), torch.float32)
    assert caught.value.problem.key == "model-config-needed"
    assert caught.value.problem.facts["family"] == "Stable Diffusion 1.x"


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_missing_weights_are_noticed(sd1, tmp_path, layout):
    """A model that lacks some of its weights is refused, because diffusers would replace them with noise."""
    folder = tmp_path / "model"
    shutil.copytree(sd1.folder, folder)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors" if layout == "folder" else tmp_path / "a.safetensors"
    tensors = load_file(path if layout == "folder" else sd1.file)
    del tensors["mid_block.resnets.0.conv1.weight" if layout == "folder" else "model.diffusion_model.middle_block.0.in_layers.2.weight"]
    save_file(tensors, path)
    entry = ModelEntry(name="a", source=str(folder if layout == "folder" else path), config=str(folder))
    model_info = read_catalogue((entry,), None, sd1.folder)["a"]

    with pytest.raises(BadModel) as caught:
        load(model_info, torch.float32)
    assert caught.value.problem.key == "model-incomplete"


def test_folder_changed_after_it_was_inspected(sd1, tmp_path):
    """A model is inspected again before it is loaded."""
    folder = tmp_path / "model"
    shutil.copytree(sd1.folder, folder)
    model_info = inspect(folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["os", "system"]}))

    with pytest.raises(BadModel) as caught:
        load(model_info, torch.float32)
    assert caught.value.problem.key == "model-class"


def test_hub_id(sd1, tmp_path, monkeypatch):
    """A hub id is loaded from the cache without a network, and gives a clear error if it is not there."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--painter"
    shutil.copytree(sd1.folder, repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    entries = (ModelEntry(name="there", source="org/painter", family="sd1"), ModelEntry(name="gone", source="org/gone", family="sd1"))
    model_infos = read_catalogue(entries, None, sd1.folder)

    assert networks(load(model_infos["there"], torch.float32)).keys() == {"unet", "vae", "text_encoder"}
    with pytest.raises(BadModel) as caught:
        load(model_infos["gone"], torch.float32)
    assert caught.value.problem.key == "model-not-fetched"


def test_quiet_start():
    """With the environment prepared, importing and loading print nothing."""
    code = (
        "from inference.worker.environment import prepare; prepare();"
        " import inference.worker.model_loader; from transformers import CLIPImageProcessor"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )

    assert (done.stdout, done.stderr) == ("", "")


def test_environment(monkeypatch):
    """The environment allows no code from models, no telemetry, and no network unless permitted."""
    for name in ("DIFFUSERS_DISABLE_REMOTE_CODE", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(logging.getLogger("transformers.utils.import_utils"), "filters", [])
    monkeypatch.setattr(logging.getLogger("diffusers.models.modeling_utils"), "filters", [])
    prepare(downloads=True)
    assert os.environ["HF_HUB_OFFLINE"] == "0"

    prepare()
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"]) == ("1", "1")

"""The catalogue reads models from their headers and configuration files only."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inference.contract.errors import BadModel, NotOffered, Problem
from inference.contract.modes import MODES
from inference.contract.request import PictureRequest, Prompt
from inference.models.registry import ModelEntry, inspect, read_catalogue, scan
from inference.models.safetensors_file import HASHES, read_header, sha256_of
from tests.inference.models.layouts import write_json, write_model, write_weights

UNET = "model.diffusion_model."
CROSS = f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"


def original(width: int, channels: int = 4, **more: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the characteristic tensors of an original file."""
    return {
        f"{UNET}input_blocks.0.0.weight": (320, channels, 3, 3),
        CROSS: (640, width),
        "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
        **more,
    }


def problem(path: Path) -> str:
    """Return the error key with which a path is refused."""
    with pytest.raises(BadModel) as caught:
        inspect(path)
    return caught.value.problem.key


@pytest.mark.parametrize(("width", "family", "side"), [(768, "sd1", 512), (1024, "sd2", 768), (2048, "sdxl", 1024)])
def test_family_of_a_file(tmp_path, width, family, side):
    """The width of the cross-attention tells SD 1, SD 2 and SDXL apart."""
    model_info = inspect(write_weights(tmp_path / "a.safetensors", original(width)))

    assert (model_info.family, model_info.kind) == (family, "file")
    assert (model_info.defaults.width, model_info.limits.multiple) == (side, 8)


def test_sd3_file(tmp_path):
    """An SD 3 file is recognised by its joint blocks, predicts a flow and accepts only flow schedulers."""
    shapes = {f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536)}
    model_info = inspect(write_weights(tmp_path / "a.safetensors", shapes, "F16"))

    assert (model_info.family, model_info.prediction, model_info.precision) == ("sd3", "flow", "fp16")
    assert model_info.limits.multiple == 16
    assert all(name.startswith("flow ") for name in model_info.schedulers)


@pytest.mark.parametrize(
    ("name", "more", "variant"),
    [
        ("a", {}, "pruned"),
        ("a", {"model_ema.diffusion_modelinput_blocks00weight": (320, 4, 3, 3)}, "full"),
        ("a", {"model_ema.decay": (), "model_ema.num_updates": ()}, "ema-only"),
        ("sd-v1-5-emaonly", {}, "ema-only"),
    ],
)
def test_variant_of_a_file(tmp_path, name, more, variant):
    """The model info tells whether a file is full, pruned or EMA-only."""
    model_info = inspect(write_weights(tmp_path / f"{name}.safetensors", original(768, **more)))

    assert model_info.variant == variant


@pytest.mark.parametrize(("dtype", "precision"), [("F16", "fp16"), ("BF16", "bf16"), ("F32", "fp32")])
def test_precision_of_a_file(tmp_path, dtype, precision):
    """The precision is that of the denoiser's weights."""
    assert inspect(write_weights(tmp_path / "a.safetensors", original(768), dtype)).precision == precision


def test_velocity_marks(tmp_path):
    """A file marked for velocity prediction is believed; SD 2 files, which have no mark, are treated as velocity."""
    marked = inspect(write_weights(tmp_path / "a.safetensors", original(2048, v_pred=())))
    told = inspect(write_weights(tmp_path / "b.safetensors", original(2048), metadata={"modelspec.prediction_type": "v"}))
    silent = inspect(write_weights(tmp_path / "c.safetensors", original(1024)))

    assert {marked.prediction, told.prediction, silent.prediction} == {"v_prediction"}


@pytest.mark.parametrize(
    ("shapes", "key"),
    [
        (original(768, channels=8), "model-mode"),
        (original(1280), "model-refiner"),
        ({"lora_unet_down.lora_up.weight": (4, 4)}, "model-unfamiliar"),
        ({"model_ema.diffusion_modelinput_blocks00weight": (4, 4)}, "model-ema-names"),
    ],
)
def test_files_that_are_not_offered(tmp_path, shapes, key):
    """Models for editing by instruction, refiners and LoRAs are each refused with their own reason."""
    assert problem(write_weights(tmp_path / "a.safetensors", shapes)) == key


class Bomb:
    """An object that runs code when it is unpickled."""

    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize("name", ["a.ckpt", "a.bin", "a.pt", "a.pth", "renamed.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_refused(tmp_path, name, zipped):
    """Pickled weights are refused by file ending and by their first bytes, and are never opened."""
    path = tmp_path / name
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    else:
        path.write_bytes(pickle.dumps(Bomb()))

    assert problem(path) == "model-pickled"


def test_broken_files(tmp_path):
    """A truncated download, a Git LFS pointer and a web page are told apart."""
    whole = write_weights(tmp_path / "a.safetensors", original(768))
    os.truncate(whole, 5000)
    (tmp_path / "b.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (tmp_path / "c.safetensors").write_text("<!doctype html><title>Log in</title>")

    assert problem(whole) == "model-truncated"
    assert problem(tmp_path / "b.safetensors") == "model-pointer"
    assert problem(tmp_path / "c.safetensors") == "model-unreadable"
    assert problem(tmp_path / "none.safetensors") == "model-missing"


@given(text=st.binary(max_size=200), length=st.integers(0, 2**20))
def test_any_bytes_are_read_or_refused(tmp_path_factory, text, length):
    """Whatever bytes a file contains, reading its header gives a header or `BadModel`."""
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(struct.pack("<Q", length % (len(text) + 3)) + text)
    try:
        header = read_header(path)
    except BadModel:
        return
    assert isinstance(header.tensors, dict)


def test_deep_header(tmp_path):
    """A header of a million brackets is refused like any other invalid header."""
    text = b'{"a":' + b"[" * 10**6
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)

    assert problem(tmp_path / "a.safetensors") == "model-unreadable"


def test_folder(tmp_path):
    """A diffusers folder's model info comes from its configuration files and the denoiser's header."""
    model_info = inspect(write_model(tmp_path / "painter"))

    assert (model_info.name, model_info.family, model_info.kind) == ("painter", "sd1", "folder")
    assert (model_info.precision, model_info.prediction, model_info.variant) == ("fp16", "epsilon", "pruned")
    assert (model_info.defaults.width, model_info.limits.smallest, model_info.limits.largest) == (512, 256, 1024)


def test_scheduler_with_infinity(tmp_path):
    """A scheduler configuration may hold -Infinity, as diffusers writes it for DPM++."""
    folder = write_model(tmp_path / "painter")
    (folder / "scheduler" / "scheduler_config.json").write_text('{"lambda_min_clipped": -Infinity, "prediction_type": "v_prediction"}')

    assert inspect(folder).prediction == "v_prediction"


def test_folder_of_one_variant(tmp_path):
    """A folder may contain only its fp16 variant, and a folder with training weights as well counts as full."""
    folder = write_model(tmp_path / "painter")
    for path in folder.rglob("*.safetensors"):
        path.rename(path.with_suffix(".fp16.safetensors"))
    write_weights(folder / "unet" / "diffusion_pytorch_model.non_ema.safetensors", {"a": (1,)})

    assert inspect(folder).variant == "full"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"_class_name": "ShellPipeline"}, "model-class"),
        ({"_class_name": ["pipeline", "Own"]}, "model-class"),
        ({"unet": ["os", "system"]}, "model-class"),
        ({"scheduler": ["diffusers", "DiffusionPipeline"]}, "model-class"),
        ({"upscaler": ["diffusers", "UNet2DConditionModel"]}, "model-class"),
        ({"vae": [None, None]}, "model-part-missing"),
        ({"vae": [["diffusers"], 1]}, "model-class"),
    ],
)
def test_folders_that_name_other_classes(tmp_path, changes, key):
    """Only classes of the known families are ever created, whatever an index names."""
    assert problem(write_model(tmp_path / "painter", **changes)) == key


def test_broken_folders(tmp_path):
    """A folder without an index, without a component or with pickled weights is refused with its reason."""
    (tmp_path / "empty").mkdir()
    pickled = write_model(tmp_path / "pickled")
    (pickled / "vae" / "diffusion_pytorch_model.safetensors").rename(pickled / "vae" / "diffusion_pytorch_model.bin")
    partial = write_model(tmp_path / "partial")
    (partial / "text_encoder" / "model.safetensors").unlink()
    unread = write_model(tmp_path / "unread")
    write_json(unread / "vae" / "config.json", {"block_out_channels": 4})
    instructed = write_model(tmp_path / "instructed")
    write_json(instructed / "unet" / "config.json", {"sample_size": 64, "in_channels": 8})

    assert problem(tmp_path / "empty") == "model-not-folder"
    assert problem(pickled) == "model-pickled"
    assert problem(partial) == "model-part-missing"
    assert problem(unread) == "model-unreadable"
    assert problem(instructed) == "model-mode"


def inpainters(folder):
    """Write inpainting checkpoints of each layout and return their model infos."""
    whole = write_model(folder / "whole", _class_name="StableDiffusionInpaintPipeline")
    write_json(whole / "unet" / "config.json", {"sample_size": 64, "in_channels": 9, "cross_attention_dim": 768})
    joint = {
        f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536),
        f"{UNET}x_embedder.proj.weight": (1536, 33, 2, 2),
    }
    files = {"unet": original(2048, channels=9), "transformer": joint}
    return [inspect(whole), *(inspect(write_weights(folder / f"{name}.safetensors", shapes)) for name, shapes in files.items())]


def test_inpainting_models_are_recognised(tmp_path):
    """A denoiser with input channels for a mask and a masked image is recognised as inpainting, and names the mode it needs."""
    request = PictureRequest(
        prompt=Prompt.plain("a cat"), model="a", width=1024, height=1024, steps=4, guidance=4.0, scheduler="euler", seed=1
    )
    for model_info in inpainters(tmp_path):
        assert (model_info.variant, model_info.modes) == ("inpainting", ("inpaint",))
        usual = model_info.defaults
        with pytest.raises(NotOffered) as refused:
            model_info.check(replace(request, width=usual.width, height=usual.height, scheduler=usual.scheduler))
        assert refused.value.problem == Problem("unknown-mode-here", {"model": model_info.name, "given": "txt2img", "offered": "inpaint"})


def test_plain_models_do_every_mode(tmp_path):
    """A model without extra input channels supports every mode that its family has a pipeline for."""
    model_info = inspect(write_model(tmp_path / "painter"))
    assert (model_info.variant, model_info.modes) == ("pruned", tuple(MODES))


def test_card(tmp_path):
    """A card gives title, defaults, limits, schedulers and vocabulary."""
    folder = write_model(tmp_path / "painter")
    limits = {"multiple": 16, "smallest": 128, "largest": 256, "most_pixels": 65536}
    defaults = {"width": 128, "height": 128, "steps": 4, "guidance": 1.0, "scheduler": "lcm"}
    write_json(folder / "easel.json", {"title": "Painter", "limits": limits, "defaults": defaults, "schedulers": ["lcm"], "words": ["red"]})
    model_info = inspect(folder)

    assert (model_info.title, model_info.words, model_info.schedulers) == ("Painter", ("red",), ("lcm",))
    assert (model_info.limits.largest, model_info.defaults.steps) == (256, 4)


@pytest.mark.parametrize(
    "card", [{"titel": "x"}, {"limits": {"multiple": 4, "smallest": 64, "largest": 64, "most_pixels": 1}}, {"words": "red"}, []]
)
def test_bad_cards(tmp_path, card):
    """A card with an unknown key, a wrong type or an unsupported size is refused."""
    folder = write_model(tmp_path / "painter")
    write_json(folder / "easel.json", card)

    assert problem(folder) == "model-card"


def test_distilled_folder(tmp_path):
    """A folder saved with LCM's scheduler offers only that scheduler, and few steps."""
    model_info = inspect(write_model(tmp_path / "quick", scheduler=["diffusers", "LCMScheduler"]))

    assert (model_info.schedulers, model_info.defaults.scheduler) == (("lcm",), "lcm")
    assert model_info.defaults.steps < 10


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a models folder with a valid folder, a valid file and many invalid entries."""
    root = tmp_path / "models"
    write_model(root / "painter")
    write_weights(root / "old.safetensors", original(768))
    (root / "bad.ckpt").write_bytes(pickle.dumps(Bomb()))
    (root / "readme.txt").write_text("hello")
    write_model(root / "-odd\nname")
    outside = write_model(tmp_path / "outside")
    (root / "link").symlink_to(outside)
    write_model(root / "half")
    (root / "half" / "unet" / "more.json").symlink_to("/etc/passwd")
    (root / "loop").symlink_to(root / "loop")
    return root


def test_scan(models):
    """Models in the models folder are found; pickles, odd names and links that lead out are refused with the reason."""
    seen = scan(models)

    assert set(seen.found) == {"painter", "old"}
    assert {name: problem.key for name, problem in seen.refused.items()} == {
        "bad.ckpt": "model-pickled",
        "-odd\nname": "model-name",
        "link": "model-outside",
        "half": "model-outside",
    }


def test_catalogue(models, tmp_path):
    """The catalogue contains the shipped model, the models in the folder, and the configured models."""
    shipped = write_model(tmp_path / "weights")
    entries = (
        ModelEntry(name="main", source="painter", title="Main", steps=12, scheduler="euler a", guidance=4.0, width=640),
        ModelEntry(name="remote", source="org/name", family="sdxl"),
        ModelEntry(name="old", source="old", prediction="v_prediction", schedulers=("lcm",)),
    )
    model_infos = read_catalogue(entries, models, shipped)

    assert set(model_infos) == {"demo", "painter", "old", "main", "remote"}
    assert model_infos["main"].defaults.steps == 12
    assert model_infos["main"].defaults.scheduler == "euler a"
    assert model_infos["main"].defaults.width == 640
    assert (model_infos["remote"].kind, model_infos["remote"].source) == ("hub", "org/name")
    assert (model_infos["old"].prediction, model_infos["old"].defaults.scheduler) == ("v_prediction", "lcm")


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (ModelEntry(name="a", source="/nowhere/model"), "model-missing"),
        (ModelEntry(name="a", source="bad"), "model-missing"),
        (ModelEntry(name="a", source="bad.ckpt"), "model-pickled"),
        (ModelEntry(name="a", source="org/name"), "model-family"),
        (ModelEntry(name="a", source="painter", family="flux"), "model-family"),
        (ModelEntry(name="a", source="painter", family="sdxl"), "model-other-family"),
        (ModelEntry(name="a", source="painter", prediction="flow"), "model-prediction"),
        (ModelEntry(name="../a", source="painter"), "model-name"),
        (ModelEntry(name="a", source="old", config="/nowhere"), "model-missing"),
    ],
)
def test_entries_that_cannot_be(models, tmp_path, entry, key):
    """A configured model that cannot be used is refused with the path and the reason."""
    with pytest.raises(BadModel) as caught:
        read_catalogue((entry,), models, write_model(tmp_path / "weights"))
    assert caught.value.problem.key == key


def test_entry_with_a_scheduler_that_does_not_fit(models, tmp_path):
    """An unknown scheduler in the configuration is answered with the nearest known name."""
    entry = ModelEntry(name="a", source="painter", scheduler="eulr")
    with pytest.raises(NotOffered) as caught:
        read_catalogue((entry,), models, write_model(tmp_path / "weights"))
    assert caught.value.problem.facts["nearest"] == "euler"


def test_missing_models_folder(tmp_path):
    """A missing models folder is named in the error."""
    with pytest.raises(BadModel) as caught:
        read_catalogue((), tmp_path / "none", write_model(tmp_path / "weights"))
    assert caught.value.problem == msgspec.structs.replace(
        caught.value.problem, key="model-folder-missing", facts={"path": str(tmp_path / "none")}
    )


def test_config_of_a_file(models, tmp_path):
    """A single file takes its prediction and native size from its configuration folder."""
    config = write_model(tmp_path / "config")
    write_json(config / "scheduler" / "scheduler_config.json", {"prediction_type": "v_prediction"})
    write_json(config / "unet" / "config.json", {"sample_size": 96, "in_channels": 4})
    model_infos = read_catalogue((ModelEntry(name="old", source="old", config=str(config)),), models, write_model(tmp_path / "weights"))

    assert (model_infos["old"].prediction, model_infos["old"].defaults.width) == ("v_prediction", 768)


def test_hash_is_remembered(tmp_path):
    """A file is hashed once, and again only after a change."""
    path, cache = tmp_path / "a", tmp_path / "cache"
    path.write_bytes(b"red")
    first = sha256_of(path, cache)
    kept = json.loads((cache / HASHES).read_text())
    kept[str(path)]["sha256"] = "remembered"
    write_json(cache / HASHES, kept)

    assert first == "b1f51a511f1da0cd348b8f8598db32e61cb963e5fc69e2b41485bf99590ed75a"
    assert sha256_of(path, cache) == "remembered"

    path.write_bytes(b"blue")
    assert sha256_of(path, cache) not in (first, "remembered")

    (cache / HASHES).write_text("{")
    assert len(sha256_of(path, cache)) == 64


def test_catalogue_is_free_of_torch():
    """The chat process reads the catalogue without importing torch, diffusers, transformers or numpy."""
    code = "import sys, inference.models.registry; sys.exit(bool({'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": os.getcwd()})

    assert done.returncode == 0

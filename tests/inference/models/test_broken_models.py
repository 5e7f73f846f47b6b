"""Models that would hang or break whoever reads them: each is left out, and the others are there all the same."""

import os

import pytest

from inference.models.registry import ModelEntry, survey
from tests.inference.models.layouts import write_json, write_model, write_weights


def infinite(folder):
    """Let the denoiser be trained for pictures of infinite size."""
    (folder / "unet" / "config.json").write_text('{"sample_size": Infinity, "in_channels": 4, "cross_attention_dim": 768}')


def nothing(folder):
    """Let the card ask for sizes in steps of 0."""
    write_json(folder / "easel.json", {"limits": {"multiple": 0, "smallest": 8, "largest": 64, "most_pixels": 4096}})


def long(folder):
    """Let the scheduler have been trained with 300 million steps."""
    write_json(folder / "scheduler" / "scheduler_config.json", {"num_train_timesteps": 300_000_000})


def piped(name):
    """Return a function that puts a pipe into the place of a file, which whoever opens it waits for."""

    def pipe(folder):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return pipe


def deep(folder):
    """Let a tensor have a hundred thousand dimensions."""
    write_weights(folder / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.weight": (1,) * 100_000}, "F16")


def wide(folder):
    """Let a tensor have fewer bytes than its shape needs."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes().replace(b"[320, 4, 3, 3]", b"[920, 4, 3, 3]"))


BROKEN = [
    (infinite, "model-unreadable"),
    (nothing, "model-card"),
    (long, "model-timesteps"),
    pytest.param(piped("easel.json"), "model-missing", id="card"),
    pytest.param(piped("unet/config.json"), "model-part-missing", id="settings"),
    pytest.param(piped("unet/diffusion_pytorch_model.safetensors"), "model-missing", id="weights"),
    (deep, "model-unreadable"),
    (wide, "model-unreadable"),
]


@pytest.mark.parametrize(("breaks", "key"), BROKEN)
def test_a_broken_model_is_left_out(tmp_path, breaks, key):
    """A model that would hang or break Easel is left out with its reason, whether it lies in the folder or is configured."""
    models = tmp_path / "models"
    good, bad = write_model(models / "good"), write_model(models / "bad")
    breaks(bad)
    entries = [ModelEntry(name="mine", source=str(bad)), ModelEntry(name="fine", source=str(good)), ModelEntry(name="bad", source="bad")]
    found = survey(entries, models, write_model(tmp_path / "weights"))
    assert set(found.models) == {"demo", "good", "fine"}
    assert {name: problem.key for name, problem in found.lying.items()} == {"bad": key}
    assert {name: problem.key for name, problem in found.configured.items()} == {"mine": key, "bad": key}


def test_a_configured_model_is_not_replaced_by_another_of_its_name(tmp_path):
    """If a configured model is unusable, a model that lies in the folder under the same name does not take its place."""
    models = tmp_path / "models"
    write_model(models / "mine")
    found = survey([ModelEntry(name="mine", source="/nowhere/model")], models, write_model(tmp_path / "weights"))
    assert set(found.models) == {"demo"}
    assert found.configured["mine"].key == "model-missing"

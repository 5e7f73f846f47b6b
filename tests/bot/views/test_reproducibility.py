"""Comparing a repeat with the first request: identical, or with a list of what has changed."""

import msgspec
import pytest

from bot.core import values
from bot.core.values import First, JobProvenance
from bot.views.job_card import provenance_facts, verdict
from inference.contract.provenance import ImageProvenance, Provenance

FIRST = Provenance(
    model="0123456789abcdef",
    files={"unet/model.safetensors": "1", "vae/model.safetensors": "2", "scheduler/scheduler_config.json": "3", "model_index.json": "4"},
    scheduler="EulerDiscreteScheduler",
    schedule="5",
    versions={"torch": "2.13.0", "easel": "1.0"},
    device="cpu AVX2, 2 threads",
    dtype="float32",
    pictures=(ImageProvenance("red", "2.0x4"), ImageProvenance("blue", "2.0x4")),
)
OTHER = (ImageProvenance("red", "2.0x4"), ImageProvenance("green", "2.0x4"))


def said(first=FIRST, asked=(), **changes):
    """Return the verdict on a repeat that equals the first except for these changes."""
    return verdict(JobProvenance(msgspec.structs.replace(FIRST, **changes), First(first, asked)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "Identical to the original."),
        ({"versions": {"torch": "2.14.0", "easel": "1.0"}}, "Identical to the original, although torch changed from 2.13.0 to 2.14.0."),
        ({"pictures": OTHER}, "Not identical, and Easel can't tell why."),
        ({"pictures": (ImageProvenance("red", "2.0x4"), ImageProvenance("green", "8.0x4"))}, "Not identical: the batch sizes differed."),
        (
            {"pictures": OTHER, "files": FIRST.files | {"vae/model.safetensors": "9"}, "model": "f", "dtype": "bfloat16"},
            "Not identical: the model file vae/model.safetensors changed, float32 changed to bfloat16.",
        ),
        ({"pictures": OTHER, "model": "f"}, "Not identical: the model changed."),
        (
            {"pictures": OTHER, "files": {"new.safetensors": "1"}, "model": "f"},
            "Not identical: the model file new.safetensors changed, the model file unet/model.safetensors changed, "
            "the model file vae/model.safetensors changed, 2 more model files changed.",
        ),
        (
            {"pictures": OTHER, "scheduler": "HeunDiscreteScheduler", "schedule": "6", "device": "cuda NVIDIA H100"},
            "Not identical: EulerDiscreteScheduler changed to HeunDiscreteScheduler, cpu AVX2, 2 threads changed to cuda NVIDIA H100.",
        ),
        ({"pictures": OTHER, "schedule": "6"}, "Not identical: the scheduler's settings changed."),
        ({"pictures": OTHER, "compiled": True}, "Not identical: the model is now compiled."),
        ({"pictures": OTHER, "eased": ("tiles",)}, "Not identical: one of the two ran short of memory."),
        ({"pictures": OTHER, "asked": ("prompt",)}, "Not identical: prompt was set differently."),
        ({"first": None}, "The original has no generation record, so the two can't be compared."),
    ],
)
def test_what_is_said_of_a_repeat(changes, told):
    """Only the pictures decide whether a repeat is identical, and changes are named, the model first."""
    assert said(**changes) == told


@pytest.mark.parametrize("one", [JobProvenance(), JobProvenance(painted=FIRST), JobProvenance(first=First(FIRST))])
def test_what_repeats_nothing_is_not_compared(one):
    """A job that is no repeat, or not finished, has no verdict."""
    assert verdict(one) == ""


@pytest.mark.parametrize(
    "one", [JobProvenance(), JobProvenance(painted=FIRST), JobProvenance(FIRST, First(FIRST, ("steps",))), JobProvenance(first=First())]
)
def test_evidence_is_read_as_it_was_kept(one):
    """Stored provenance is read back unchanged, and an empty one is stored as nothing."""
    assert values.read_provenance(values.stored_provenance(one)) == one
    assert values.stored_provenance(JobProvenance()) == ""


@pytest.mark.parametrize("kept", ["{", '{"painted": 7}', "[]"])
def test_what_cannot_be_read_is_no_evidence(kept):
    """Provenance that another version stored in another form does not prevent a job from being shown."""
    assert values.read_provenance(kept) == JobProvenance()


def test_facts_of_a_proof():
    """The hash is as short as in other programs, and unknown values are left out."""
    assert provenance_facts(FIRST) == {
        "hash": "0123456789",
        "versions": "torch 2.13.0, easel 1.0",
        "device": "cpu AVX2, 2 threads, float32",
    }
    assert set(provenance_facts(Provenance()).values()) == {""}

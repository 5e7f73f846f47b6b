"""The fingerprint of a model: every loaded file counts, and no other file."""

import hashlib
import os
import shutil

import pytest

from inference.demo import WEIGHTS
from inference.models import hashing
from inference.models.hashing import begin, identity_of
from inference.models.inspect import look
from inference.models.safetensors_file import HASHES

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the demo model."""
    return shutil.copytree(WEIGHTS, tmp_path / "mine")


def test_all_that_is_loaded_counts(folder):
    """A change of weights or settings gives another fingerprint, and changes the hash of that file alone."""
    before = identity_of(look(folder))
    for name in (UNET, "vae/config.json", "tokenizer/tokenizer.json", "model_index.json"):
        path = folder / name
        path.write_bytes(path.read_bytes() + b"\n")
        after = identity_of(look(folder))
        assert after.sha256 != before.sha256
        assert [one for one in before.files if before.files[one] != after.files[one]] == [name]
        before = after


def test_what_is_not_loaded_does_not_count(folder):
    """Other files beside a model, and weights of a variant that is not loaded, change nothing."""
    before = identity_of(look(folder))
    (folder / "README.md").write_text("mine")
    (folder / "easel.json").write_text("{}")
    shutil.copy(folder / UNET, folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")

    assert identity_of(look(folder)) == before


def test_a_moved_model_is_the_same(folder):
    """The path of a model does not affect its fingerprint."""
    assert identity_of(look(folder)) == identity_of(look(WEIGHTS))


def test_hashes_are_remembered(folder, tmp_path):
    """A hash is cached and not computed again; if the cache cannot be written, it is computed again."""
    kept, closed = tmp_path / "kept", tmp_path / "closed"
    closed.write_text("no folder")
    first = identity_of(look(folder), remembered=kept)
    unet = hashlib.sha256((folder / UNET).read_bytes()).hexdigest()

    assert unet in (kept / HASHES).read_text()
    assert first.files[UNET] == unet[:16]
    assert identity_of(look(folder), remembered=kept) == first
    assert identity_of(look(folder), remembered=closed) == first


def test_a_name_that_is_no_text_is_hashed(folder, tmp_path):
    """A file whose name is no UTF-8 counts like any other, and its hash is cached."""
    odd = folder / "unet" / os.fsdecode(b"caf\xe9.json")
    odd.write_text("{}")
    first = begin(look(folder), None, tmp_path / "kept").result(timeout=60)
    assert "unet/caf\\udce9.json" in first.files
    assert identity_of(look(folder), remembered=tmp_path / "kept") == first
    assert "udce9" in (tmp_path / "kept" / HASHES).read_text()


@pytest.mark.parametrize("error", [OSError, ValueError, RecursionError, MemoryError])
def test_a_hash_that_fails_holds_up_nobody(folder, monkeypatch, error):
    """Whatever a hash fails with, those who wait for it go on without it."""

    def fails(*_):
        raise error

    monkeypatch.setattr(hashing, "sha256_of", fails)
    assert begin(look(folder), None, None).result(timeout=60).sha256 == ""


def test_a_model_that_vanishes_is_unknown(folder):
    """An unreadable file fails no request: the fingerprint is empty then."""
    found = look(folder)
    (folder / UNET).unlink()

    assert begin(found, None, None).result(timeout=60).sha256 == ""

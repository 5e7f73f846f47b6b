"""Fingerprints of models, file by file, so that a change of any file is detected and named. Imports no torch."""

import hashlib
import logging
import threading
from concurrent.futures import Future
from pathlib import Path

import msgspec

from inference.models.inspect import INDEX, Inspection, parts_in, parts_of
from inference.models.safetensors_file import read_header, readable, sha256_of

log = logging.getLogger("easel.worker")

#: Suffixes of the other files that are read when a model is loaded, besides weights.
_SETTINGS = frozenset({".json", ".txt", ".model"})

#: Digits that are kept of a file's hash: enough to detect a changed file.
_DIGITS = 16


class Fingerprint(msgspec.Struct, frozen=True):
    """`sha256` is that of the model: of a single file, or for a folder of the names and hashes of the files loaded from it.

    `files` are the shortened hashes of all loaded files, by name.
    """

    sha256: str = ""
    files: dict[str, str] = {}


def identity_of(found: Inspection, config: Path | None = None, remembered: Path | None = None) -> Fingerprint:
    """Return the fingerprint of a model; `config` is the configuration folder of a single file.

    It reads all files, which takes seconds for gigabytes, unless their hashes are cached in the folder `remembered`: call it in a
    thread. Raises `OSError`.
    """
    own = {found.path.name: found.path} if found.kind == "file" else _loaded_from(found.path, found.loaded)
    hashes = {name: sha256_of(path, remembered) for name, path in sorted(own.items())}
    whole = hashes[found.path.name] if found.kind == "file" else hashlib.sha256(msgspec.json.encode(sorted(hashes.items()))).hexdigest()
    if config is not None:
        borrowed = _loaded_from(config, _lent(config, parts_in(read_header(found.path), found.family)))
        hashes |= {f"{config.name}/{name}": sha256_of(path, remembered) for name, path in sorted(borrowed.items())}
    return Fingerprint(whole, {name: digest[:_DIGITS] for name, digest in hashes.items()})


def unknown() -> "Future[Fingerprint]":
    """Return the empty fingerprint of a model that was not hashed."""
    known: Future[Fingerprint] = Future()
    known.set_result(Fingerprint())
    return known


def begin(found: Inspection, config: Path | None, remembered: Path | None) -> "Future[Fingerprint]":
    """Start computing a model's fingerprint in a new thread; if that fails the fingerprint is empty, and no request fails."""
    wanted: Future[Fingerprint] = Future()

    def run() -> None:
        identity = Fingerprint()
        try:
            identity = identity_of(found, config, remembered)
        except Exception as error:  # Whatever is wrong with the files: pictures wait for this thread.
            log.warning("model.not_hashed path=%r reason=%r", str(found.path), str(error))
        finally:
            wanted.set_result(identity)

    threading.Thread(target=run, name="hash", daemon=True).start()
    return wanted


def _lent(config: Path, held: frozenset[str]) -> tuple[Path, ...]:
    """Return the weights files in a configuration folder for the components that a single file lacks."""
    lent = [part for part in parts_of(config) if part not in held and part.startswith(("vae", "text_encoder"))]
    return tuple(path for part in lent for path in (config / part).glob("*.safetensors"))


def _loaded_from(folder: Path, weights: tuple[Path, ...]) -> dict[str, Path]:
    """Return the loaded files of a diffusers folder, by their paths within it."""
    settings = [path for part in parts_of(folder) for path in (folder / part).iterdir() if path.suffix in _SETTINGS and path.is_file()]
    return {readable(path.relative_to(folder)): path for path in (folder / INDEX, *settings, *weights)}

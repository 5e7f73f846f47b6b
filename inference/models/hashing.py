"""What a model is made of, file by file, so that a change of any of them is found and named. Free of torch."""

import hashlib
import logging
import threading
from concurrent.futures import Future
from pathlib import Path

import msgspec

from inference.contract.errors import InferenceError
from inference.models.inspect import INDEX, Inspection, parts_in, parts_of
from inference.models.safetensors_file import read_header, sha256_of

log = logging.getLogger("easel.worker")

#: Beside weights these are read when a model is loaded.
_SETTINGS = frozenset({".json", ".txt", ".model"})

#: Digits that are kept of a file's hash: enough to see that it is another one.
_DIGITS = 16


class Fingerprint(msgspec.Struct, frozen=True):
    """`sha256` is the model's own: a single file's, or a folder's as that of the names and hashes of what is loaded from it.

    `files` are the hashes, cut short, of everything that is loaded, by name.
    """

    sha256: str = ""
    files: dict[str, str] = {}


def identity_of(found: Inspection, config: Path | None = None, remembered: Path | None = None) -> Fingerprint:
    """Return what a model is made of; `config` is the folder that a single file takes the rest from.

    It reads all of the files, which takes seconds for gigabytes, unless their hashes are in the folder `remembered`: call it in a
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
    """Return what is known of a model that nobody looked at."""
    known: Future[Fingerprint] = Future()
    known.set_result(Fingerprint())
    return known


def begin(found: Inspection, config: Path | None, remembered: Path | None) -> "Future[Fingerprint]":
    """Begin to find out what a model is made of, in a thread that ends with it; nobody's model fails over it."""
    wanted: Future[Fingerprint] = Future()

    def run() -> None:
        try:
            wanted.set_result(identity_of(found, config, remembered))
        except (OSError, InferenceError) as error:
            log.warning("model.not_hashed path=%s reason=%s", found.path, error)
            wanted.set_result(Fingerprint())

    threading.Thread(target=run, name="hash", daemon=True).start()
    return wanted


def _lent(config: Path, held: frozenset[str]) -> tuple[Path, ...]:
    """Return the weights in a configuration folder of the parts that a single file does not hold itself."""
    lent = [part for part in parts_of(config) if part not in held and part.startswith(("vae", "text_encoder"))]
    return tuple(path for part in lent for path in (config / part).glob("*.safetensors"))


def _loaded_from(folder: Path, weights: tuple[Path, ...]) -> dict[str, Path]:
    """Return the files of a diffusers folder that are loaded, by their names within it."""
    settings = [path for part in parts_of(folder) for path in (folder / part).iterdir() if path.suffix in _SETTINGS and path.is_file()]
    return {path.relative_to(folder).as_posix(): path for path in (folder / INDEX, *settings, *weights)}

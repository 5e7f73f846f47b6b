"""Reads headers of safetensors files, recognises other formats and hashes files. No tensor is ever loaded."""

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Annotated

import msgspec

from inference.contract.errors import BadModel

#: The largest header that is read. That of Stable Diffusion 3 with all its encoders has 0.3 MiB.
MOST_HEADER_BYTES = 16 * 2**20

#: The dimensions that a tensor may have; no weight of any family has more than five.
MOST_DIMENSIONS = 8

#: Bytes of a number of each type.
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

#: Suffixes of files that can run code when they are loaded.
PICKLED = frozenset({".ckpt", ".bin", ".pt", ".pth", ".pkl"})

PRECISIONS = {
    "F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8", "I8": "int8", "U8": "int8",
}  # fmt: skip

HASHES = "hashes.json"


Size = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Tensor(msgspec.Struct, frozen=True):
    """The entry of a tensor in a header."""

    dtype: str
    shape: Annotated[tuple[Size, ...], msgspec.Meta(max_length=MOST_DIMENSIONS)]
    data_offsets: tuple[Size, Size]


class Header(msgspec.Struct, frozen=True):
    """The header of a weights file."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


class _Hash(msgspec.Struct, frozen=True):
    mtime: int
    size: int
    sha256: str


def read_header(path: Path) -> Header:
    """Return the header of a safetensors file; raises `BadModel` for any other file.

    The suffix `.safetensors` proves nothing: a renamed pickle is recognised by its first bytes.
    """
    if path.suffix.lower() in PICKLED:
        raise BadModel("model-pickled", path=str(path))
    try:
        check_file(path)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
                raise BadModel(_what_else(start), path=str(path))
            text = file.read(length)
    except OSError as error:
        raise BadModel("model-missing", path=str(path), reason=error.strerror or "") from error
    header = _decode(path, text)
    if not all(map(_is_consistent, header.tensors.values())):
        raise BadModel("model-unreadable", path=str(path))
    promised = 8 + length + max((tensor.data_offsets[1] for tensor in header.tensors.values()), default=0)
    if size < promised:
        raise BadModel("model-truncated", path=str(path), bytes=size, promised=promised)
    return header


def check_file(path: Path) -> None:
    """Raise `OSError` for anything but a file: a pipe or a device could be opened, and reading it would never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))


def _is_consistent(tensor: Tensor) -> bool:
    """Return whether a tensor has as many bytes as its shape and type need; the bytes of an unknown type are not checked."""
    begin, end = tensor.data_offsets
    size = _BYTES.get(tensor.dtype)
    return begin <= end and (size is None or prod(tensor.shape) * size == end - begin)


def _what_else(start: bytes) -> str:
    """Return the problem key of a file that cannot be safetensors, from its first bytes."""
    # torch.save has written zip files since 1.6; 0x80 starts a bare pickle.
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return "model-pickled"
    return "model-pointer" if start == b"version " else "model-unreadable"


def _decode(path: Path, text: bytes) -> Header:
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        metadata = msgspec.json.decode(raw.pop("__metadata__", msgspec.Raw(b"{}")), type=dict[str, str])
        tensors = {name: msgspec.json.decode(entry, type=Tensor) for name, entry in raw.items()}
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadModel("model-unreadable", path=str(path)) from error
    return Header(tensors, metadata)


def precision_of(tensors: Iterable[Tensor]) -> str:
    """Return the precision of most of the numbers in the tensors."""
    numbers: Counter[str] = Counter()
    for tensor in tensors:
        numbers[PRECISIONS.get(tensor.dtype, tensor.dtype.lower())] += prod(tensor.shape)
    return numbers.most_common(1)[0][0] if numbers else ""


def readable(path: Path) -> str:
    """Return a path as text; bytes of a name that are no UTF-8 are escaped, because they fit neither into JSON nor into a picture."""
    return path.as_posix().encode(errors="backslashreplace").decode()


def sha256_of(path: Path, cache: Path | None) -> str:
    """Return a file's SHA-256, cached in the folder `cache` (if not None) until the file's modification time or size changes.

    The first call reads the whole file, which takes seconds for gigabytes: call it in a thread.
    """
    known = {} if cache is None else _known(cache)
    status = path.stat()
    name = readable(path.resolve())
    kept = known.get(name)
    if kept and (kept.mtime, kept.size) == (status.st_mtime_ns, status.st_size):
        return kept.sha256
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if cache is not None:
        # If the hash cannot be stored, the next call computes it again.
        with contextlib.suppress(OSError):
            _remember(cache, {**_known(cache), name: _Hash(status.st_mtime_ns, status.st_size, digest)})
    return digest


def _known(cache: Path) -> dict[str, _Hash]:
    # A cache that cannot be read counts as empty.
    with contextlib.suppress(OSError, msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode((cache / HASHES).read_bytes(), type=dict[str, _Hash])
    return {}


def _remember(cache: Path, hashes: Mapping[str, _Hash]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, suffix=".json", delete=False) as file:
        file.write(msgspec.json.encode(hashes))
    # Replaced atomically, so that two concurrent processes leave a valid file.
    os.replace(file.name, cache / HASHES)

"""Messages between the asking process and a worker process, and how they travel: length-prefixed msgpack on two pipes.

msgpack with declared types, not pickle: the worker reads pictures from strangers, so the asking process trusts it with values
and never with code.
"""

import struct
from typing import BinaryIO

import msgspec

from inference.contract.errors import Problem
from inference.contract.model_info import ModelInfo
from inference.contract.request import Event, PictureRequest
from inference.contract.settings import EngineSettings


class Begin(msgspec.Struct, frozen=True, tag=True):
    """First message to a worker: what it is."""

    device: str
    settings: EngineSettings
    model_infos: dict[str, ModelInfo]


class Paint(msgspec.Struct, frozen=True, tag=True):
    """Paint a request; `id` names it in what comes back."""

    id: int
    request: PictureRequest


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop a request at its next step; a request that has ended is left alone."""

    id: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker has imported its libraries and takes requests."""

    device: str


class Beat(msgspec.Struct, frozen=True, tag=True):
    """The worker lives: how long its present operation has run, what it holds, its largest batch so far.

    `memory_bytes` is what it has of the memory that it paints in, `memory_size_bytes` all that there is of that.
    """

    busy_seconds: float
    running: int
    models: tuple[str, ...]
    largest_batch: int
    memory_bytes: int = 0
    memory_size_bytes: int = 0


class Told(msgspec.Struct, frozen=True, tag=True):
    """Something happened to a request."""

    id: int
    event: Event


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot go on."""

    problem: Problem


ToWorker = Begin | Paint | Cancel
FromWorker = Ready | Beat | Told | Broken

_LENGTH = struct.Struct("!I")

#: Larger than any batch of pictures; a length beyond it means that something else wrote to the pipe.
MOST_BYTES = 512 * 2**20

encode = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def frame(message: ToWorker | FromWorker) -> bytes:
    """Return a message as it goes over the pipe."""
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """Return the length that a frame's first four bytes announce; raises `ValueError` for nonsense."""
    (length,) = _LENGTH.unpack(header)
    if length > MOST_BYTES:
        raise ValueError(f"a message of {length} bytes was announced; at most {MOST_BYTES} are sent")
    return int(length)


def read(pipe: BinaryIO) -> bytes | None:
    """Return the next message's body from a blocking pipe, or None at its end."""
    header = pipe.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    length = length_of(header)
    body = pipe.read(length)
    return body if len(body) == length else None

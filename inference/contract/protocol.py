"""Messages between the calling process and a worker process, and their encoding: length-prefixed msgpack on two pipes.

msgpack with declared types, not pickle: the worker decodes untrusted pictures, so the calling process accepts values from it
but never code.
"""

import struct
from typing import BinaryIO

import msgspec

from inference.contract.errors import Problem
from inference.contract.model_info import ModelInfo
from inference.contract.request import Event, PictureRequest
from inference.contract.settings import EngineSettings


class Begin(msgspec.Struct, frozen=True, tag=True):
    """First message to a worker: its device, settings and models."""

    device: str
    settings: EngineSettings
    model_infos: dict[str, ModelInfo]


class Paint(msgspec.Struct, frozen=True, tag=True):
    """Run a request; `id` names it in the worker's messages."""

    id: int
    request: PictureRequest


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop a request at its next step; ignored if the request has ended."""

    id: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker has imported its libraries and takes requests."""

    device: str


class Beat(msgspec.Struct, frozen=True, tag=True):
    """Heartbeat: how long the current operation has run, running requests, models on the device, and the largest batch so far.

    `memory_bytes` is the memory that the worker holds on its device (of the computer's memory if it is no GPU),
    `memory_size_bytes` the total of that memory.
    """

    busy_seconds: float
    running: int
    models: tuple[str, ...]
    largest_batch: int
    memory_bytes: int = 0
    memory_size_bytes: int = 0


class Told(msgspec.Struct, frozen=True, tag=True):
    """An event of a request."""

    id: int
    event: Event


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot continue."""

    problem: Problem


ToWorker = Begin | Paint | Cancel
FromWorker = Ready | Beat | Told | Broken

_LENGTH = struct.Struct("!I")

#: Larger than any batch of pictures. A larger length means that something else wrote to the pipe.
MOST_BYTES = 512 * 2**20

encode = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def frame(message: ToWorker | FromWorker) -> bytes:
    """Return a message as the bytes that go over the pipe."""
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """Return the length in a frame's first four bytes; raises `ValueError` if it is larger than `MOST_BYTES`."""
    (length,) = _LENGTH.unpack(header)
    if length > MOST_BYTES:
        raise ValueError(f"a message of {length} bytes was announced; at most {MOST_BYTES} are sent")
    return int(length)


def read(pipe: BinaryIO) -> bytes | None:
    """Return the body of the next message from a blocking pipe, or None at its end."""
    header = pipe.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    length = length_of(header)
    body = pipe.read(length)
    return body if len(body) == length else None

"""A worker process that returns small images almost at once; it speaks `inference.contract.protocol` as the real worker does.

`python -m benchmarks.standing.worker SECONDS` is started by `inference.supervisor` only. All requests advance in turns, one step each, and
an image takes SECONDS of the worker's time. Words in the prompt change that: `refused` fails, `slow 2.5` takes that many seconds.
"""

import queue
import re
import struct
import sys
import threading
import time
import zlib
from typing import BinaryIO

from inference.contract.errors import Problem
from inference.contract.protocol import Beat, Begin, Cancel, Paint, Ready, Told, ToWorker, decode_to_worker, read
from inference.contract.request import Done, Event, Failed, Picture, PictureRequest, Step
from inference.worker.main import BEAT_EVERY, Speaker, own_pipes

#: Steps that a request runs through, however many it requests.
TICKS = 4

#: The side of the real image; the requested size is only reported.
_SIDE = 32

_SLOW = re.compile(r"\bslow ([0-9.]+)")


class Painting:
    """A running request."""

    def __init__(self, request: PictureRequest, seconds: float) -> None:
        slow = _SLOW.search(request.prompt.text)
        self._request = request
        self._tick = (float(slow[1]) if slow else seconds * request.count) / TICKS
        self._ticks = 0

    def go_on(self) -> tuple[Event, ...]:
        """Run the next step and return its events; after the last step, the last event is the end."""
        time.sleep(self._tick)
        self._ticks += 1
        step = Step(max(1, self._request.steps * self._ticks // TICKS), self._request.steps)
        if self._ticks < TICKS:
            return (step,)
        if "refused" in self._request.prompt.text:
            return (Failed(Problem("memory-spent", {"width": self._request.width, "height": self._request.height})),)
        return step, *map(self._picture, range(self._request.count)), Done(self._tick * TICKS, TICKS)

    def _picture(self, index: int) -> Picture:
        request, seed = self._request, self._request.seed + index
        # As with the real worker, the same request gives the same image and thumbnail, and no other request gives them.
        words = f"{request.prompt.text} {seed}".encode()
        return Picture(index, seed, request.width, request.height, png(seed, words), b"\xff\xd8\xff" + words)


def png(seed: int, words: bytes) -> bytes:
    """Return a small PNG of one colour with some text in it."""
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">I", seed % 2**32)[1:] * _SIDE
    chunks = ((b"IHDR", header), (b"tEXt", b"parameters\0" + words), (b"IDAT", zlib.compress(row * _SIDE, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def serve(asked: BinaryIO, speaker: Speaker, device: str, seconds: float) -> None:
    """Run the requests until the pipe closes."""
    inbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
    running: dict[int, Painting] = {}

    def listen() -> None:
        while (body := read(asked)) is not None:
            inbox.put(decode_to_worker(body))
        inbox.put(None)

    def beat() -> None:
        while True:
            time.sleep(BEAT_EVERY)
            speaker.say(Beat(0.0, len(running), (), len(running)))

    for task in (listen, beat):
        threading.Thread(target=task, daemon=True).start()
    speaker.say(Ready(device))
    while True:
        while not running or not inbox.empty():
            match inbox.get():
                case Paint(number, request):
                    running[number] = Painting(request, seconds)
                case Cancel(number):
                    running.pop(number, None)
                case None:
                    return
        for number, painting in tuple(running.items()):
            events = painting.go_on()
            for event in events:
                speaker.say(Told(number, event))
            if isinstance(events[-1], Done | Failed):
                del running[number]


def main() -> None:
    """Serve until the parent process closes the pipe."""
    asked, told = own_pipes()
    speaker = Speaker(told)
    body = read(asked)
    begin = decode_to_worker(body) if body is not None else None
    if isinstance(begin, Begin):
        serve(asked, speaker, begin.device, float(sys.argv[1]))
    speaker.close()


if __name__ == "__main__":
    main()

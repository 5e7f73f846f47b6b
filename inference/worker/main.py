"""The worker process: runs a batch engine on one device. Only `supervisor` starts it (`python -m inference.worker.main`).

Standard input and output carry the messages of `contract.protocol`; output that a library prints goes to standard error instead.
"""

import logging
import math
import os
import queue
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import BinaryIO

from inference.contract.errors import InferenceError, Problem
from inference.contract.protocol import Beat, Begin, Broken, Cancel, FromWorker, Paint, Ready, Told, decode_to_worker, frame, read
from inference.contract.request import Done, Event, Failed, Step
from inference.worker.environment import prepare

#: Seconds between two heartbeats.
BEAT_EVERY = 1.0

#: Minimum seconds between two reported steps of a request.
STEP_EVERY = 0.1

log = logging.getLogger("easel.worker")


class Speaker:
    """Sends messages from any thread, in order; a full pipe never blocks the caller."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._outbox: queue.SimpleQueue[FromWorker | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, name="speaker", daemon=True)
        self._thread.start()

    def say(self, message: FromWorker) -> None:
        """Queue a message for sending."""
        self._outbox.put(message)

    def close(self) -> None:
        """Send the queued messages, for at most five seconds, and stop."""
        self._outbox.put(None)
        self._thread.join(timeout=5)

    def _send(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self._pipe.write(frame(message))
                self._pipe.flush()
            except OSError:
                # The calling process is gone, so further work is useless.
                os._exit(0)


class EventSender:
    """Sends the events of requests, with steps only as often as an eye can follow.

    Every message wakes the calling process on a core that the denoiser could use: with steps of a dozen milliseconds that
    slows the request by a few percent.
    """

    def __init__(self, say: Callable[[FromWorker], None], clock: Callable[[], float] = monotonic) -> None:
        self._say, self._clock = say, clock
        self._told: dict[int, float] = {}

    def tell(self, number: int, event: Event) -> None:
        """Send an event; a step without a preview is dropped if another step was sent just before, unless it is the last step."""
        if isinstance(event, Step):
            moment = self._clock()
            if event.preview is None and event.n < event.of and moment - self._told.get(number, -math.inf) < STEP_EVERY:
                return
            self._told[number] = moment
        elif isinstance(event, Done | Failed):
            self._told.pop(number, None)
        self._say(Told(number, event))

    def forget(self, number: int) -> None:
        """Drop the state of a cancelled request."""
        self._told.pop(number, None)


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Reserve standard input and output for messages, and redirect printed output to standard error."""
    asked, told = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return os.fdopen(asked, "rb"), os.fdopen(told, "wb")


def serve(begin: Begin, asked: BinaryIO, speaker: Speaker) -> None:
    """Build the batch engine and run requests until the pipe closes."""
    prepare(downloads=begin.settings.allow_downloads)
    # Imported only here, because these libraries read their environment on import, take seconds, and may print.
    from inference.worker.factory import open_batch_engine

    teller = EventSender(speaker.say)
    batch_engine = open_batch_engine(begin, teller.tell)

    def listen() -> None:
        try:
            while (body := read(asked)) is not None:
                message = decode_to_worker(body)
                if isinstance(message, Paint):
                    batch_engine.submit(message.id, message.request)
                elif isinstance(message, Cancel):
                    batch_engine.cancel(message.id)
                    teller.forget(message.id)
        finally:
            # Also after a message that cannot be read: a worker that no longer listens must end, so that it is replaced.
            batch_engine.stop()

    def beat() -> None:
        while not stopped.wait(BEAT_EVERY):
            since = batch_engine.busy_since
            busy = 0.0 if since is None else monotonic() - since
            speaker.say(
                Beat(busy, batch_engine.running, batch_engine.model_cache.names(), batch_engine.largest_batch, *memory_of(begin.device))
            )

    stopped = threading.Event()
    for task in (listen, beat):
        threading.Thread(target=task, name=task.__name__, daemon=True).start()
    speaker.say(Ready(begin.device))
    batch_engine.work()
    stopped.set()


def memory_of(device: str) -> tuple[int, int]:
    """Return the bytes of a device's memory that this process holds, and its total; of the computer's memory if it is no GPU."""
    import psutil
    import torch

    if not device.startswith("cuda"):
        return int(psutil.Process().memory_info().rss), int(psutil.virtual_memory().total)
    try:
        # All memory that the allocator holds, used or not, because no other process can use it. This does not query the device.
        return torch.cuda.memory_reserved(device), torch.cuda.get_device_properties(device).total_memory
    except RuntimeError:
        # The batch engine detects a broken device at its next operation; the heartbeat only has to survive until then.
        return 0, 0


def main() -> None:
    """Serve until the calling process closes the pipe."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    asked, told = own_pipes()
    speaker = Speaker(told)
    body = read(asked)
    begin = decode_to_worker(body) if body is not None else None
    if not isinstance(begin, Begin):
        return
    try:
        serve(begin, asked, speaker)
    except InferenceError as error:
        speaker.say(Broken(error.problem))
    except Exception as error:
        log.exception("worker.failed")
        speaker.say(Broken(Problem("worker-start", {"kind": type(error).__name__})))
    speaker.close()
    # Not a normal exit: a thread may still be loading a model, and native libraries crash if the interpreter shuts down meanwhile.
    os._exit(0)


if __name__ == "__main__":
    main()

"""State of a request in the batch engine: a `RunningRequest`, and a `Part` for each of its pictures."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import msgspec
from greenlet import greenlet
from PIL.Image import Image

from inference.contract.errors import Problem
from inference.contract.inputs import Role
from inference.contract.model_info import ModelInfo
from inference.contract.modes import mode_of
from inference.contract.provenance import Provenance, joined
from inference.contract.request import Done, Event, Failed, Picture, PictureRequest, Step
from inference.worker.batch_slots import Asked, BatchSlot, read
from inference.worker.batching import Call
from inference.worker.pipelines import PipelineRunner

#: Minimum seconds between two previews of a request; eyes and chat platforms cannot use more.
PREVIEW_EVERY = 0.4

#: The smallest share of the requested width and height to which a picture is reduced.
SMALLEST_SHARE = 0.5


@dataclass(eq=False)
class Part:
    """A picture of a request: its greenlet, the call at which it is parked, and its progress (0 to 1)."""

    job: "RunningRequest"
    index: int
    order: int
    thread: greenlet | None = None
    easel: PipelineRunner | None = None
    call: Call | None = None
    progress: float = 0.0
    request: PictureRequest = field(init=False)
    #: Its batch slot in each pass so far, the memory fallbacks used, and (`_wanted`) the slots that it needs to repeat an earlier picture.
    seats: list[BatchSlot] = field(default_factory=list)
    eased: set[str] = field(default_factory=set)
    _wanted: tuple[BatchSlot, ...] = ()

    def __post_init__(self) -> None:
        self.request = self.job.request
        if self.index < len(self.request.seats):
            self._wanted = read(self.request.seats[self.index])

    def asked(self, rows: int, most: int) -> Asked:
        """Return what its next call, of `rows` rows, needs of a pass; a pass has at most `most` rows."""
        seat = self._wanted[len(self.seats)] if len(self.seats) < len(self._wanted) else None
        if seat is not None and seat.first + rows <= seat.rows <= most:
            return Asked(rows, seat)
        return Asked(rows, bucket=self.request.bucket)

    def answered(self, call: Call) -> None:
        """Record the slot in which a call was answered, and the fallback if any."""
        self.seats.append(call.seat)
        if call.eased:
            self.eased.add(call.eased)

    def stop(self) -> None:
        """End the parked pipeline call."""
        if self.thread is not None and not self.thread.dead:
            self.thread.throw()

    def shrink(self, multiple: int, smallest: int) -> bool:
        """Reduce both sides to three quarters; return False, and change nothing, if that would be too small."""
        asked = self.job.request
        width, height = (int(side * 0.75) // multiple * multiple for side in (self.request.width, self.request.height))
        if min(width, height) < smallest or width < asked.width * SMALLEST_SHARE or height < asked.height * SMALLEST_SHARE:
            return False
        self.request = msgspec.structs.replace(self.request, width=width, height=height)
        self.seats, self._wanted = [], ()
        return True


@dataclass(eq=False)
class RunningRequest:
    """A running request. `deliver`, `fail` and `stepped` may be called from file threads; everything else runs on the device thread."""

    id: int
    request: PictureRequest
    model_info: ModelInfo
    tell: Callable[[Event], None]
    pictures: dict[Role, tuple[Image, ...]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    ended: bool = False
    device_seconds: float = 0.0
    calls: int = 0
    _steps: int = 0
    _previewed: float = field(default_factory=monotonic)
    _proofs: dict[int, Provenance] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def steps(self) -> int:
        """Return the number of steps of a picture, as its mode counts them."""
        return mode_of(self.request).steps(self.request)

    def stepped(self, preview: bytes | None = None) -> None:
        """Send the progress of the whole request, if a step was completed or there is a preview."""
        done = int(sum(part.progress for part in self.parts) * self.steps + 1e-6)
        if preview is not None or done > self._steps:
            self._steps = done
            self.say(Step(done, self.steps * self.request.count, preview))

    def preview_is_due(self, part: Part) -> bool:
        """Return whether previews are on, the last preview is old enough, and this is the unfinished picture with most progress."""
        if not self.request.previews or monotonic() - self._previewed < PREVIEW_EVERY:
            return False
        first = max((one for one in self.parts if one.progress < 1), key=lambda one: one.progress, default=None)
        if first is not part:
            return False
        self._previewed = monotonic()
        return True

    def say(self, event: Event) -> None:
        """Send an event, unless the request has ended."""
        with self._lock:
            if not self.ended:
                self.tell(event)

    def deliver(self, picture: Picture, proof: Provenance) -> None:
        """Send a finished picture and, after the last, that the request is done. Called from encoding threads."""
        with self._lock:
            if self.ended:
                return
            self.tell(picture)
            self._proofs[picture.index] = proof
            if len(self._proofs) == self.request.count:
                self.ended = True
                self.tell(Done(self.device_seconds, self.calls, joined(self._proofs)))

    def fail(self, problem: Problem) -> None:
        """End the request with a problem, unless it has ended."""
        with self._lock:
            if not self.ended:
                self.ended = True
                self.tell(Failed(problem))

    def drop(self) -> None:
        """End the request without an event, because it was cancelled."""
        with self._lock:
            self.ended = True

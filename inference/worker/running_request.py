"""What the studio keeps of a request while it is in work: a `RunningRequest`, and one `Part` for each of its pictures."""

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

#: Seconds between two previews of one request: eyes and chat platforms take no more.
PREVIEW_EVERY = 0.4

#: A picture is never made smaller than this share of what was asked for, side by side.
SMALLEST_SHARE = 0.5


@dataclass(eq=False)
class Part:
    """One picture of a request: its greenlet, the call at which it is parked, and how far it is."""

    job: "RunningRequest"
    index: int
    order: int
    thread: greenlet | None = None
    easel: PipelineRunner | None = None
    call: Call | None = None
    progress: float = 0.0
    request: PictureRequest = field(init=False)
    #: Where it sat in each pass so far, what was done in another way, and where it must sit to be what it was before.
    seats: list[BatchSlot] = field(default_factory=list)
    eased: set[str] = field(default_factory=set)
    _wanted: tuple[BatchSlot, ...] = ()

    def __post_init__(self) -> None:
        self.request = self.job.request
        if self.index < len(self.request.seats):
            self._wanted = read(self.request.seats[self.index])

    def asked(self, rows: int, most: int) -> Asked:
        """Return what its next call of some rows needs of a pass; none has more than `most` rows."""
        seat = self._wanted[len(self.seats)] if len(self.seats) < len(self._wanted) else None
        if seat is not None and seat.first + rows <= seat.rows <= most:
            return Asked(rows, seat)
        return Asked(rows, bucket=self.request.bucket)

    def answered(self, call: Call) -> None:
        """Note how a call was answered."""
        self.seats.append(call.seat)
        if call.eased:
            self.eased.add(call.eased)

    def stop(self) -> None:
        """End the pipeline call where it is parked."""
        if self.thread is not None and not self.thread.dead:
            self.thread.throw()

    def shrink(self, multiple: int, smallest: int) -> bool:
        """Ask for a picture of three quarters the size; False where that would be too small to be what was wanted."""
        asked = self.job.request
        width, height = (int(side * 0.75) // multiple * multiple for side in (self.request.width, self.request.height))
        if min(width, height) < smallest or width < asked.width * SMALLEST_SHARE or height < asked.height * SMALLEST_SHARE:
            return False
        self.request = msgspec.structs.replace(self.request, width=width, height=height)
        self.seats, self._wanted = [], ()
        return True


@dataclass(eq=False)
class RunningRequest:
    """A request in work. Everything but `deliver` happens on the device thread."""

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
        """Steps of one picture, as its mode counts them."""
        return mode_of(self.request).steps(self.request)

    def stepped(self, preview: bytes | None = None) -> None:
        """Tell how far the whole request is, if a step was completed or there is something to see."""
        done = int(sum(part.progress for part in self.parts) * self.steps + 1e-6)
        if preview is not None or done > self._steps:
            self._steps = done
            self.say(Step(done, self.steps * self.request.count, preview))

    def preview_is_due(self, part: Part) -> bool:
        """Return whether somebody watches, long enough after the last look, and this is the picture that is furthest."""
        if not self.request.previews or monotonic() - self._previewed < PREVIEW_EVERY:
            return False
        first = max((one for one in self.parts if one.progress < 1), key=lambda one: one.progress, default=None)
        if first is not part:
            return False
        self._previewed = monotonic()
        return True

    def say(self, event: Event) -> None:
        """Tell something, unless the last word has been said."""
        with self._lock:
            if not self.ended:
                self.tell(event)

    def deliver(self, picture: Picture, proof: Provenance) -> None:
        """Tell a finished picture and, after the last one, that the request is done. Called from encoding threads."""
        with self._lock:
            if self.ended:
                return
            self.tell(picture)
            self._proofs[picture.index] = proof
            if len(self._proofs) == self.request.count:
                self.ended = True
                self.tell(Done(self.device_seconds, self.calls, joined(self._proofs)))

    def fail(self, problem: Problem) -> None:
        """Say the last word: the request ends here."""
        with self._lock:
            if not self.ended:
                self.ended = True
                self.tell(Failed(problem))

    def drop(self) -> None:
        """End without a word: nobody listens any more."""
        with self._lock:
            self.ended = True

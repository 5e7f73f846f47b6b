"""The batch engine: runs many requests on one device concurrently, step by step (continuous batching).

Every picture runs an unmodified diffusers pipeline call in its own greenlet. Its calls to the networks park the greenlet. The
engine takes the parked call of the share whose turn it is, adds every other call that can run in the same forward pass, makes
that pass, and resumes each picture until its next call. So requests join and leave at any step, regardless of their
schedulers, step counts and modes, and the engine can admit, cancel and schedule fairly between two steps.
"""

import logging
import queue
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, perf_counter

import torch
from greenlet import greenlet

from inference.contract.errors import Problem
from inference.contract.model_info import ModelInfo
from inference.contract.request import Event, Note, PictureRequest
from inference.contract.settings import EngineSettings
from inference.worker.batch_size import BatchSize
from inference.worker.batch_slots import seated
from inference.worker.batching import Call
from inference.worker.fair_share import FairShare
from inference.worker.image_io import ImageIO, problem_of
from inference.worker.model_cache import ModelCache, Wait, free_cache, is_out_of_memory, too_large
from inference.worker.out_of_memory import OomFallback
from inference.worker.pipelines import PipelineRunner, Pixels
from inference.worker.provenance import bench
from inference.worker.running_request import Part, RunningRequest

log = logging.getLogger("easel.worker")

Tell = Callable[[int, Event], None]


@dataclass(frozen=True)
class _Ready:
    """A request whose input pictures have been read."""

    job: RunningRequest


@dataclass(frozen=True)
class _Stop:
    """Cancel a request, or stop the engine if `id` is None."""

    id: int | None


class BatchEngine:
    """Runs requests on one device. `submit`, `cancel` and `stop` may be called from any thread; `work` is the device thread."""

    def __init__(self, model_cache: ModelCache, model_infos: dict[str, ModelInfo], settings: EngineSettings, tell: Tell) -> None:
        self._inbox: queue.SimpleQueue[_Ready | _Stop | None] = queue.SimpleQueue()
        self.model_cache, self.batch_size = model_cache, BatchSize(2 * settings.max_batch)
        self.oom_fallback = OomFallback(model_cache, self.batch_size)
        model_cache.woken = lambda: self._inbox.put(None)
        self._model_infos, self._tell = model_infos, tell
        self._padded = settings.compile
        # More pictures than fit into a batch run concurrently, so that groups of different shapes can fill their batches.
        self._most_parts = 2 * settings.max_batch
        self._shares = FairShare()
        self._preparing: dict[int, RunningRequest] = {}
        self._jobs: dict[int, RunningRequest] = {}
        self._waiting: list[Part] = []
        self._working: list[Part] = []
        self._order = 0
        self._stopping = False
        self._files = ImageIO(bench(model_cache.device, compiled=settings.compile))
        #: When the current iteration of the loop began; None while the engine is idle.
        self._pass_since: float | None = None
        self.largest_batch = 0

    def submit(self, number: int, request: PictureRequest) -> None:
        """Accept a request; its events are sent under `number`."""
        job = RunningRequest(number, request, self._model_infos[request.model], lambda event: self._tell(number, event))
        self._preparing[number] = job
        self._files.read_inputs(job, lambda: self._inbox.put(_Ready(job)))

    def cancel(self, number: int) -> None:
        """Stop a request at its next step, without any further event."""
        self._inbox.put(_Stop(number))

    def stop(self) -> None:
        """Stop all requests; `work` returns."""
        self._inbox.put(_Stop(None))

    @property
    def busy_since(self) -> float | None:
        """Return since when the engine has been busy with one thing, for hang detection: a pass, or a picture that is read or written."""
        return min((since for since in (self._pass_since, self._files.pending_since) if since is not None), default=None)

    @property
    def running(self) -> int:
        """Return the number of requests that run or wait here."""
        return len(self._jobs) + len(self._preparing)

    def work(self) -> None:
        """Run requests until `stop`."""
        # Set once for the thread: the no_grad blocks of interleaved pipelines would restore each other's setting.
        torch.set_grad_enabled(False)
        while not self._stopping:
            self._listen()
            self._pass_since = monotonic()
            self._admit()
            parked = [part for part in self._working if part.call is not None]
            if parked:
                self._pass(parked)
        for job in list(self._jobs.values()):
            self._end(job)
        self._files.close()

    def _listen(self) -> None:
        """Handle the messages that arrived since the last step; wait for a message if no picture is running."""
        idle = not self._working
        if idle:
            self._pass_since = None
        while not self._stopping:
            try:
                said = self._inbox.get(block=idle)
            except queue.Empty:
                return
            # After a wake-up there may be pictures to admit, so return instead of waiting again.
            idle = False
            if isinstance(said, _Ready):
                self._enter(said.job)
            elif isinstance(said, _Stop):
                self._stopping = self._stopping or said.id is None
                self._drop(said.id)

    def _drop(self, number: int | None) -> None:
        """End a cancelled request; a request that has already ended is ignored."""
        if number in self._preparing:
            self._preparing[number].drop()
        elif number in self._jobs:
            self._jobs[number].drop()
            self._end(self._jobs[number])

    def _enter(self, job: RunningRequest) -> None:
        del self._preparing[job.id]
        if job.ended:
            return
        self._jobs[job.id] = job
        self._shares.join(job.request.share)
        for index in range(job.request.count):
            self._order += 1
            job.parts.append(Part(job, index, self._order))
        self._waiting += job.parts

    def _turn(self, part: Part) -> tuple[float, int]:
        return self._shares.tag(part.job.request.share), part.order

    def _admit(self) -> None:
        """Start waiting pictures in fair order, as long as there is room for them and their models."""
        for part in sorted(self._waiting, key=self._turn):
            if not self._has_place(part):
                continue
            try:
                easel = self.model_cache.want(part.job.model_info)
            except Exception as error:
                self._fail(part.job, error)
                continue
            if easel is Wait.FULL:
                # No picture overtakes this one, because the models in use would never become idle otherwise.
                return
            if isinstance(easel, PipelineRunner):
                self._waiting.remove(part)
                self._start(part, easel)

    def _has_place(self, part: Part) -> bool:
        """Return whether a picture may start: while there is room, and beyond that the first picture of every share.

        So a new user never waits for a picture of another user to finish, even if that user has filled the room.
        """
        if part.job.ended or len(self._working) >= 2 * self._most_parts:
            return False
        share = part.job.request.share
        return len(self._working) < self._most_parts or all(one.job.request.share != share for one in self._working)

    def _start(self, part: Part, easel: PipelineRunner) -> None:
        self.model_cache.hold(part.job.model_info.name)
        part.easel = easel
        part.thread = greenlet(lambda: self._paint(part, easel))
        self._working.append(part)
        self._go_on(part)

    def _paint(self, part: Part, easel: PipelineRunner) -> Pixels | Exception:
        """Run a picture's pipeline, as the body of its greenlet; return its pixels or the exception."""

        def stepped(done: int, of: int) -> None:
            part.progress = done / of
            part.job.stepped()

        try:
            words = self.oom_fallback.read(easel, part.request)
            part.eased = {"words"} if easel.reads_on_cpu else set()
            return easel.paint(part.request, words, part.index, part.job.pictures, stepped)
        except Exception as error:
            return error

    def _pass(self, parked: list[Part]) -> None:
        """Make a forward pass for the picture whose turn it is and all that can join it, and resume them."""
        group, bucket, firsts = self._group(sorted(parked, key=self._turn))
        calls = [part.call for part in group if part.call is not None]
        rows, uses = sum(call.rows for call in calls), self.oom_fallback.uses
        if self._padded:
            bucket = BatchSize.size_of(bucket or rows)
        began = perf_counter()
        failed = {id(call): error for call, error in self.oom_fallback.make(calls, bucket, firsts)}
        if self.model_cache.device.type == "cuda":
            torch.cuda.synchronize(self.model_cache.device)
        seconds = perf_counter() - began
        if not failed and self.oom_fallback.uses == uses:
            self.batch_size.measured(calls[0].key, bucket or rows, seconds)
        self.largest_batch = max(self.largest_batch, len(group))
        for part, call in zip(group, calls, strict=True):
            self._charge(part, call, seconds * call.rows / rows)
        for part, call in zip(group, calls, strict=True):
            if part.job.ended:
                continue
            if id(call) in failed:
                self._struggle(part, failed[id(call)])
            else:
                part.answered(call)
                self._look(part)
                self._go_on(part)

    def _group(self, parked: list[Part]) -> tuple[list[Part], int, list[int]]:
        """Return the parts of the next pass: the part whose turn it is and those that can join it, in order of their rows.

        Also return the number of rows that the pass must have (0 for any number), and the first row of each part.
        """
        assert parked[0].call is not None
        key = parked[0].call.key
        fitting = [(part, part.call.rows) for part in parked if part.call is not None and part.call.key == key]
        rows, firsts = seated([part.asked(rows, self.batch_size.most) for part, rows in fitting], self.batch_size.rows(key))
        in_order = sorted(firsts, key=firsts.__getitem__)
        return [fitting[number][0] for number in in_order], rows, [firsts[number] for number in in_order]

    def _charge(self, part: Part, call: Call, seconds: float) -> None:
        job = part.job
        job.device_seconds += seconds
        job.calls += call.target.stage == "denoise"
        self._shares.charge(job.request.share, seconds, job.request.weight)

    def _look(self, part: Part) -> None:
        """Make a preview if it is due; its JPEG is encoded on another thread."""
        call, easel = part.call, part.easel
        if call is None or easel is None or call.target.stage != "denoise" or not part.job.preview_is_due(part):
            return
        try:
            self._files.show(part.job, easel.preview(call, part.request))
        except Exception:
            # A failed preview must not fail the picture.
            log.exception("preview.failed id=%s", part.job.id)

    def _go_on(self, part: Part) -> None:
        """Run a picture's pipeline until its next network call or its end."""
        thread, call = part.thread, part.call
        assert thread is not None
        outcome = thread.switch() if call is None else thread.switch(call.answer)
        part.call = outcome if isinstance(outcome, Call) else None
        if isinstance(outcome, Call):
            return
        if isinstance(outcome, Exception):
            self._struggle(part, outcome)
            return
        easel = part.easel
        assert easel is not None
        self._leave(part)
        self._files.finish(part, easel, outcome)
        if all(one.thread is not None and one.thread.dead for one in part.job.parts):
            self._forget(part.job)

    def _struggle(self, part: Part, error: Exception) -> None:
        """Handle a picture's error: if memory ran out and the user allowed it, restart it smaller, otherwise fail its request."""
        if is_out_of_memory(error):
            free_cache(self.model_cache.device)
            limits, asked = part.job.model_info.limits, part.request
            if part.job.request.allow_smaller and part.shrink(limits.multiple, limits.smallest):
                self._leave(part)
                told = {"width": part.request.width, "height": part.request.height}
                part.job.say(Note(Problem("memory-smaller", {**told, "asked": f"{asked.width} × {asked.height}"})))
                part.stop()
                part.thread, part.call, part.progress = None, None, 0.0
                self._waiting.append(part)
                return
            stage = part.call.target.stage if part.call else "text"
            error = too_large(stage, part.job.request.width, part.job.request.height)
        self._fail(part.job, error)

    def _fail(self, job: RunningRequest, error: Exception) -> None:
        job.fail(problem_of(error, job.id))
        self._end(job)

    def _end(self, job: RunningRequest) -> None:
        """Remove a request and all its pictures, waiting or running."""
        for part in [part for part in self._working if part.job is job]:
            part.stop()
            self._leave(part)
        self._forget(job)

    def _leave(self, part: Part) -> None:
        self._working.remove(part)
        # There is room now, so wake the loop to admit waiting pictures before it sleeps.
        self._inbox.put(None)
        self.model_cache.release(part.job.model_info.name)
        part.easel = None

    def _forget(self, job: RunningRequest) -> None:
        self._waiting = [part for part in self._waiting if part.job is not job]
        if self._jobs.pop(job.id, None) is not None:
            self._shares.leave(job.request.share)

"""Decodes and encodes image files on separate threads, so that no step waits for a decoder, an encoder or a disk."""

import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock
from time import monotonic

import msgspec

from inference.contract.errors import InferenceError, Problem
from inference.contract.request import Picture
from inference.images import decode, encode, metadata
from inference.models.hashing import Fingerprint
from inference.worker.pipelines import PipelineRunner, Pixels
from inference.worker.provenance import VERSIONS, ProvenanceRecorder, proof_of
from inference.worker.running_request import Part, RunningRequest

log = logging.getLogger("easel.worker")

#: How long the first picture of a model waits for the model's hash: a large model on a slow disk takes a minute.
IDENTITY_SECONDS = 120.0

#: The longer side of a thumbnail in pixels, sharp at 128 points on a phone, and its JPEG quality, high because thumbnails are kept.
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 256, 90


def problem_of(error: Exception, number: int) -> Problem:
    """Return the problem to report for an exception; an unexpected exception gets an incident code, under which it is logged."""
    if isinstance(error, InferenceError):
        return error.problem
    incident = secrets.token_hex(4)
    log.error("request.failed id=%s incident=%s", number, incident, exc_info=error)
    return Problem("fault-unexpected", {"incident": incident, "kind": type(error).__name__})


class ImageIO:
    """Decodes input pictures, and encodes finished pictures and previews."""

    def __init__(self, bench: ProvenanceRecorder) -> None:
        self._bench = bench
        # A single thread reads, because catching Pillow's warnings affects the whole process.
        self._reading = ThreadPoolExecutor(1, "reading")
        self._writing = ThreadPoolExecutor(2, "writing")
        self._tickets, self._lock = count(), Lock()
        self._pending: dict[int, float] = {}

    def read_inputs(self, job: RunningRequest, done: Callable[[], None]) -> None:
        """Decode a request's untrusted input pictures; `done` is called when all are decoded or the request has failed."""

        def read() -> None:
            try:
                decode_all()
            finally:
                done()

        def decode_all() -> None:
            try:
                size = (job.request.width, job.request.height)
                for given in job.request.inputs:
                    job.pictures[given.role] = (*job.pictures.get(given.role, ()), decode.read_input(given, size))
            except Exception as error:
                job.fail(problem_of(error, job.id))

        self._watched(self._reading, read)

    def finish(self, part: Part, easel: PipelineRunner, pixels: Pixels) -> None:
        """Encode a finished picture with its settings and deliver it; a model's first picture waits for the model's fingerprint."""

        def write() -> None:
            job, (height, width, _) = part.job, pixels.shape
            seed = job.request.seed_of(part.index)
            try:
                made_of = self._identity(easel)
                proof = proof_of(part, easel, pixels, made_of, self._bench)
                model_info = msgspec.structs.replace(job.model_info, sha256=made_of.sha256)
                chunks = metadata.chunks(part.request, model_info, seed, (width, height), VERSIONS, seats=proof.pictures[0].seats)
                small = encode.jpeg(pixels, THUMBNAIL_SIDE, THUMBNAIL_QUALITY)
                job.deliver(Picture(part.index, seed, width, height, encode.png(pixels, chunks), small), proof)
            except Exception as error:
                job.fail(problem_of(error, job.id))

        self._watched(self._writing, write)

    def _identity(self, easel: PipelineRunner) -> Fingerprint:
        """Return the fingerprint of a model; if hashing takes too long, pictures are delivered without it."""
        try:
            return easel.loaded.identity.result(timeout=IDENTITY_SECONDS)
        except TimeoutError:
            log.warning("model.hash_late model=%s", easel.loaded.model_info.name)
            return Fingerprint()

    def show(self, job: RunningRequest, pixels: Pixels) -> None:
        """Encode a preview and send it with the progress."""
        self._writing.submit(lambda: job.stepped(encode.jpeg(pixels, max(pixels.shape[:2]))))

    @property
    def pending_since(self) -> float | None:
        """Return when the oldest work that has not ended was submitted, for hang detection; None if there is none."""
        with self._lock:
            return min(self._pending.values(), default=None)

    def _watched(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        """Submit work, and remember since when it is pending."""
        ticket = next(self._tickets)
        with self._lock:
            self._pending[ticket] = monotonic()

        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    del self._pending[ticket]

        pool.submit(run)

    def close(self) -> None:
        """Finish the queued work and stop the threads."""
        self._reading.shutdown(wait=True)
        self._writing.shutdown(wait=True)

"""The values that metrics report, at one moment. They contain nothing about any user."""

from collections.abc import Mapping

import msgspec

from bot.core.scheduling import Timing
from bot.jobs.eta import EtaErrors
from bot.jobs.execution import Counters
from bot.store.jobs.queue import Queue, Turns
from inference.contract.protocol import Beat


class WorkerStatus(msgspec.Struct, frozen=True):
    """The current state of a worker."""

    device: str
    is_ready: bool
    load: int
    restarts: int
    beat: Beat


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All values at one moment."""

    queues: Mapping[str, Queue]
    turns: Turns
    deliveries: Mapping[str, int]
    timings: tuple[Timing, ...]
    errors: EtaErrors
    meters: Counters
    workers: tuple[WorkerStatus, ...]
    memory_bytes: int
    free_bytes: int | None

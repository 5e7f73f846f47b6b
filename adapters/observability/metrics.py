"""The metrics in the format of Prometheus. `docs/operation.md` explains each of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from adapters.observability.snapshot import Snapshot, WorkerStatus
from bot.store.jobs.job import OPEN
from bot.store.jobs.outbox import GAVE_UP, SENDING, SENT, TODO, UNKNOWN
from bot.store.jobs.queue import Queue

_DELIVERIES = (TODO, SENDING, SENT, UNKNOWN, GAVE_UP)

#: For each worker metric: its name, whether it only grows, its help text, and its value.
_WORKER: tuple[tuple[str, bool, str, Callable[[WorkerStatus], float]], ...] = (
    ("easel_worker_ready", False, "Whether the worker accepts jobs now.", lambda one: one.is_ready),
    ("easel_worker_restarts", True, "Restarts of the worker.", lambda one: one.restarts),
    ("easel_worker_requests", False, "Jobs running or waiting in the worker.", lambda one: one.load),
    ("easel_worker_busy_seconds", False, "Age of the worker's current operation in seconds.", lambda one: one.beat.busy_seconds),
    ("easel_worker_batch_size_max", False, "Largest batch of pictures in one pass so far.", lambda one: one.beat.largest_batch),
    ("easel_worker_models", False, "Models loaded in the worker.", lambda one: len(one.beat.models)),
    ("easel_worker_memory_bytes", False, "Device memory used by the worker.", lambda one: one.beat.memory_bytes),
    ("easel_worker_memory_size_bytes", False, "Total memory of the device.", lambda one: one.beat.memory_size_bytes),
)


def rendered(snapshot: Snapshot) -> str:
    """Return a snapshot as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(snapshot))
    return generate_latest(registry).decode()


class _Numbers(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its name."""
        yield from _line(self._snapshot)
        yield from _painting(self._snapshot)
        yield from _process(self._snapshot)

    def describe(self) -> Iterable[Metric]:
        """Describe nothing in advance: each registry is used for only one report."""
        return ()


def _line(now: Snapshot) -> Iterator[Metric]:
    meters, errors = now.meters, now.errors
    queues = {state: now.queues.get(state, Queue(0, 0.0)) for state in OPEN}
    yield _gauges("easel_queue_jobs", "Unfinished jobs.", "state", {state: one.jobs for state, one in queues.items()})
    ages = {state: one.oldest for state, one in queues.items()}
    yield _gauges("easel_queue_oldest_age_seconds", "Age of the oldest unfinished job.", "state", ages)
    yield _one("easel_turn_clock_seconds", "Virtual time of the fair queue.", now.turns.clock)
    yield _one("easel_turn_waiting_persons", "Users with queued jobs.", now.turns.waiting)
    yield _one("easel_jobs_done", "Jobs painted by this process.", meters.done, grows=True)
    yield _counts("easel_jobs_failed", "Jobs that failed in this process, by error.", "problem", meters.failed)
    yield _one("easel_forecasts", "ETAs compared with the actual wait.", errors.count, grows=True)
    yield _one("easel_forecast_error_seconds", "Sum of the ETA errors in seconds.", errors.seconds, grows=True)
    yield _one("easel_forecast_wait_seconds", "Sum of the actual waits in seconds.", errors.waited, grows=True)
    states = {one: now.deliveries.get(one, 0) for one in _DELIVERIES}
    yield _gauges("easel_deliveries", "Deliveries by state.", "state", states)
    yield _counts("easel_deliveries_not_sent", "Failed delivery attempts.", "reason", meters.not_sent)


def _painting(now: Snapshot) -> Iterator[Metric]:
    steps = GaugeMetricFamily("easel_step_seconds", "Measured time of one step of one picture.", labels=["model", "size", "batch"])
    for one in now.timings:
        steps.add_metric([one.model, f"{one.width}x{one.height}", str(one.batch)], one.seconds)
    yield steps
    for name, grows, what, found in _WORKER:
        values = {one.device: found(one) for one in now.workers}
        yield _counts(name, what, "device", values) if grows else _gauges(name, what, "device", values)


def _process(now: Snapshot) -> Iterator[Metric]:
    yield _one("easel_memory_bytes", "Resident memory of the chat process.", now.memory_bytes)
    if now.free_bytes is not None:
        yield _one("easel_files_free_bytes", "Free space on the disk with the pictures.", now.free_bytes)


def _one(name: str, what: str, value: float, *, grows: bool = False) -> Metric:
    return CounterMetricFamily(name, what, value=value) if grows else GaugeMetricFamily(name, what, value=value)


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for kind, value in values.items():
        family.add_metric([kind], value)
    return family


def _counts(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for kind, value in values.items():
        family.add_metric([kind], value)
    return family

"""Readiness and metrics: what makes a process not ready, and correct numbers."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.observability.health import Health
from bot.core.scheduling import Timing
from bot.jobs.execution import Counters
from inference.contract.errors import Problem
from inference.contract.protocol import Beat
from inference.contract.request import Failed
from inference.contract.settings import EngineSettings
from inference.supervisor import Worker
from inference.worker.main import memory_of
from tests.dispatching import Script, Wall, dispatching
from tests.stores import accepted, database, store, url, user_of
from tests.stores import usual_server as server

__all__ = ["database", "server", "store", "url"]


def worker(device="cpu"):
    """Return a worker that has not been started."""
    return Worker(device, EngineSettings(), {})


@asynccontextmanager
async def operating(store, *workers, script=None, wall=None, **changes):
    """Yield the health of a running dispatcher."""
    async with dispatching(store, script or Script(), wall or Wall(), **changes) as dispatcher:
        yield Health(store, dispatcher, workers or (worker(),))


async def numbers(operation):
    """Return all metrics by name and labels."""
    text = await operation.metrics()
    return {
        (sample.name, *sample.labels.values()): sample.value for family in text_string_to_metric_families(text) for sample in family.samples
    }


async def test_it_is_ready_while_workers_start(store):
    """A responding store and one worker that is ready or starting are enough to be ready."""
    stuck = worker("cuda:0")
    stuck.broken = Problem("worker-start", {"kind": "OSError"})
    async with operating(store, stuck, worker("cuda:1")) as operation:
        assert await operation.ready() == ()


async def test_it_says_why_it_is_not_ready(store, monkeypatch):
    """An engine that cannot start, a store that does not respond and a process that is leaving are each reported in one word."""
    stuck = worker()
    stuck.broken = Problem("worker-start", {"kind": "OSError"})
    async with operating(store, stuck) as operation:
        assert await operation.ready() == ("engine",)

        async def away():
            raise ConnectionError

        monkeypatch.setattr(store.work, "answers", away)
        assert await operation.ready() == ("store", "engine")
    assert await operation.ready() == ("store", "leaving", "engine")


async def test_a_full_disk_is_a_reason(store):
    """A process whose disk has less free space than the operator wants paints nothing, and says so."""
    async with operating(store, least_free=2**62) as operation:
        assert await operation.ready() == ("disk",)


async def test_a_silent_store_is_not_waited_for(store, monkeypatch):
    """A store that does not respond at all counts as unavailable after a short time."""
    monkeypatch.setattr("adapters.observability.health._PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(store.work, "answers", asyncio.Event().wait)
    async with operating(store) as operation:
        assert await operation.ready() == ("store",)


async def test_the_numbers_are_true(store):
    """The metrics report the real numbers of the queue, finished and failed jobs, deliveries, workers and learned timings."""
    ann, bob = await user_of(store, "ann"), await user_of(store, "bob")
    wall, painter = Wall(), worker("cuda:0")
    painter.beat, painter.restarts = Beat(1.5, 2, ("demo", "sd15"), 8, 3 * 2**30, 24 * 2**30), 3
    await store.timings.keep(Timing("demo", 256, 256, 4, 0.012, 7))
    script = Script(**{"a broken circle": [(Failed(Problem("memory-spent", {"stage": "decode"})),)]})
    async with operating(store, painter, script=script, wall=wall) as operation:
        good, bad = await accepted(store, ann), await accepted(store, bob, "a broken circle")
        operation.dispatcher.wake()
        await wall.until(good.id, "done")
        await wall.until(bad.id, "failed")
        async with asyncio.timeout(20):
            while (await store.outbox.counts()).get("sent") != 2:  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0.01)
        await store.line.pause_person(ann, paused=True)
        await accepted(store, ann)
        told = await numbers(operation)

    assert told["easel_jobs_done_total",] == 1
    assert told["easel_jobs_failed_total", "memory-spent"] == 1
    assert told["easel_queue_jobs", "paused"] == 1
    assert told["easel_queue_jobs", "waiting"] == told["easel_queue_jobs", "running"] == 0
    assert 0 <= told["easel_queue_oldest_age_seconds", "paused"] < 60
    assert told["easel_turn_waiting_persons",] == 0
    assert told["easel_deliveries", "sent"] == 2
    assert told["easel_deliveries", "unknown"] == 0
    assert told["easel_step_seconds", "4", "demo", "256x256"] == 0.012
    assert told["easel_worker_restarts_total", "cuda:0"] == 3
    assert told["easel_worker_batch_size_max", "cuda:0"] == 8
    assert told["easel_worker_memory_bytes", "cuda:0"] == 3 * 2**30
    assert told["easel_worker_memory_size_bytes", "cuda:0"] == 24 * 2**30
    assert told["easel_memory_bytes",] > 10_000_000
    assert told["easel_files_free_bytes",] > 0


async def test_the_numbers_have_the_manners_of_prometheus(store):
    """Every metric has our prefix and an explanation, and every counter ends in `_total`."""
    async with operating(store) as operation:
        text = await operation.metrics()
    families = list(text_string_to_metric_families(text))
    assert len(families) > 15
    assert all(family.name.startswith("easel_") and family.documentation for family in families)
    grown = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE") and line.endswith("counter")]
    assert grown
    assert all(name.endswith("_total") for name in grown)


async def test_every_number_is_described(store):
    """The page for operators describes all existing metrics and no others."""
    from pathlib import Path

    described = Path(__file__).parents[3].joinpath("docs", "operation.md").read_text(encoding="utf-8")
    async with operating(store) as operation:
        text = await operation.metrics()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    named = {word.strip("`").split("{")[0] for word in described.split() if word.startswith("`easel_")}
    assert named == told


def test_kinds_of_failures_are_bounded():
    """The number of distinct failure reasons is bounded, and no reason breaks a line."""
    meters = Counters()
    for number in range(1000):
        meters.count_not_sent(f"reason {number}\n\x1b[31m")
    assert len(meters.not_sent) == 51
    assert meters.not_sent.total() == 1000
    assert all(name.isascii() and name.isprintable() and " " not in name for name in meters.not_sent)


def test_a_start_does_without_the_library_of_numbers():
    """Startup does not import the Prometheus library, which is needed only if metrics are requested."""
    code = "import sys, adapters.bootstrap, adapters.registry; print([name for name in sys.modules if name.startswith('prometheus')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert told == "[]\n"


def test_a_worker_knows_its_memory():
    """On the CPU, the memory of a worker is that of its process, out of the memory of the machine."""
    has, of = memory_of("cpu")
    assert 10_000_000 < has < of


@pytest.mark.parametrize("body", [{"busy_seconds": 0.0, "running": 0, "models": (), "largest_batch": 0}])
def test_a_beat_needs_no_memory(body):
    """A heartbeat without memory fields reports zero."""
    assert (Beat(**body).memory_bytes, Beat(**body).memory_size_bytes) == (0, 0)

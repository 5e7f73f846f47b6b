"""The batch engine: batches that change nothing, fairness between steps, cancellation, and isolated failures."""

import itertools

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from inference.contract.inputs import Input, Role
from inference.contract.request import Done, Failed
from inference.worker import batch_engine as engine_module
from inference.worker.batch_slots import read
from inference.worker.batching import Call
from inference.worker.fair_share import FairShare
from inference.worker.schedulers import make
from tests.room import DEMO_INFO, asked, pixels, room

MIXTURE = [
    asked(scheduler="euler", steps=5, seed=1, share="a"),
    asked("a blue star", scheduler="heun", steps=4, seed=2, share="b", guidance=6.0),
    asked("a green house", scheduler="pndm", steps=6, seed=3, share="c"),
    asked("a pink cat", scheduler="euler a", steps=7, seed=4, share="d", guidance=1.0),
    asked("a cross", scheduler="dpm++ 2m karras", steps=3, seed=5, share="e"),
]


@pytest.fixture(scope="module")
def batch_engine():
    """Return one batch engine for the tests that leave it unchanged."""
    with room() as opened:
        yield opened


def off(one, other):
    """Return the largest difference of two images, on a scale of 0 to 255."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def coarse(picture):
    """Return an image as the mean colours of its 8 × 8 fields."""
    side = picture.shape[0] // 8
    return picture.reshape(8, side, 8, side, 3).mean((1, 3)).ravel()


@pytest.mark.usefixtures("generous")
def test_a_mixed_batch_paints_what_each_would_have_painted_alone(batch_engine):
    """Different schedulers, steps and guidance in one batch change no pixel by more than 2 of 255."""
    together = [outcome.pictures[0] for outcome in batch_engine.paint(*MIXTURE)]
    alone = [batch_engine.paint(request)[0].pictures[0] for request in MIXTURE]

    assert max(off(*pair) for pair in zip(together, alone, strict=True)) <= 2
    assert batch_engine.batch_engine.largest_batch > 1


def test_a_lone_request_paints_what_the_stock_pipeline_paints(batch_engine):
    """The engine's image is the image of the stock pipeline."""
    request = asked(steps=6)
    ours = batch_engine.paint(request)[0].pictures[0]
    pipeline = batch_engine.easel.loaded.pipeline("StableDiffusionPipeline")
    pipeline.scheduler = make(request.scheduler, batch_engine.easel.loaded.scheduler_config)
    theirs = pipeline(
        request.prompt.text, width=128, height=128, num_inference_steps=6, guidance_scale=4.0,
        generator=torch.Generator().manual_seed(request.seed),
    ).images[0]  # fmt: skip

    assert off(ours, np.asarray(theirs)) <= 1


def test_at_the_same_bucket_neighbours_change_not_one_bit(batch_engine):
    """An image generated in a full batch equals the same image generated alone at the same bucket."""
    full = [
        asked(f"a {colour} circle", seed=number, share=colour, bucket=8) for number, colour in enumerate(["red", "blue", "green", "pink"])
    ]
    together = [outcome.pictures[0] for outcome in batch_engine.paint(*full)]
    alone = [batch_engine.paint(request)[0].pictures[0] for request in full]

    assert all(np.array_equal(*pair) for pair in zip(together, alone, strict=True))


@pytest.mark.usefixtures("generous")
def test_in_the_same_seats_a_picture_is_the_same_to_the_last_bit(batch_engine):
    """An image generated in its old batch slots is the same to the last bit, whatever ran beside it then and now."""
    first = [outcome.end.proof for outcome in batch_engine.paint(*MIXTURE)]
    sat = [{seat.rows for seat in read(proof.pictures[0].seats)} for proof in first]
    repeats = [replace(request, seats=(proof.pictures[0].seats,)) for request, proof in zip(MIXTURE, first, strict=True)]
    alone = [batch_engine.paint(request)[0].end.proof for request in repeats]
    beside = [outcome.end.proof for outcome in batch_engine.paint(*repeats, *(replace(one, seed=99, share="z") for one in MIXTURE))]

    assert max(len(sizes) for sizes in sat) > 1
    assert alone == first
    assert beside[: len(first)] == first


def test_the_same_request_gives_the_same_pixels(batch_engine):
    """Seeds reproduce an image, and image i of a request is that of seed + i."""
    several = batch_engine.paint(asked(count=3, seed=40))[0].pictures
    again = [batch_engine.paint(asked(seed=40 + index))[0].pictures[0] for index in range(3)]

    assert len(several) == 3
    assert off(several[0], several[1]) > 20
    assert max(off(*pair) for pair in zip(several, again, strict=True)) <= 2


def test_steps_are_told_in_order_up_to_the_last(batch_engine):
    """Progress only grows and ends at the number of steps, however the scheduler counts its steps."""
    for scheduler in ("euler", "heun", "pndm"):
        steps = batch_engine.paint(asked(scheduler=scheduler, steps=5, count=2))[0].steps

        assert steps == sorted(set(steps))
        assert steps[-1] == (10, 10)


def test_image_to_image_changes_more_with_strength(batch_engine):
    """A higher strength changes more of the source."""
    source = batch_engine.paint(asked(steps=8))[0].events
    image = next(event.image for event in source if hasattr(event, "image"))
    before = next(iter(batch_engine.paint(asked(steps=8))[0].pictures))
    start = {"steps": 10, "inputs": (Input(Role.INIT, image),)}
    changed = [
        np.abs(batch_engine.paint(asked("a green star", **start, strength=strength))[0].pictures[0].astype(int) - before).mean()
        for strength in (0.2, 0.5, 0.9)
    ]

    assert changed == sorted(changed)
    assert changed[-1] > 2 * changed[0]


def test_previews_show_the_picture_that_comes(batch_engine, monkeypatch):
    """A preview of a late step looks like the finished image, small and blurred."""
    monkeypatch.setattr("inference.worker.running_request.PREVIEW_EVERY", 0.0)
    outcome = batch_engine.paint(asked(steps=8, previews=True))[0]
    looks = [coarse(pixels(event.preview)) for event in outcome.events if getattr(event, "preview", None)]
    finished = coarse(outcome.pictures[0])

    assert len(looks) >= 4
    assert np.corrcoef(looks[-1], finished)[0, 1] > 0.7


@pytest.fixture
def generous(batch_engine, monkeypatch):
    """Let every batch be as large as allowed: the learned speed of the machine is not the test's subject."""
    monkeypatch.setattr(batch_engine.batch_engine.batch_size, "rows", lambda _key: batch_engine.batch_engine.batch_size.most)


def never(_rows, _call):
    """Refuse nothing."""
    return False


class Counting:
    """Counts the rows of each denoiser call, and can refuse some as a full device would."""

    def __init__(self, network, refuse=never):
        self.rows, self._run, self._refuse = [], network.forward, refuse
        self._network = network
        network.forward = self

    def __call__(self, *given, **named):
        rows = (given[0] if given else named["sample"]).shape[0]
        self.rows.append(rows)
        if self._refuse(rows, len(self.rows)):
            raise torch.OutOfMemoryError("injected")
        return self._run(*given, **named)

    def stop(self):
        del self._network.forward


@pytest.fixture
def counted(batch_engine):
    """Return a function that watches the demo model's denoiser, and stop watching at the end."""
    watched = []

    def watch(refuse=never):
        batch_engine.paint(asked(steps=1))
        watched.append(Counting(batch_engine.easel.loaded.components["unet"], refuse))
        return watched[-1]

    yield watch
    for one in watched:
        one.stop()


def test_cancel_stops_at_the_next_step(batch_engine, counted):
    """After a cancellation at most the running pass is finished."""
    calls = counted()
    (number,) = batch_engine.begin(asked(steps=50))
    while len(calls.rows) < 3:
        pass
    at_cancel = len(calls.rows)
    batch_engine.batch_engine.cancel(number)
    batch_engine.paint(asked(steps=1))

    assert len(calls.rows) <= at_cancel + 2 + 1
    assert batch_engine.batch_engine.running == 0


def test_twice_the_weight_gets_twice_the_device_time(monkeypatch):
    """While two shares have more work than one pass holds, weight 2 gets twice the device time of weight 1, within a tenth."""
    # Every pass takes one unit of time, so that a busy machine changes nothing.
    ticks = itertools.count()
    monkeypatch.setattr(engine_module, "perf_counter", lambda: float(next(ticks)))
    charged = []

    class Charging(FairShare):
        def charge(self, share, seconds, weight):
            charged.append((share, seconds))
            super().charge(share, seconds, weight)

    with room(max_batch=1) as opened:
        opened.batch_engine._shares = Charging()
        work = {"count": 3, "steps": 14}
        heavy, light = opened.paint(asked(share="heavy", weight=2.0, **work), asked("a blue star", share="light", **work))
    assert isinstance(heavy.end, Done)
    assert isinstance(light.end, Done)
    names = [name for name, _ in charged]
    both = charged[names.index("light") : len(names) - names[::-1].index("heavy")]
    device_time = {share: sum(seconds for name, seconds in both if name == share) for share in ("heavy", "light")}
    assert device_time["heavy"] / device_time["light"] == pytest.approx(2.0, rel=0.1)


@pytest.mark.usefixtures("generous")
def test_requests_join_and_leave_at_any_step(batch_engine, counted):
    """A short request that arrives later shares passes with the long one and ends before it."""
    calls = counted()
    (long,) = batch_engine.begin(asked(steps=40, share="long"))
    while len(calls.rows) < 2:
        pass
    (short,) = batch_engine.begin(asked("a blue star", steps=3, share="short"))
    ended = []
    while len(ended) < 2:
        number, event = batch_engine.heard.get(timeout=60)
        if isinstance(event, Done | Failed):
            ended.append(number)

    assert ended == [short, long]
    assert 4 in calls.rows
    assert calls.rows[-1] == 2


@pytest.mark.usefixtures("generous")
def test_a_batch_that_does_not_fit_is_made_smaller(batch_engine, counted):
    """Out of memory in a batch leads to a smaller batch, and every request still gets its image."""
    batch_engine.paint(*MIXTURE[:4])
    calls = counted(lambda rows, number: rows > 2 and number <= 8)
    outcomes = batch_engine.paint(*MIXTURE[:4])

    assert all(isinstance(outcome.end, Done) for outcome in outcomes)
    assert max(calls.rows) > 2
    assert batch_engine.batch_engine.oom_fallback.used["batch"] >= 1


def test_one_that_never_fits_fails_alone():
    """A request too large for the device tries every fallback and fails; the other requests of the batch finish."""
    with room() as opened:
        opened.paint(asked(steps=1))
        network = opened.easel.loaded.components["unet"]
        run = network.forward

        def forward(sample, *given, **named):
            if sample.shape[-1] > 8:
                raise torch.OutOfMemoryError("injected")
            return run(sample, *given, **named)

        network.forward = forward
        large, small = opened.paint(asked(width=192), asked(steps=6))
        smaller = opened.paint(asked(width=224, height=224, allow_smaller=True))[0]
        used = opened.batch_engine.oom_fallback.used

    assert isinstance(large.end, Failed)
    assert large.end.problem.key == "memory-spent"
    assert isinstance(small.end, Done)
    assert smaller.notes == ["memory-smaller"] * 2
    assert smaller.pictures[0].shape[:2] == (112, 112)
    assert {"cache", "offload", "stream"} <= set(used)


@pytest.mark.parametrize(("stage", "fallback"), [("decode", "tiles"), ("encode", "tiles")])
def test_the_autoencoder_falls_back_to_tiles(stage, fallback):
    """Out of memory while decoding or encoding switches to tiles, and the image is finished."""
    with room() as opened:
        image = next(event.image for event in opened.paint(asked())[0].events if hasattr(event, "image"))
        vae = opened.easel.loaded.components["vae"]
        network = vae.decoder if stage == "decode" else vae.encoder
        run = network.forward
        largest = 8 if stage == "decode" else 128

        def forward(sample, *given, **named):
            if max(sample.shape[-2:]) > largest:
                raise torch.OutOfMemoryError("injected")
            return run(sample, *given, **named)

        network.forward = forward
        outcome = opened.paint(asked(width=256, height=256, inputs=(Input(Role.INIT, image),) if stage == "encode" else ()))[0]
        network.forward = run
        used = opened.batch_engine.oom_fallback.used

        assert isinstance(outcome.end, Done)
        assert outcome.pictures[0].shape == (256, 256, 3)
        assert used[fallback] >= 1
        assert not vae.use_tiling


def test_the_words_fall_back_to_the_processor():
    """Out of memory in the text encoder frees what it can, then encodes the prompt on the CPU."""
    with room() as opened:
        opened.paint(asked(steps=1))
        encoder = opened.easel.loaded.components["text_encoder"]
        run, refused = encoder.forward, []

        def forward(*given, **named):
            if len(refused) < 2:
                refused.append(1)
                raise torch.OutOfMemoryError("injected")
            return run(*given, **named)

        encoder.forward = forward
        outcome = opened.paint(asked("a brown boat by the sea at night"))[0]
        used = opened.batch_engine.oom_fallback.used

    assert isinstance(outcome.end, Done)
    assert used["words"] == 1


def test_a_defect_in_one_request_leaves_the_others(batch_engine, monkeypatch):
    """An unexpected exception fails its own request, with an incident code, and no other."""
    made = Call.__post_init__

    def broken(call):
        made(call)
        if call.target.stage == "denoise" and float(call.arguments["sample"].shape[-1]) == 12:
            object.__setattr__(call, "arguments", {**call.arguments, "sample": "not a tensor"})

    monkeypatch.setattr(Call, "__post_init__", broken)
    bad, good = batch_engine.paint(asked(width=192), asked())

    assert isinstance(bad.end, Failed)
    assert bad.end.problem.key == "fault-unexpected"
    assert "incident" in bad.end.problem.facts
    assert isinstance(good.end, Done)


def test_a_broken_source_fails_before_it_costs_anything(batch_engine):
    """A source that is no image is refused with its reason, and no step is run."""
    (outcome,) = batch_engine.paint(asked(inputs=(Input(Role.INIT, b"GIF89a not a picture"),)))

    assert isinstance(outcome.end, Failed)
    assert outcome.end.problem.key.startswith("picture-")
    assert outcome.steps == []


def test_everything_finished_is_forgotten(batch_engine):
    """Nothing of an ended request is kept: no share, no loaded model in use, no running image."""
    batch_engine.paint(*MIXTURE)

    assert batch_engine.batch_engine.running == 0
    assert batch_engine.batch_engine._shares._work == {}
    assert all(not slot.users for slot in batch_engine.batch_engine.model_cache._slots.values())
    assert DEMO_INFO.name in batch_engine.batch_engine.model_cache.names()

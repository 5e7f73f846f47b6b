"""Which model is evicted when another is needed: the rule as properties, and the model cache with real models."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.contract.errors import BadModel
from inference.contract.request import Done, Failed
from inference.models.registry import ModelEntry, read_catalogue
from inference.worker.model_cache import Kept, make_room
from inference.worker.model_loader import load
from tests import tiny_models
from tests.room import WEIGHTS, asked, room

MODELS = st.lists(
    st.builds(
        Kept,
        name=st.text("abcdefgh", min_size=1, max_size=3),
        bytes=st.integers(1, 100),
        on_device=st.booleans(),
        busy=st.booleans(),
        used=st.integers(0, 50),
    ),
    max_size=8,
    unique_by=lambda one: one.name,
)  # fmt: skip


@given(MODELS, st.integers(1, 120), st.integers(1, 200), st.integers(0, 200))
def test_room_is_made_by_the_longest_unused_and_never_by_the_busy(kept, need, device, host):
    """Evicted models are idle and least recently used; afterwards the new model fits, or the device is empty."""
    moves = make_room(kept, need, device, host)
    there = {one.name: one for one in kept if one.on_device}
    if moves is None:
        assert sum(one.bytes for one in there.values() if one.busy) + need > device
        return
    left = [there[name] for name in (*moves.to_host, *moves.dropped) if name in there]
    stayed = [one for one in there.values() if one not in left]

    assert not any(one.busy for one in left)
    assert all(gone.used <= one.used for gone in left for one in stayed if not one.busy)
    assert not stayed or sum(one.bytes for one in stayed) + need <= device


@given(MODELS, st.integers(1, 120), st.integers(1, 200), st.integers(0, 200))
def test_memory_keeps_what_it_has_room_for(kept, need, device, host):
    """Models kept in host memory stay within its budget, and only models that do not fit are dropped."""
    moves = make_room(kept, need, device, host)
    if moves is None:
        return
    waiting = [one for one in kept if (not one.on_device or one.name in moves.to_host) and one.name not in moves.dropped]

    assert sum(one.bytes for one in waiting) <= host


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Return the demo model, and a tiny Stable Diffusion 1."""
    folder = tmp_path_factory.mktemp("models")
    tiny_models.write_folder(tiny_models.make("sd1"), folder / "tiny")
    return read_catalogue([ModelEntry(name="tiny", source=str(folder / "tiny"))], None, WEIGHTS)


def request_to(model_info, **changes):
    """Return a short request at a model's own size."""
    size = {"width": model_info.defaults.width, "height": model_info.defaults.height}
    return asked(model=model_info.name, steps=2, **size | changes)


def test_two_models_paint_side_by_side_where_both_fit(two_models):
    """If both models fit, both stay loaded and their requests run at the same time."""
    with room(two_models) as opened:
        outcomes = opened.paint(request_to(two_models["demo"]), request_to(two_models["tiny"]))

        assert all(isinstance(outcome.end, Done) for outcome in outcomes)
        assert set(opened.batch_engine.model_cache.names()) == {"demo", "tiny"}


def test_where_only_one_fits_they_take_turns(two_models):
    """If only one model fits, the other waits until it is idle and then replaces it; both requests finish."""
    with room(two_models, device_budget=1) as opened:
        outcomes = opened.paint(*[request_to(two_models[name], share=f"{name}{turn}") for turn in range(2) for name in ("demo", "tiny")])

        assert all(isinstance(outcome.end, Done) for outcome in outcomes)
        assert len(opened.batch_engine.model_cache.names()) == 1


def test_a_model_that_cannot_be_loaded_fails_its_requests_only(two_models):
    """A broken model fails its own requests with the reason, and the next request to another model finishes."""

    def loads(model_info, dtype: torch.dtype):
        if model_info.name == "tiny":
            raise BadModel("model-broken", path="tiny", reason="test")
        return load(model_info, dtype)

    with room(two_models, load=loads) as opened:
        bad, good = opened.paint(request_to(two_models["tiny"]), request_to(two_models["demo"]))

    assert isinstance(bad.end, Failed)
    assert bad.end.problem.key == "model-broken"
    assert isinstance(good.end, Done)

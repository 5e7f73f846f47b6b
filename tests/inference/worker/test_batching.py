"""Calls of different requests in one pass: which calls may be joined, how results are split, and how a bucket is filled."""

from collections.abc import Mapping

import pytest
import torch
from greenlet import getcurrent
from hypothesis import given
from hypothesis import strategies as st

from inference.worker.batching import Call, Target, run_together


def recorder(seen):
    """Return a target that answers with twice its samples plus the time, and records the number of rows."""

    def run(arguments: Mapping[str, torch.Tensor]):
        seen.append(arguments["sample"].shape[0])
        return (arguments["sample"] * 2 + arguments["timestep"].view(-1, 1, 1, 1),)

    return Target("m", "denoise", torch.nn.Identity(), run, torch.float32, torch.device("cpu"))


def call(target, rows, time, **more):
    """Return a call of some rows of ones."""
    arguments = {"sample": torch.ones(rows, 4, 2, 2), "timestep": torch.tensor(time), **more}
    return Call(getcurrent(), target, rows, arguments)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 999)), min_size=1, max_size=8), st.sampled_from([0, 32, 40]))
def test_everybody_gets_their_own_rows_back(parts, bucket):
    """However calls are joined and padded, each call gets the result of its own rows at its own time."""
    seen = []
    target = recorder(seen)
    calls = [call(target, rows, time) for rows, time in parts]
    answers = run_together(calls, bucket)

    assert seen == [max(bucket, sum(rows for rows, _ in parts))]
    for (rows, time), (answer,) in zip(parts, answers, strict=True):
        assert answer.shape[0] == rows
        assert bool((answer == 2 + time).all())


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        ({}, {}, True),
        ({"encoder_hidden_states": torch.ones(2, 77, 8)}, {"encoder_hidden_states": torch.ones(2, 77, 8)}, True),
        ({"encoder_hidden_states": torch.ones(2, 77, 8)}, {"encoder_hidden_states": torch.ones(2, 154, 8)}, False),
        ({"added_cond_kwargs": {"time_ids": torch.ones(2, 6)}}, {"added_cond_kwargs": {"time_ids": torch.zeros(2, 6)}}, True),
        ({"added_cond_kwargs": {"time_ids": torch.ones(2, 6)}}, {}, False),
        ({"scale": 0.5}, {"scale": 0.8}, False),
        ({"table": torch.ones(3)}, {"table": torch.ones(3)}, False),
    ],
)
def test_only_what_fits_one_pass_is_joined(one, other, joined):
    """Shapes, names and plain values must agree; a tensor without a row for each sample is never shared."""
    target = recorder([])

    assert (call(target, 2, 1, **one).key == call(target, 2, 1, **other).key) == joined


def test_the_same_network_of_another_model_is_another_pass():
    """Calls of two models are never joined, whatever their shapes."""
    first, second = recorder([]), recorder([])
    object.__setattr__(second, "model", "n")

    assert call(first, 2, 1).key != call(second, 2, 1).key

"""Batch sizes are learned from simulated times; no clock is involved."""

from hypothesis import given
from hypothesis import strategies as st

from inference.worker.batch_size import BatchSize


def learned(seconds_for, most=32, passes=60):
    """Return the batch size that is reached if a pass of n rows takes `seconds_for(n)` and demand is unlimited."""
    batch_size = BatchSize(most)
    for _ in range(passes):
        rows = batch_size.rows("key")
        batch_size.measured("key", rows, seconds_for(rows))
    return batch_size.rows("key")


def test_batches_grow_while_rows_are_free():
    """If a pass takes the same time whatever its size, the largest batch is used."""
    assert learned(lambda _rows: 0.01) == 32


def test_batches_stay_small_where_rows_cost_their_full_price():
    """If time grows with the rows, batches stay small, so that no step is slowed down without a gain."""
    assert learned(lambda rows: 0.01 * rows) == 2


def test_batches_stop_growing_where_the_device_is_full():
    """If rows are free up to eight and cost their full price beyond, the batch size becomes eight."""
    assert learned(lambda rows: 0.01 * max(8, rows)) == 8


def test_what_did_not_fit_is_not_tried_again():
    """After running out of memory at sixteen rows, at most eight run together."""
    batch_size = BatchSize(32)
    batch_size.too_large("key", 16)

    assert all(batch_size.rows("key") <= 8 for _ in range(10))


@given(st.integers(1, 64), st.lists(st.tuples(st.integers(1, 64), st.floats(1e-4, 10)), max_size=50))
def test_the_answer_is_always_within_bounds(most, history):
    """Whatever was measured, the size lies between one row and the allowed maximum."""
    batch_size = BatchSize(most)
    for rows, seconds in history:
        batch_size.measured("key", rows, seconds)

        assert 1 <= batch_size.rows("key") <= most

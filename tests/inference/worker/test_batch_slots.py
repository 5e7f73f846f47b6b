"""Batch slots: positions of calls in a pass, so that an image can be reproduced to the last bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.worker.batch_slots import Asked, BatchSlot, read, seated, written

SEATS = st.builds(BatchSlot, st.integers(1, 32), st.integers(0, 31))


@given(st.lists(SEATS, max_size=40))
def test_seats_are_read_as_they_were_written(seats):
    """The written slots of an image are read back unchanged."""
    assert read(written(seats)) == tuple(seats)


@pytest.mark.parametrize("text", ["", "8.4", "8.4x1 ", "8.4x-1", "8.4x9999", "eight", "1.0x600 1.0x600"])
def test_what_is_no_seat_is_none(text):
    """Text in any other form gives no slots, and never an endless number."""
    assert read(text) == ()


@pytest.mark.parametrize(
    ("asked", "room", "rows", "firsts"),
    [
        ([Asked(2), Asked(2), Asked(2)], 4, 0, {0: 0, 1: 2}),
        ([Asked(2), Asked(4), Asked(2)], 4, 0, {0: 0}),
        ([Asked(8)], 4, 0, {0: 0}),
        ([Asked(2), Asked(2, BatchSlot(8, 4)), Asked(2, bucket=8), Asked(2)], 4, 0, {0: 0, 3: 2}),
        ([Asked(2, bucket=8), Asked(2, bucket=8), Asked(2, bucket=4)], 2, 8, {0: 0, 1: 2}),
        ([Asked(2, BatchSlot(8, 4))], 2, 8, {0: 4}),
        (
            [Asked(2, BatchSlot(8, 4)), Asked(2), Asked(2, BatchSlot(8, 0)), Asked(2, BatchSlot(8, 5)), Asked(2, BatchSlot(6, 0))],
            2,
            8,
            {0: 4, 1: 2, 2: 0},
        ),
        ([Asked(2, BatchSlot(7, 2)), Asked(2), Asked(2), Asked(1), Asked(2)], 2, 7, {0: 2, 1: 0, 2: 4, 3: 6}),
    ],
)
def test_who_sits_where(asked, room, rows, firsts):
    """A call with a fixed slot gets that slot, others fill the rest, and calls without requirements are placed in a row."""
    assert seated(asked, room) == (rows, firsts)


ASKED = st.builds(Asked, st.integers(1, 4), st.none() | st.builds(BatchSlot, st.just(8), st.integers(0, 4)), st.sampled_from([0, 0, 8]))


@given(st.lists(ASKED, min_size=1, max_size=12), st.integers(1, 16))
def test_nobody_sits_on_another(asked, room):
    """The first call is always placed, a call with a fixed slot gets no other slot, and no two calls share a row."""
    rows, firsts = seated(asked, room)
    held = [at + row for number, at in firsts.items() for row in range(asked[number].rows)]

    assert 0 in firsts
    assert len(held) == len(set(held))
    assert all(asked[number].seat in (None, BatchSlot(rows, at)) for number, at in firsts.items())
    assert not rows or max(held) < rows

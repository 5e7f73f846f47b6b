"""Batch slots: the position of a call's rows in a forward pass, and the pass's number of rows. Repeated pictures need the same slots.

Networks give a row the same answer, regardless of its neighbours, if it has the same position among the same number of rows.
With another number or position a processor sums in another order, and the last bits differ. Imports no torch.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

#: More passes than any picture takes; a longer text is not read back.
_MOST = 1000

_RUN = re.compile(r"(\d{1,4})\.(\d{1,4})x(\d{1,4})")


class BatchSlot(NamedTuple):
    """The number of rows of a pass, and the first row of a call in it."""

    rows: int
    first: int


class Asked(NamedTuple):
    """What a call needs of a pass: its rows; the slot it must have, if any; the number of rows the pass must have, 0 for any number."""

    rows: int
    seat: BatchSlot | None = None
    bucket: int = 0


def written(seats: Iterable[BatchSlot]) -> str:
    """Return slots in order as text, such as `8.4x12 2.0x3`: twelve passes at row 4 of 8, then three at row 0 of 2."""
    return " ".join(f"{seat.rows}.{seat.first}x{len(list(run))}" for seat, run in groupby(seats))


def read(text: str) -> tuple[BatchSlot, ...]:
    """Return the slots of a text from `written`; empty for any other text."""
    runs = [_RUN.fullmatch(one) for one in text.split(" ")]
    if not all(runs) or sum(int(run[3]) for run in runs if run) > _MOST:
        return ()
    return tuple(BatchSlot(int(run[1]), int(run[2])) for run in runs if run for _ in range(int(run[3])))


def seated(asked: Sequence[Asked], room: int) -> tuple[int, Mapping[int, int]]:
    """Return the number of rows of a pass and the first row of each call in it, by the call's index; the first call is always in it.

    If the first call needs a certain number of rows, calls that need the same number take their required slots, and calls without a
    required slot fill the rest. Otherwise the calls that need no slot and no number are placed one after the other, up to `room` rows,
    and the returned number is 0, which means as many rows as the calls have.
    """
    first = asked[0]
    rows = first.seat.rows if first.seat else first.bucket
    if not rows:
        return 0, _in_a_row(asked, room)
    taken = {0: first.seat.first if first.seat else 0}
    for number, one in enumerate(asked[1:], 1):
        if one.seat and one.seat.rows == rows and _is_free(asked, taken, one.seat.first, one.rows):
            taken[number] = one.seat.first
    for number, one in enumerate(asked[1:], 1):
        if one.seat is None and one.bucket in (0, rows):
            positions = (at for at in range(rows - one.rows + 1) if _is_free(asked, taken, at, one.rows))
            if (at := next(positions, None)) is not None:
                taken[number] = at
    return rows, taken


def _in_a_row(asked: Sequence[Asked], room: int) -> dict[int, int]:
    taken: dict[int, int] = {}
    rows = 0
    for number, one in enumerate(asked):
        if one.seat or one.bucket:
            continue
        if taken and rows + one.rows > room:
            break
        taken[number] = rows
        rows += one.rows
    return taken


def _is_free(asked: Sequence[Asked], taken: Mapping[int, int], at: int, rows: int) -> bool:
    return all(at + rows <= first or first + asked[number].rows <= at for number, first in taken.items())

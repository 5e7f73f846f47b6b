"""Where a call's rows are in a forward pass, and how many rows that has: what a picture must have again to be the same to the last bit.

Networks give a row the same answer whoever its neighbours are as long as it has the same place among the same number of rows.
With another number, or at another place, a processor adds up in another order, and the last bits differ. Free of torch.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

#: More passes than any picture takes: what was kept is read back no further.
_MOST = 1000

_RUN = re.compile(r"(\d{1,4})\.(\d{1,4})x(\d{1,4})")


class BatchSlot(NamedTuple):
    """How many rows a pass has, and which of them is a call's first."""

    rows: int
    first: int


class Asked(NamedTuple):
    """What a call needs of a pass: its rows; the seat it must have, if any; the number of rows the pass must have, 0 where any will do."""

    rows: int
    seat: BatchSlot | None = None
    bucket: int = 0


def written(seats: Iterable[BatchSlot]) -> str:
    """Return seats one after the other as text, such as `8.4x12 2.0x3`: twelve times from row 4 of 8, then alone."""
    return " ".join(f"{seat.rows}.{seat.first}x{len(list(run))}" for seat, run in groupby(seats))


def read(text: str) -> tuple[BatchSlot, ...]:
    """Return the seats of a text; none where it is not one that `written` returned."""
    runs = [_RUN.fullmatch(one) for one in text.split(" ")]
    if not all(runs) or sum(int(run[3]) for run in runs if run) > _MOST:
        return ()
    return tuple(BatchSlot(int(run[1]), int(run[2])) for run in runs if run for _ in range(int(run[3])))


def seated(asked: Sequence[Asked], room: int) -> tuple[int, Mapping[int, int]]:
    """Return the rows of a pass and the first row of each call that is in it, by its number; the first call always is.

    Where that needs a certain number of rows, those that need the same sit where they must, and whoever may sit anywhere fills
    what is left. Otherwise all that need nothing sit in a row, up to `room`, and the rows are said to be 0: as many as there are.
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

"""Whose job is next: start-time fair queueing over persons, patient for a moment with the models that are loaded.

Pure: no clock, no SQL, nothing is kept here. A person's tag is the device seconds that were charged to them, divided by their
weight, on a virtual clock that nobody who is away falls behind (Goyal, Vin, Cheng 1996, "Start-time Fair Queueing"). The smallest tag
goes first, so two persons who both wait are served alike, whatever their jobs cost, however fast the devices are and however many
there are: over any time in which f and g both have something waiting, with c the dearest job of each and w their weights,

    |W_f / w_f - W_g / w_g| <= c_f / w_f + c_g / w_g + 2 WINDOW

where W is what was charged. It is charged as estimated when a job begins, and put right when it ends. Where D jobs are in work at a
time, all but one may still be put right afterwards, which adds (D - 1) times the largest corrections of f and g, up and down, over
their weights; c is then a job's estimate or its measure, whichever is more.

To load a model costs seconds that nobody is charged for, so a job whose model is loaded may go before its turn, within three bounds:
a person is at most `WINDOW` ahead of whoever is first, of their own line only the next `REACH` jobs are looked at, and no job is
overtaken more than `REACH` times, by jobs of its own person or of others. The last one is what ends every wait: without it a stream
of newcomers, who all enter at the clock, could hold up a rare model for as long as they keep coming.
"""

from collections.abc import Collection, Sequence

import msgspec

#: How far before the first a person may be served, in device seconds of weight 1. About twice the time that it takes to load a
#: model is the knee: more hardly saves a change of models, and lets those wait longer who ask for little.
WINDOW = 12.0

#: How many jobs of a person's own line are looked at, and how often a job may be overtaken.
REACH = 8

#: How many persons are worth looking at. Few stand within `WINDOW` of the first, and the first is always among them.
HEADS = 16


class Waiting(msgspec.Struct, frozen=True):
    """A job in its person's own line: `cost` in estimated device seconds, `passed` how often it was overtaken."""

    id: str
    model: str
    cost: float
    passed: int = 0


class Head(msgspec.Struct, frozen=True):
    """A person with something waiting: the first `REACH` jobs of their own line, in their order."""

    user: str
    tag: float
    line: tuple[Waiting, ...]


class Choice(msgspec.Struct, frozen=True):
    """The job that is next. `clock` is the virtual time from now on; each of `overtaken` (ids) has been passed once more."""

    user: str
    job: Waiting
    clock: float
    overtaken: tuple[str, ...] = ()


def entered(tag: float, clock: float) -> float:
    """Return the tag of a person who had nothing waiting and now has: time that was not asked for is not saved up.

    So the clock has to be kept as tags are: on one that began anew, newcomers would go before everybody for as long as it lags.
    """
    return max(clock, tag)


def served(tag: float, cost: float, weight: float) -> float:
    """Return a person's tag after a job of theirs was begun, `cost` in estimated device seconds."""
    return tag + cost / weight


def corrected(tag: float, estimated: float, measured: float, weight: float) -> float:
    """Return a person's tag once it is known what a job did cost, in device seconds; of a cancelled one, what it has used."""
    return tag + (measured - estimated) / weight


def choose(heads: Sequence[Head], loaded: Collection[str], clock: float, window: float = WINDOW, reach: int = REACH) -> Choice | None:
    """Return the next job for a device that has `loaded` these models, or nothing where nobody has a job in line.

    `heads` are the persons with the smallest tags, smallest first. Those whose line is empty are passed over.
    """
    waiting = [head for head in heads if head.line]
    if not waiting:
        return None
    first = waiting[0]
    now = max(clock, first.tag)
    if first.line[0].passed < reach:
        for head in waiting:
            if head.tag > first.tag + window:
                break
            if (position := _ready(head.line, loaded, reach)) is not None:
                before = head.line[:position] if head is first else (first.line[0], *head.line[:position])
                return Choice(head.user, head.line[position], now, tuple(job.id for job in before))
    return Choice(first.user, first.line[0], now)


def _ready(line: Sequence[Waiting], loaded: Collection[str], reach: int) -> int | None:
    """Return the place of the first job of a line whose model is loaded, of those that may go now."""
    for position, job in enumerate(line[:reach]):
        if job.model in loaded:
            return position
        if job.passed >= reach:
            return None
    return None


class Forecast(msgspec.Struct, frozen=True):
    """What stands before a waiting job: `ahead` jobs, and the `seconds` until it is painted; None where nobody can say."""

    ahead: int
    seconds: float | None

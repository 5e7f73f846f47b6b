"""Schedule jobs: what a job costs, whose job is next, and when a queued job will start. Pure: no clock, no SQL.

A job costs credits, which users see, and device seconds, which the fair queue counts. Device seconds are estimated from what this
process has measured; the store keeps the measurements as rows.

The queue is start-time fair queueing over users (Goyal, Vin, Cheng 1996, "Start-time Fair Queueing"). The virtual finish time of a
user is the device seconds charged to them, divided by their weight, on a virtual clock: a user who comes back never starts behind it.
The smallest virtual time goes first, so two users with queued jobs get the same device time, whatever their jobs cost, however fast
the devices are and however many there are. Over any time in which users f and g both have queued jobs, with c the most expensive
job of each and w their weights,

    |W_f / w_f - W_g / w_g| <= c_f / w_f + c_g / w_g + 2 WINDOW

where W is what was charged. A job is charged its estimate when it begins, and corrected when it ends. If D jobs run at the same
time, all but one may still be corrected afterwards. That adds (D - 1) times the largest corrections of f and g, up and down, over
their weights; c is then the larger of a job's estimate and its measurement.

Loading a model costs seconds that nobody is charged for, so a job whose model is loaded may go before its turn, within three bounds:
a user is at most `WINDOW` ahead of the first user, only the next `REACH` jobs of a user are considered, and no job is overtaken
more than `REACH` times, by jobs of its own user or of others. The last bound ends every wait: without it a stream of newcomers, who
all start at the clock, could hold up a rare model for as long as they keep coming.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction

import msgspec

from inference.contract.inputs import Role
from inference.contract.modes import mode_of
from inference.contract.request import PictureRequest

#: How far ahead of the first user another user may be served, in device seconds of weight 1. A good value is about twice the time that
#: it takes to load a model: a larger one hardly saves any more loads, and users with small requests wait longer.
WINDOW = 12.0

#: How many jobs of a user are considered, and how often a job may be overtaken.
REACH = 8

#: How many users are considered. Few are within `WINDOW` of the first, and the first is always among them.
HEADS = 16


class Waiting(msgspec.Struct, frozen=True):
    """A queued job: `cost` in estimated device seconds, `passed` how often it was overtaken."""

    id: str
    model: str
    cost: float
    passed: int = 0


class Head(msgspec.Struct, frozen=True):
    """A user with queued jobs: their virtual time `tag`, and the first `REACH` of their jobs, in order."""

    user: str
    tag: float
    line: tuple[Waiting, ...]


class Choice(msgspec.Struct, frozen=True):
    """The next job. `clock` is the virtual time from now on; each job in `overtaken` (ids) has been overtaken once more."""

    user: str
    job: Waiting
    clock: float
    overtaken: tuple[str, ...] = ()


def entered(tag: float, clock: float, smallest: float = math.inf) -> float:
    """Return the virtual time of a user who had no queued jobs and now has some: idle time is not saved up.

    `smallest` is the smallest virtual time of the users who have both queued and running jobs. It lies behind the clock if running jobs
    turned out cheaper than estimated; a newcomer who started at the clock would then wait until those users have caught up with it.
    The clock has to be stored as virtual times are: with a clock that starts anew, newcomers would go before everybody else.
    """
    return max(tag, min(clock, smallest))


def served(tag: float, cost: float, weight: float) -> float:
    """Return a user's virtual time after one of their jobs has begun; `cost` in estimated device seconds."""
    return tag + cost / weight


def corrected(tag: float, estimated: float, measured: float, weight: float) -> float:
    """Return a user's virtual time after a job has ended; `measured` are the device seconds that it used, also if it was cancelled."""
    return tag + (measured - estimated) / weight


def choose(heads: Sequence[Head], loaded: Collection[str], clock: float, window: float = WINDOW, reach: int = REACH) -> Choice | None:
    """Return the next job for a device that has `loaded` these models, or None if no job is queued.

    `heads` are the users with the smallest virtual times, smallest first. Users without queued jobs are ignored.
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
    """Return the position of the first job whose model is loaded and that may begin now, or None."""
    for position, job in enumerate(line[:reach]):
        if job.model in loaded:
            return position
        if job.passed >= reach:
            return None
    return None


class Forecast(msgspec.Struct, frozen=True):
    """The forecast for a queued job: `ahead` jobs go first, and it is painted in `seconds` (None if that cannot be estimated)."""

    ahead: int
    seconds: float | None


#: The work that one credit pays for: this many steps of a picture of this many pixels, by a model of factor 1.
CREDIT_STEPS, CREDIT_PIXELS = 30, 512 * 512

#: Device seconds for the work of one credit, if nothing was measured yet.
PRIOR_SECONDS = 1.0

#: The exponent with which the seconds of a step grow with its pixels. Attention grows with their square and everything else linearly, in
#: a proportion that depends on the family: from 512 to 1024, SD 1.5 takes 5.8 times as long (an exponent of 1.27), SDXL 4.3 times (1.05)
#: and Flux 3.5 times (0.90). This value lies between the first two (4.9 times): it is off by less than a fifth for them and by two
#: fifths for Flux. It is used only until a size has been measured.
POWER = 1.15

#: The batch sizes for which timings are kept: in a full batch a step costs each picture less.
BATCHES = (1, 2, 4, 8, 16)

#: The weight of the newest measurement once there are several: after about a dozen the estimate has adapted to another device.
NEWEST = 0.2

#: A measurement is limited to this factor above or below the estimate: a machine that was suspended says nothing about a model.
MOST_OFF = 4.0


class Timing(msgspec.Struct, frozen=True):
    """The learned device `seconds` for one step of one picture, from `count` measurements of jobs."""

    model: str
    width: int
    height: int
    batch: int
    seconds: float
    count: int

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Return the model, size and batch size that it belongs to."""
        return self.model, self.width, self.height, self.batch

    def learned(self, seconds: float) -> "Timing":
        """Return the timing after one more measurement of seconds per step.

        The logarithms are averaged, because an estimate is wrong by a factor and not by seconds. The first few measurements have the
        same weight, so that an unusual first one soon matters little.
        """
        if not self.count:
            return msgspec.structs.replace(self, seconds=seconds, count=1)
        off = min(max(seconds / self.seconds, 1 / MOST_OFF), MOST_OFF)
        moved = self.seconds * off ** max(NEWEST, 1 / (self.count + 1))
        return msgspec.structs.replace(self, seconds=moved, count=self.count + 1)


class Costs:
    """Estimates the device seconds of jobs, learned for each model, size and batch size."""

    def __init__(self) -> None:
        self._timings: dict[str, dict[tuple[str, int, int, int], Timing]] = {}

    def known(self, rows: Iterable[Timing]) -> None:
        """Use timings that were learned and stored before."""
        for row in rows:
            if row.count > 0 and _is_time(row.seconds):
                self._timings.setdefault(row.model, {})[row.key] = row

    def estimate_of(self, request: PictureRequest, roles: Collection[Role], in_work: int) -> float:
        """Return the estimated device seconds of a request with inputs of these roles, while `in_work` other pictures are painted."""
        steps = picture_steps(request, roles)
        return self.estimate(request.model, request.width, request.height, steps, in_work + request.count)

    def estimate(self, model: str, width: int, height: int, picture_steps: int, batch: int = 1) -> float:
        """Return the estimated device seconds of this many steps of single pictures, more than 0.

        `batch` is how many pictures will be painted at the same time. Without a measurement the estimate is derived from the most
        similar one: of the same model, or else of any.
        """
        return max(1, picture_steps) * self._believed(model, width, height, _bucket(batch)).seconds

    def measured(self, model: str, width: int, height: int, batch: int, picture_steps: int, device_seconds: float) -> Timing:
        """Learn from a job and return the timing to store; nothing is learned from a job that was stopped before its first step."""
        before = self._timings.get(model, {}).get((model, width, height, _bucket(batch)))
        if before is None:
            before = self._believed(model, width, height, _bucket(batch))
        if picture_steps < 1 or not _is_time(device_seconds):
            return before
        after = before.learned(device_seconds / picture_steps)
        self._timings.setdefault(model, {})[after.key] = after
        return after

    def _believed(self, model: str, width: int, height: int, batch: int) -> Timing:
        """Return the timing of a key; if it was never measured, a derived one with count 0."""
        own = self._timings.get(model, {})
        if (exact := own.get((model, width, height, batch))) is not None:
            return exact
        known = own.values() or [one for timings in self._timings.values() for one in timings.values()]
        pixels = width * height
        near = min(known, key=lambda one: (_distance(one, pixels, batch), -one.count, one.key), default=None)
        if near is None:
            seconds = PRIOR_SECONDS / CREDIT_STEPS * (pixels / CREDIT_PIXELS) ** POWER
        else:
            seconds = near.seconds * (pixels / (near.width * near.height)) ** POWER
        return Timing(model, width, height, batch, seconds, 0)


def credits(images: int, steps: int, width: int, height: int, factor: float | Fraction) -> int:
    """Return the price of pictures in thousandths of a credit, rounded up; `factor` is the model's times the mode's."""
    # Exact: 1.1 means eleven tenths. With floats a rounding error could cost a thousandth too much.
    return math.ceil(1000 * images * steps * width * height * Fraction(str(factor)) / (CREDIT_STEPS * CREDIT_PIXELS))


def picture_steps(request: PictureRequest, roles: Collection[Role] | None = None) -> int:
    """Return the number of steps that an engine makes for all pictures of a request, as `Step.of` counts them.

    The mode says how many steps a picture takes. If the inputs are stored elsewhere, `roles` are their roles.
    """
    return request.count * mode_of(request, roles).steps(request)


def _bucket(batch: int) -> int:
    """Return the smallest batch size of `BATCHES` that is at least this large, or the largest."""
    return next((size for size in BATCHES if size >= batch), BATCHES[-1])


def _distance(known: Timing, pixels: int, batch: int) -> float:
    """Return how different a timing is: doubling the pixels changes the time about as much as doubling the batch."""
    return abs(math.log2(known.width * known.height / pixels)) + abs(math.log2(known.batch / batch))


def _is_time(seconds: float) -> bool:
    return seconds > 0 and math.isfinite(seconds)

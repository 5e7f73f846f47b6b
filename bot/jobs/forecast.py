"""When a job will be painted: whose jobs go before it, and how long all of that takes. Pure."""

import math
import sys
from collections.abc import Sequence

import msgspec

from bot.store.jobs.queue import UserBacklog


class Forecast(msgspec.Struct, frozen=True):
    """What stands before a waiting job: `ahead` jobs, and the `seconds` until it is painted; None where nobody can say."""

    ahead: int
    seconds: float | None


def busy_seconds(works: Sequence[tuple[float, float]], devices: int) -> float:
    """Return the device seconds that are left of what is in work: pairs of estimated device seconds and seconds since it began."""
    # They share the devices, so each has had its part of the time. What takes longer than thought is about to end.
    part = min(1.0, devices / max(1, len(works)))
    return sum(max(cost - elapsed * part, 0.1 * cost) for cost, elapsed in works)


def forecast(stands: Sequence[UserBacklog], user: str, before: tuple[int, float], cost: float, busy: float, devices: int) -> Forecast:
    """Return the forecast of a job that costs so many device seconds.

    `before` are its person's own jobs before it (how many, device seconds), `busy` the device seconds in work. Each other person
    goes before it with as many jobs as begin at a smaller virtual time (`bot.core.fair_queue`).
    """
    count, seconds = before
    # Who is not seen yet has just come: they enter at the clock, behind all who stand there already.
    newcomer = UserBacklog(user, min((one.tag for one in stands), default=0.0), sys.maxsize, 1.0, 1, cost)
    own = next((one for one in stands if one.user == user), newcomer)
    start = own.tag + seconds / own.weight
    for other in stands:
        if other.user != user and other.tag <= start:
            mean = max(other.cost / other.jobs, 1e-9)
            turns = (start - other.tag) * other.weight / mean
            # Where both would begin at the same virtual time, whoever came first does.
            is_first = turns == int(turns) and other.since < own.since
            sooner = min(other.jobs, math.ceil(turns) + is_first)
            count, seconds = count + sooner, seconds + sooner * mean
    # What goes before is shared by all devices; the job itself is painted by one.
    return Forecast(count, (busy + seconds) / devices + cost)

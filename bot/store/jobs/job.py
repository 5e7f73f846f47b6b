"""Jobs as values, and their conversion from rows."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, select, text

from bot.core import values
from bot.core.values import First, InputFile, JobProvenance, MessageRef
from bot.store.tables.core import OPEN as OPEN_SQL
from bot.store.tables.core import ChannelRow, JobRow
from inference.contract.errors import Problem
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest, Prompt

WAITING, PAUSED, RUNNING, DONE, FAILED, CANCELLED = "waiting", "paused", "running", "done", "failed", "cancelled"
OPEN = (WAITING, PAUSED, RUNNING)

#: How long a runner may be silent before its jobs go to another, and the interval of its heartbeats.
LEASE = timedelta(seconds=30)
BEAT_SECONDS = 5.0

#: A job with this many unfinished attempts is not retried. An attempt that crashed its process counts twice.
MOST_ATTEMPTS = 3

#: The condition for open jobs. Redundant beside a condition on the state, but it lets the database use the index.
IS_OPEN = text(f"job.{OPEN_SQL}")


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be accepted: user, reply address, typed text (`line`), parameters (`params`) and engine request (`request`).

    `inputs` are its input pictures; the request is stored without them. With a `key`, a second job of the same user and key returns the
    first. `credits` (thousandths) is its price, `cost` its estimated device seconds. `language` is the language of its
    messages, `first` the job that it repeats.
    """

    id: str
    user: str
    address: MessageRef
    line: str
    params: str
    request: PictureRequest
    inputs: tuple[InputFile, ...] = ()
    key: str | None = None
    credits: int = 0
    cost: float = 1.0
    language: str = ""
    first: First | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted request and its state.

    `attempt` numbers this attempt among all attempts, `tries` counts those that count against the job. `rank` is its position in its
    user's own queue, `language` the language of the request, `evidence` its provenance,
    and `weight` the weight of its user's tier (set when the job is claimed).
    """

    id: str
    user: str
    address: MessageRef
    line: str
    params: str
    request: PictureRequest
    inputs: tuple[InputFile, ...]
    state: str
    attempt: int
    problem: Problem | None
    device_seconds: float | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    tries: int = 0
    rank: int = 0
    cost: float = 1.0
    credits: int = 0
    language: str = ""
    evidence: JobProvenance = JobProvenance()
    weight: float = 1.0

    @property
    def is_unreadable(self) -> bool:
        """Return whether its request is stored in a format that this version cannot read."""
        return self.problem == UNREADABLE

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return the role of each of its input pictures."""
        return tuple(one.role for one in self.inputs)

    def files(self, role: Role) -> tuple[str, ...]:
        """Return the file keys of its input pictures of a role, in order."""
        return tuple(one.file for one in self.inputs if one.role is role)

    @property
    def is_open(self) -> bool:
        """Return whether it is queued or running."""
        return self.state in OPEN


class Painted(msgspec.Struct, frozen=True, kw_only=True):
    """A finished picture, its files already stored."""

    index: int
    seed: int
    width: int
    height: int
    bytes: int
    file: str
    thumbnail: str


#: The problem of a request that another version of Easel stored in another format.
UNREADABLE = Problem("job-unreadable")


def request_of(row: JobRow) -> PictureRequest | None:
    """Return the request of a job, without its input pictures, or None if this version cannot read it."""
    try:
        return msgspec.msgpack.decode(row.request, type=PictureRequest)
    except (msgspec.MsgspecError, ValueError):
        return None


def _problem_of(row: JobRow) -> Problem | None:
    try:
        return None if row.problem is None else msgspec.msgpack.decode(row.problem, type=Problem)
    except (msgspec.MsgspecError, ValueError):
        return UNREADABLE


def inputs_of(row: JobRow) -> tuple[InputFile, ...]:
    """Return the input pictures of a job by role, in order within each role."""
    found = [line.split(" ", 2) for line in (row.inputs or "").splitlines()]
    order = list(Role)
    ordered = sorted((order.index(Role(role)), int(position), file) for role, position, file in found)
    return tuple(InputFile(order[role], file) for role, _, file in ordered)


def jobs() -> Select[JobRow, ChannelRow]:
    """Return the query for jobs and their channels."""
    return select(JobRow, ChannelRow).join(ChannelRow, ChannelRow.id == JobRow.place_id)


def job_of(row: JobRow, channel: ChannelRow) -> Job:
    """Return a job from its row. An unreadable request is replaced by a stand-in: its user sees their words, and that it failed."""
    request = request_of(row)
    return Job(
        id=row.id,
        user=row.person_id,
        address=MessageRef(channel.platform, channel.key, row.message),
        line=row.line,
        params=row.params,
        request=request or _stand_in(row),
        inputs=inputs_of(row),
        state=row.state,
        attempt=row.attempt,
        problem=UNREADABLE if request is None else _problem_of(row),
        device_seconds=row.device_seconds,
        created=row.created,
        started=row.started,
        ended=row.ended,
        tries=row.tries,
        rank=row.rank,
        cost=row.cost,
        credits=row.credits,
        language=row.language,
        evidence=values.read_provenance(row.proof),
    )


def _stand_in(row: JobRow) -> PictureRequest:
    """Return an empty request with the words that its user typed."""
    words = Prompt.plain(row.line)
    return PictureRequest(prompt=words, model=row.model, width=1, height=1, steps=1, guidance=1.0, scheduler="", seed=0)

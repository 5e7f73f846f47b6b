"""Jobs as values, and from rows to them."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, select, text

from bot.core import provenance
from bot.core.provenance import First, JobProvenance
from bot.core.values import InputFile, MessageRef
from bot.store.tables.core import OPEN as OPEN_SQL
from bot.store.tables.core import ChannelRow, JobRow
from inference.contract.errors import Problem
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest, Prompt

WAITING, PAUSED, RUNNING, DONE, FAILED, CANCELLED = "waiting", "paused", "running", "done", "failed", "cancelled"
OPEN = (WAITING, PAUSED, RUNNING)

#: How long a runner may be silent before its jobs are given to another, and how often it is heard.
LEASE = timedelta(seconds=30)
BEAT_SECONDS = 5.0

#: A job that was tried so often and came to no end is not tried again. An attempt that ended its process counts twice.
MOST_ATTEMPTS = 3

#: Said of a job that is open. It narrows nothing where the state is asked for anyway, but lets the index be used.
IS_OPEN = text(f"job.{OPEN_SQL}")


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted: who asks, where the answer goes, what was typed (`line`), asked (`wish`) and will be painted (`request`).

    `inputs` are the pictures that it is given; the request itself is kept without them. With a `key`, a person's second job of the
    same key is the first one. `credits` (thousandths) is what it costs, `cost` the seconds of the device that it is thought to
    take. `language` is what its person is told of it in, `first` what it repeats.
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
    """An accepted request and what has become of it.

    `attempt` says which of all its attempts this one is, `tries` how many of them count against it. `rank` is its place in its
    person's own line, `language` what it was asked for in, `evidence` what painted it,
    `weight` the weight of its user's tier (set when the job is claimed).
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
        """Return whether its request is kept in a form that this version cannot read."""
        return self.problem == UNREADABLE

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return the role of each of its pictures."""
        return tuple(one.role for one in self.inputs)

    def files(self, role: Role) -> tuple[str, ...]:
        """Return the file keys of its pictures of a role, in order."""
        return tuple(one.file for one in self.inputs if one.role is role)

    @property
    def is_open(self) -> bool:
        """Return whether it still waits or runs."""
        return self.state in OPEN


class Painted(msgspec.Struct, frozen=True, kw_only=True):
    """A finished picture, its files already kept."""

    index: int
    seed: int
    width: int
    height: int
    bytes: int
    file: str
    thumbnail: str


#: Of a request that another version of Easel kept in another form.
UNREADABLE = Problem("job-unreadable")


def _request_of(row: JobRow) -> PictureRequest | None:
    try:
        return msgspec.msgpack.decode(row.request, type=PictureRequest)
    except (msgspec.MsgspecError, ValueError):
        return None


def _problem_of(row: JobRow) -> Problem | None:
    try:
        return None if row.problem is None else msgspec.msgpack.decode(row.problem, type=Problem)
    except (msgspec.MsgspecError, ValueError):
        return UNREADABLE


def _inputs_of(row: JobRow) -> tuple[InputFile, ...]:
    """Return the pictures of a job by role, and within a role in their order."""
    found = [line.split(" ", 2) for line in (row.inputs or "").splitlines()]
    order = list(Role)
    ordered = sorted((order.index(Role(role)), int(position), file) for role, position, file in found)
    return tuple(InputFile(order[role], file) for role, _, file in ordered)


def jobs() -> Select[JobRow, ChannelRow]:
    """Return the question for jobs and their places."""
    return select(JobRow, ChannelRow).join(ChannelRow, ChannelRow.id == JobRow.place_id)


def job_of(row: JobRow, channel: ChannelRow) -> Job:
    """Return a job from its row. A request that cannot be read is stood in for: its person sees their words, and that it failed."""
    request = _request_of(row)
    return Job(
        id=row.id,
        user=row.person_id,
        address=MessageRef(channel.platform, channel.key, row.message),
        line=row.line,
        params=row.params,
        request=request or _stand_in(row),
        inputs=_inputs_of(row),
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
        evidence=provenance.read(row.proof),
    )


def _stand_in(row: JobRow) -> PictureRequest:
    """Return a request for nothing, with the words that its person typed."""
    words = Prompt.plain(row.line)
    return PictureRequest(prompt=words, model=row.model, width=1, height=1, steps=1, guidance=1.0, scheduler="", seed=0)

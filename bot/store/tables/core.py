"""The tables, except those for sharing (`bot.store.tables.sharing`). `migrations/` creates them, and a test compares the two.

Ids are random texts, never sequential numbers. Times are UTC.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    ScalarSelect,
    String,
    UniqueConstraint,
    cast,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column

from bot.core.values import new_id
from bot.store.database import WHERE, now  # re-exported: importing the base must import its tables too
from bot.store.database import Base as Base
from bot.store.tables.search_index import created

#: The condition for open jobs, written exactly as in their index: only then does a database know that it may use the index.
OPEN = "state IN ('waiting', 'paused', 'running')"

#: The conditions for queued jobs, running jobs and pending deliveries, written as in their indexes too.
WAITING, RUNNING, UNTOLD = "state = 'waiting'", "state = 'running'", "state IN ('todo', 'sending')"

#: Ended jobs whose credits are still held: the runner that painted them when they were cancelled reports the usage.
UNSETTLED = "charged IS NULL AND ended IS NOT NULL"


def _some(name: str, *columns: str, where: str) -> Index:
    """Return a partial index over the rows that are queried, which are few at a time."""
    # Set for PostgreSQL when a database is opened: naming it here would load its dialect, a twentieth of the start-up time.
    return Index(name, *columns, sqlite_where=text(where), info={WHERE: where})


#: Global roles of a user, beside the moderators of a channel on its platform.
MODERATOR, OPERATOR = "moderator", "operator"


class UserRow(Base):
    """A user, on any number of platforms.

    `tier` sets their credits and their weight in the fair queue, `role` their global rights (none, or those of a `moderator` or
    `operator`); `paused` holds their jobs back. `language` is the language they chose, `locale` the latest locale from
    their platform; each empty if unknown.
    """

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(default="")
    tier: Mapped[str] = mapped_column(default="")
    role: Mapped[str] = mapped_column(default="")
    paused: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str] = mapped_column(default="")
    locale: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class AccountRow(Base):
    """A user's account on a platform."""

    __tablename__ = "identity"

    platform: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    created: Mapped[datetime] = mapped_column(default=now)


class ChannelRow(Base):
    """A conversation, group or channel. `key` is the platform's id of it; `paused` holds all jobs in it back."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("platform", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    platform: Mapped[str]
    key: Mapped[str]
    paused: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=now)


class MembershipRow(Base):
    """A user's membership of a channel; `paused` holds their jobs back in this channel only.

    `used` (thousandths) is their usage there on a `day`, carried over from a user who was unlinked or deleted.
    """

    __tablename__ = "membership"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), primary_key=True, index=True)
    paused: Mapped[bool] = mapped_column(default=False)
    used: Mapped[int] = mapped_column(BigInteger, default=0)
    day: Mapped[str] = mapped_column(default="")


class CountedRow(Base):
    """Usage of a day that counts for several users: unlinked users, or deleted users who come back (`digest`).

    `amount` (thousandths) was used in a channel, or of the operator's allowance. A user with the same `use` twice is charged once.
    """

    __tablename__ = "counted"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    use: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str | None] = mapped_column(index=True)
    place_id: Mapped[str | None] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[str]


class TurnRow(Base):
    """A user's row in the fair queue: their virtual finish time (`bot.core.scheduling`), and whether they may have queued jobs.

    `since` (microseconds) breaks ties: all returning users enter at the current virtual time. `waiting` is reset by the claim
    that finds no jobs, so it may be true too long, but never false while a job is queued.
    """

    __tablename__ = "turn"
    __table_args__ = (_some("ix_turn_next", "tag", "since", where="waiting"),)

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[float] = mapped_column(default=0.0)
    since: Mapped[int] = mapped_column(BigInteger, default=0)
    waiting: Mapped[bool] = mapped_column(default=False)


class ClockRow(Base):
    """The virtual time of the fair queue: one row. Every claim locks it, so the order is exact with any number of processes."""

    __tablename__ = "clock"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    now: Mapped[float]


class JobInputRow(Base):
    """An input picture of a job: its `role`, its `position` within that role, and its key in the file store.

    `bytes` is its size if the job's user brought it, and 0 if it was there already or has been deleted.
    """

    __tablename__ = "job_input"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    file: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


def _inputs_of(job_id: Mapped[str]) -> ScalarSelect[str]:
    """Return the input pictures of a job in one value, `role position file` per line: jobs are read often and mostly have none."""
    row = JobInputRow.role + literal(" ") + cast(JobInputRow.position, String) + literal(" ") + JobInputRow.file
    lines = select(func.aggregate_strings(row, "\n")).where(JobInputRow.job_id == job_id)
    return lines.correlate_except(JobInputRow).scalar_subquery()


class JobRow(Base):
    """An accepted request. `params` holds the parameters, `request` the input of the engine (without the input pictures).

    `attempt` is the fencing token: a runner ends a job with the number of its attempt, and a later attempt invalidates it. It only
    grows; `tries` are the attempts that count against the job. `lease` is when the lease of its runner (`runner`) expires; a job with an
    expired lease is repeated. `rank` is its position in its user's own queue, `passed` how often a later job of theirs went
    first, `cost` its estimated device seconds. `credits` (thousandths) are held until `charged` records the captured
    amount; `day` is the operator's day to which they belong. `proof` is its provenance as JSON, once it is done. `language`
    is the language of its messages. `inputs` are its input pictures as one text, read along with the job (`JobInputRow`).
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("person_id", "key"),
        _some("ix_job_open", "person_id", "created", where=OPEN),
        _some("ix_job_line", "person_id", "rank", where=WAITING),
        _some("ix_job_lease", "lease", where=RUNNING),
        _some("ix_job_unsettled", "ended", where=UNSETTLED),
        Index("ix_job_place_id_created", "place_id", "created"),
        Index("ix_job_person_id_created", "person_id", "created"),
        Index("ix_job_person_id_place_id_day", "person_id", "place_id", "day"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"))
    message: Mapped[str] = mapped_column(default="")
    key: Mapped[str | None]
    line: Mapped[str]
    params: Mapped[str] = mapped_column("wish")
    request: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(default="waiting")
    model: Mapped[str]
    cost: Mapped[float]
    rank: Mapped[int] = mapped_column(BigInteger)
    passed: Mapped[int] = mapped_column(default=0)
    credits: Mapped[int] = mapped_column(BigInteger, default=0)
    charged: Mapped[int | None] = mapped_column(BigInteger)
    day: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    runner: Mapped[str | None]
    lease: Mapped[datetime | None]
    problem: Mapped[bytes | None] = mapped_column(LargeBinary)
    device_seconds: Mapped[float | None]
    proof: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    inputs: Mapped[str | None] = column_property(_inputs_of(id))


class PictureRow(Base):
    """A finished picture; `file` and `thumbnail` are keys of the file store, `terms` its search terms (`search_terms`)."""

    __tablename__ = "picture"
    __table_args__ = (UniqueConstraint("job_id", "index"), Index("ix_picture_person_id_created", "person_id", "created"))

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    index: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int]
    file: Mapped[str] = mapped_column(index=True)
    thumbnail: Mapped[str] = mapped_column(index=True)
    words: Mapped[str]
    terms: Mapped[str] = mapped_column(default="", server_default="")
    created: Mapped[datetime] = mapped_column(default=now)


class TokenRow(Base):
    """An access token: the digest of a secret that opens the web chat for a user."""

    __tablename__ = "api_token"

    digest: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class CreditAccountRow(Base):
    """The credits (thousandths) of a user or a channel: `left` of today's allowance, and granted credits (`extra`).

    `day` is the operator's day of `left`, `allowance` the amount at the start of that day. The ledger sums to `left + extra`.
    `left` is below 0 if an operator lowers the allowance below the usage.
    """

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), unique=True)
    place_id: Mapped[str | None] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), unique=True)
    day: Mapped[str] = mapped_column(default="")
    allowance: Mapped[int] = mapped_column(BigInteger, default=0)
    left: Mapped[int] = mapped_column(BigInteger, default=0)
    extra: Mapped[int] = mapped_column(BigInteger, default=0)


class LedgerRow(Base):
    """A change of an account, itself immutable: `amount` in spendable credits, `extra` of it in granted credits."""

    __tablename__ = "ledger"
    __table_args__ = (Index("ix_ledger_account_id_at", "account_id", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"), index=True)
    kind: Mapped[str]
    day: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    extra: Mapped[int] = mapped_column(BigInteger, default=0)
    at: Mapped[datetime] = mapped_column(default=now)


class DeliveryRow(Base):
    """A result for its platform: `todo`, `sending`, `sent`, `unknown` or `gave_up`. `due` is the time of the next attempt.

    While it is being sent, `due` is when the lease of its sender (`runner`) expires. `attempt` is the fencing token, as for jobs; `unsure`
    means that an earlier attempt may have arrived. `message` is the platform's id of it.
    """

    __tablename__ = "delivery"
    __table_args__ = (_some("ix_delivery_due", "platform", "due", where=UNTOLD),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), unique=True)
    platform: Mapped[str]
    state: Mapped[str] = mapped_column(default="todo")
    attempt: Mapped[int] = mapped_column(default=0)
    unsure: Mapped[bool] = mapped_column(default=False)
    runner: Mapped[str | None]
    due: Mapped[datetime] = mapped_column(default=now)
    message: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]


class InboxRow(Base):
    """An update of a platform, stored before it is acknowledged; `done` once it was handled.

    `runner` is the process that handles it, or is about to; null if it is free.
    """

    __tablename__ = "inbox"
    __table_args__ = (_some("ix_inbox_open", "platform", "created", where="done IS NULL"),)

    platform: Mapped[str] = mapped_column(primary_key=True)
    update: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime] = mapped_column(default=now)
    done: Mapped[datetime | None]
    runner: Mapped[str | None]


class LeaseRow(Base):
    """A lease on an activity of only one process at a time: its holder and its expiry."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]


class FileIdRow(Base):
    """A platform's file id of a picture that it received."""

    __tablename__ = "handle"

    platform: Mapped[str] = mapped_column(primary_key=True)
    picture_id: Mapped[str] = mapped_column(ForeignKey("picture.id", ondelete="CASCADE"), primary_key=True, index=True)
    handle: Mapped[str]


class SettingRow(Base):
    """Defaults of a user, or of all users in a channel, for options that a request leaves out: `given` is JSON, by parameter name."""

    __tablename__ = "setting"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), unique=True)
    place_id: Mapped[str | None] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), unique=True)
    given: Mapped[str]


class LinkCodeRow(Base):
    """A single-use code with an expiry: it links two accounts, or merges the boards of two groups. Only its digest is stored.

    `asker_id` is the user who entered it to be merged with `person_id`, who created it and must confirm.
    """

    __tablename__ = "link_code"

    digest: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    asker_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    board_id: Mapped[str | None] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), index=True)
    until: Mapped[datetime]


class FavouriteRow(Base):
    """A favourite: a user's mark on a picture, in a folder or in none."""

    __tablename__ = "favourite"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    picture_id: Mapped[str] = mapped_column(ForeignKey("picture.id", ondelete="CASCADE"), primary_key=True, index=True)
    folder: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class TimingRow(Base):
    """The learned duration of a step on the device: by model, shape and batch size."""

    __tablename__ = "timing"

    model: Mapped[str] = mapped_column(primary_key=True)
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    height: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    batch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seconds: Mapped[float]
    count: Mapped[int]


class AuditRow(Base):
    """An action of a moderator or operator on other users. `actor` stays after the user is deleted, as a meaningless id."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    actor: Mapped[str]
    act: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"), index=True)
    place_id: Mapped[str | None] = mapped_column(ForeignKey("place.id", ondelete="SET NULL"))
    facts: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(default=now)


class TombstoneRow(Base):
    """A deleted user: the digest of a platform account, so that the user can be deleted again from a restored backup."""

    __tablename__ = "tombstone"

    digest: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)


event.listen(Base.metadata, "after_create", created)

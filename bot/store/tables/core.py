"""The tables; those of what groups share stand in `bot.store.tables.sharing`. `migrations/` makes them, and a test compares the two.

Ids are random texts, never numbers that can be counted up. Times are UTC.
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
from bot.store.tables.columns import Base as Base  # whoever asks for the base wants its tables too
from bot.store.tables.columns import now
from bot.store.tables.search_index import created

#: The jobs that are not over yet, written as the index on them says it: that is how a database knows that it may use the index.
OPEN = "state IN ('waiting', 'paused', 'running')"

#: The jobs that wait for their turn, those that are being painted, and the results that are still to be told, likewise.
WAITING, RUNNING, UNTOLD = "state = 'waiting'", "state = 'running'", "state IN ('todo', 'sending')"

#: Jobs that are over and whose credits are still held: whoever painted them when they were cancelled says what was used.
UNSETTLED = "charged IS NULL AND ended IS NOT NULL"


#: Under which name an index keeps which rows it holds.
WHERE = "where"


def speak_postgresql() -> None:
    """Say for PostgreSQL too which rows the indexes hold."""
    for table in Base.metadata.tables.values():
        for index in table.indexes:
            if WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = text(index.info[WHERE])


def _some(name: str, *columns: str, where: str) -> Index:
    """Return an index that holds only the rows that are looked for, which are few at a time."""
    # Said for PostgreSQL when one is opened: naming it here would load its dialect, a twentieth of a start.
    return Index(name, *columns, sqlite_where=text(where), info={WHERE: where})


#: What a person may be for everybody, beside who looks after a place on its platform.
MODERATOR, OPERATOR = "moderator", "operator"


class UserRow(Base):
    """Somebody, on however many platforms.

    `tier` says how many credits and how large a turn they get, `role` what they may do to others' (nothing, or as a `moderator` or
    `operator` everywhere); `paused` holds their jobs back. `language` is what they chose to be spoken to in, `locale` what a
    platform said last that they speak; empty where nobody said so.
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
    """A person as one platform knows them."""

    __tablename__ = "identity"

    platform: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    created: Mapped[datetime] = mapped_column(default=now)


class ChannelRow(Base):
    """A conversation, group or channel. `key` is the platform's name for it; `paused` holds the jobs of everybody in it back."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("platform", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    platform: Mapped[str]
    key: Mapped[str]
    paused: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=now)


class MembershipRow(Base):
    """A person in a place; `paused` holds their jobs back there and nowhere else.

    `used` (thousandths) is what of a `day` they used there as somebody from whom they have parted since, or who was forgotten.
    """

    __tablename__ = "membership"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), primary_key=True, index=True)
    paused: Mapped[bool] = mapped_column(default=False)
    used: Mapped[int] = mapped_column(BigInteger, default=0)
    day: Mapped[str] = mapped_column(default="")


class CountedRow(Base):
    """Use of one day that counts for several: who were one person until then, or come back when they were forgotten (`digest`).

    `amount` (thousandths) was used in a place, or is of what the operator gives. The same `use` counts once for whoever has it twice.
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
    """Whose turn it is: a person's virtual finish time (`bot.core.fair_queue`), and whether they may have something waiting.

    `since` (microseconds) decides between equal tags: all who come back enter at the clock. `waiting` is put back by whoever looks
    and finds nothing, so it may be true too long, but never false while a job waits.
    """

    __tablename__ = "turn"
    __table_args__ = (_some("ix_turn_next", "tag", "since", where="waiting"),)

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[float] = mapped_column(default=0.0)
    since: Mapped[int] = mapped_column(BigInteger, default=0)
    waiting: Mapped[bool] = mapped_column(default=False)


class ClockRow(Base):
    """The virtual time of the turns: one row. Whoever takes a turn holds it, so the order is exact however many processes take turns."""

    __tablename__ = "clock"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    now: Mapped[float]


class JobInputRow(Base):
    """A picture that a job starts from: its `role`, its `position` among those of that role, and its key in the file store."""

    __tablename__ = "job_input"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    file: Mapped[str] = mapped_column(index=True)


def _inputs_of(job_id: Mapped[str]) -> ScalarSelect[str]:
    """Return the pictures of a job in one value, `role position file` a line: jobs are read often, and mostly have none."""
    row = JobInputRow.role + literal(" ") + cast(JobInputRow.position, String) + literal(" ") + JobInputRow.file
    lines = select(func.aggregate_strings(row, "\n")).where(JobInputRow.job_id == job_id)
    return lines.correlate_except(JobInputRow).scalar_subquery()


class JobRow(Base):
    """A request from the moment it was accepted. `wish` is what was asked, `request` what the engine is given (without the inputs).

    `attempt` is the fence: whoever finishes a job says which attempt it was, and a later attempt makes that void. It only grows;
    `tries` are the attempts that count against the job. `lease` is until when whoever paints it (`runner`) has it; a job whose
    lease ran out is painted again. `rank` is its place in its person's own line, `passed` how often a later one of them went
    first, `cost` the seconds of the device that it is thought to take. `credits` (thousandths) are held until `charged` says what of
    them was taken; `day` is the operator's day of which they are. `proof` is what painted it, as JSON, once it is done. `language`
    is what it is told of in. `inputs` are its pictures as one text, read along with the job (`JobInputRow`).
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
    """A finished picture; `file` and `thumbnail` are keys of the file store, `terms` is what a search compares (`search_terms`)."""

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
    """A way in: the digest of a secret that opens the web chat for a person."""

    __tablename__ = "api_token"

    digest: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class CreditAccountRow(Base):
    """The credits (thousandths) of a person or of a place: what is `left` of today's, and what was granted beside (`extra`).

    `day` is the operator's day that `left` belongs to, `allowance` what that day began with. The ledger sums to `left + extra`.
    `left` is below 0 where an operator allows less than was used by then.
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
    """One change of an account, never changed itself: `amount` of what can be spent, `extra` of that in granted credits."""

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
    """A result on its way to its platform: `todo`, `sending`, `sent`, `unknown` or `gave_up`. `due` is when it is tried next.

    While it is being sent `due` is until when whoever sends it (`runner`) has it. `attempt` is the fence, as for jobs; `unsure`
    says that an earlier attempt may have arrived. `message` is what the platform calls it.
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
    """Something that a platform brought, kept before the platform is told that it arrived; `done` once it was acted on.

    `runner` is the process that acts on it, or is about to; nobody where it is free.
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
    """What only one process does at a time, and who does it until when."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]


class FileIdRow(Base):
    """What a platform calls a picture that it was sent."""

    __tablename__ = "handle"

    platform: Mapped[str] = mapped_column(primary_key=True)
    picture_id: Mapped[str] = mapped_column(ForeignKey("picture.id", ondelete="CASCADE"), primary_key=True, index=True)
    handle: Mapped[str]


class SettingRow(Base):
    """What a person wants, or everybody in a place, where nothing else is said: `given` is JSON, by the names of parameters."""

    __tablename__ = "setting"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), unique=True)
    place_id: Mapped[str | None] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), unique=True)
    given: Mapped[str]


class LinkCodeRow(Base):
    """A code that joins, once and until then: two names of one person, or two groups on one board. Only its digest is kept.

    `asker_id` is who typed it and wants to be joined with `person_id`, who made it and has to agree.
    """

    __tablename__ = "link_code"

    digest: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    asker_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    board_id: Mapped[str | None] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), index=True)
    until: Mapped[datetime]


class FavouriteRow(Base):
    """A picture that somebody marked, in a folder or in none."""

    __tablename__ = "favourite"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    picture_id: Mapped[str] = mapped_column(ForeignKey("picture.id", ondelete="CASCADE"), primary_key=True, index=True)
    folder: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class TimingRow(Base):
    """How long a step of a picture takes the device, as learned: by model, shape, and how many were painted together."""

    __tablename__ = "timing"

    model: Mapped[str] = mapped_column(primary_key=True)
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    height: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    batch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seconds: Mapped[float]
    count: Mapped[int]


class AuditRow(Base):
    """What somebody with more rights than others did with them. `actor` stays when the person has gone, as an id that means nothing."""

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
    """Somebody who was forgotten: the digest of what one platform called them, so that a backup that knows them can be cleaned again."""

    __tablename__ = "tombstone"

    digest: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)


event.listen(Base.metadata, "after_create", created)

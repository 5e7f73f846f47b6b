"""The tables. `migrations/` makes them; a test compares the two.

Ids are random texts, never numbers that can be counted up. Times are UTC.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime, TypeDecorator

from bot.values import new_id


class Utc(TypeDecorator[datetime]):
    """A moment in UTC: SQLite keeps no time zones, so they are taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse moments without a zone: which one they mean cannot be known later."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Plain(TypeDecorator[str]):
    """Text as people send it, made storable: PostgreSQL takes no NUL, and neither database takes half a surrogate pair."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Leave out what no database can keep."""
        del dialect
        return value if value is None else value.replace("\0", "").encode(errors="replace").decode()


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


#: The jobs that are not over yet, written as the index on them says it: that is how a database knows that it may use the index.
OPEN = "state IN ('waiting', 'running')"


class Base(DeclarativeBase):
    """What all tables share: one map from Python types to columns, and names for constraints that migrations can drop."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: Utc(), str: Plain()}


class PersonRow(Base):
    """Somebody, on however many platforms."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class IdentityRow(Base):
    """A person as one platform knows them."""

    __tablename__ = "identity"

    platform: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    created: Mapped[datetime] = mapped_column(default=now)


class PlaceRow(Base):
    """A conversation, group or channel. `key` is the platform's name for it."""

    __tablename__ = "place"
    __table_args__ = (UniqueConstraint("platform", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    platform: Mapped[str]
    key: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class JobRow(Base):
    """A request from the moment it was accepted. `wish` is what was asked, `request` what the engine is given (without the source).

    `attempt` is the fence: whoever finishes a job says which attempt it was, and a later attempt makes that void. It only grows;
    `tries` are the attempts that count against the job. `lease` is until when whoever paints it (`runner`) has it; a job whose
    lease ran out is painted again.
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("person_id", "key"),
        # The next job: only a few rows are waiting or running at a time, so the index stays small.
        Index("ix_job_open", "person_id", "created", postgresql_where=text(OPEN), sqlite_where=text(OPEN)),
        Index("ix_job_place_id_created", "place_id", "created"),
        Index("ix_job_person_id_created", "person_id", "created"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"))
    message: Mapped[str] = mapped_column(default="")
    key: Mapped[str | None]
    line: Mapped[str]
    wish: Mapped[str]
    request: Mapped[bytes] = mapped_column(LargeBinary)
    source: Mapped[str | None] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="waiting")
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    runner: Mapped[str | None]
    lease: Mapped[datetime | None]
    problem: Mapped[bytes | None] = mapped_column(LargeBinary)
    device_seconds: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]


class PictureRow(Base):
    """A finished picture; `file` and `thumbnail` are keys of the file store, `words` what history searches."""

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
    created: Mapped[datetime] = mapped_column(default=now)


class TokenRow(Base):
    """A way in: the digest of a secret that opens the web chat for a person."""

    __tablename__ = "api_token"

    digest: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)

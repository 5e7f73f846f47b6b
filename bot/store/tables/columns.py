"""Column types for the tables: times in UTC, text that every database can store, and the base class of all tables."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import Dialect, MetaData, String
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import DateTime, TypeDecorator


class Utc(TypeDecorator[datetime]):
    """A time in UTC: SQLite stores no time zones, so they are removed on writing and restored on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Reject times without a zone: the intended zone cannot be determined later."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def storable(text: str) -> str:
    """Return a text without characters that no database can store."""
    return text.replace("\0", "").encode(errors="replace").decode()


class Plain(TypeDecorator[str]):
    """Text from users, made storable: PostgreSQL rejects NUL, and both databases reject unpaired surrogates."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Remove characters that no database can store."""
        del dialect
        return value if value is None else storable(value)


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def microseconds(moment: datetime) -> int:
    """Return a time in microseconds, which order events of the same second."""
    return int(moment.timestamp() * 1_000_000)


class Base(DeclarativeBase):
    """Base class of all tables: a map from Python types to columns, and names for constraints, so that migrations can drop them."""

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

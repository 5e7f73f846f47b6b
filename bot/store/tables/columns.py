"""What the columns of the tables are made of: moments in UTC, text that every database can keep, and the base of all tables."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import Dialect, MetaData, String
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import DateTime, TypeDecorator


class Utc(TypeDecorator[datetime]):
    """A moment in UTC: SQLite keeps no time zones, so they are taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse moments without a zone: which one they mean cannot be known later."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def storable(text: str) -> str:
    """Return a text as it is kept, without what no database can keep."""
    return text.replace("\0", "").encode(errors="replace").decode()


class Plain(TypeDecorator[str]):
    """Text as people send it, made storable: PostgreSQL takes no NUL, and neither database takes half a surrogate pair."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Leave out what no database can keep."""
        del dialect
        return value if value is None else storable(value)


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds, which order what came in the same second."""
    return int(moment.timestamp() * 1_000_000)


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

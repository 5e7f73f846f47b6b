"""The tables of what groups share: boards, presets, what is on a board, and what people say of it. `bot.store.tables.core` has them all."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.core.values import new_id
from bot.store.tables.columns import Base, now


class BoardRow(Base):
    """What a group shares, on however many platforms."""

    __tablename__ = "board"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    created: Mapped[datetime] = mapped_column(default=now)


class BoardChannelRow(Base):
    """A place, and the board that it looks at."""

    __tablename__ = "board_place"

    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), primary_key=True)
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), index=True)


class DigestRow(Base):
    """A place that wants to be told once a week what is new; `person_id` is whose conversation it is, nobody's for a group.

    What was told last came after `since` and until `told`; the next one is `due` then. `message` is where in the place it was asked for.
    """

    __tablename__ = "digest"

    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    message: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime]
    told: Mapped[datetime]
    due: Mapped[datetime]


class PresetRow(Base):
    """A preset: what it is now is its version `head`. `shelf` is whose list it stands in: a person's, a board's, or everybody's.

    `key` is the name as it is looked for; `forked_from` the preset that it was made from, `uses` how often it was painted with.
    `terms` is what it is found by (`bot.store.images.search_terms`).
    """

    __tablename__ = "preset"
    __table_args__ = (UniqueConstraint("shelf", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    board_id: Mapped[str | None] = mapped_column(ForeignKey("board.id", ondelete="SET NULL"), index=True)
    shelf: Mapped[str]
    key: Mapped[str]
    name: Mapped[str]
    head: Mapped[int] = mapped_column(default=1)
    forked_from: Mapped[str | None] = mapped_column(ForeignKey("preset.id", ondelete="SET NULL"), index=True)
    uses: Mapped[int] = mapped_column(default=0)
    tags: Mapped[str] = mapped_column(default="")
    picture_id: Mapped[str | None] = mapped_column(ForeignKey("picture.id", ondelete="SET NULL"), index=True)
    archived: Mapped[bool] = mapped_column(default=False)
    terms: Mapped[str] = mapped_column(default="", server_default="")
    created: Mapped[datetime] = mapped_column(default=now)


class PresetVersionRow(Base):
    """What a preset was from some moment on: `body` is JSON. Versions are never changed."""

    __tablename__ = "preset_version"

    preset_id: Mapped[str] = mapped_column(ForeignKey("preset.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class ShareRow(Base):
    """Something on a board: a picture with its prompt, or a prompt alone, or a preset. `wish` is what was asked for, as JSON."""

    __tablename__ = "share"
    __table_args__ = (Index("ix_share_board_id_created", "board_id", "created"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"))
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    picture_id: Mapped[str | None] = mapped_column(ForeignKey("picture.id", ondelete="CASCADE"), index=True)
    preset_id: Mapped[str | None] = mapped_column(ForeignKey("preset.id", ondelete="CASCADE"), index=True)
    words: Mapped[str]
    params: Mapped[str] = mapped_column("wish")
    pinned: Mapped[bool] = mapped_column(default=False)
    removed: Mapped[bool] = mapped_column(default=False)
    uses: Mapped[int] = mapped_column(default=0)
    votes: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)


class VoteRow(Base):
    """Somebody likes something on a board."""

    __tablename__ = "vote"

    share_id: Mapped[str] = mapped_column(ForeignKey("share.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True)
    created: Mapped[datetime] = mapped_column(default=now)


class ReportRow(Base):
    """Somebody thinks that something does not belong on a board."""

    __tablename__ = "report"

    share_id: Mapped[str] = mapped_column(ForeignKey("share.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)

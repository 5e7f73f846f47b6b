"""The tables for sharing: boards, presets, shares, votes and reports. `bot.store.tables.core` includes them all."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.core.values import new_id
from bot.store.database import Base, now


class BoardRow(Base):
    """A board, shared by channels on any number of platforms."""

    __tablename__ = "board"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    created: Mapped[datetime] = mapped_column(default=now)


class BoardChannelRow(Base):
    """A channel, and its board."""

    __tablename__ = "board_place"

    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), primary_key=True)
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), index=True)


class DigestRow(Base):
    """A channel with a weekly digest; `person_id` is the user of a private channel, null for a group.

    The latest digest covered shares after `since` and until `told`; the next is `due` then. `message` locates the request in the channel.
    """

    __tablename__ = "digest"

    place_id: Mapped[str] = mapped_column(ForeignKey("place.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    message: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime]
    told: Mapped[datetime]
    due: Mapped[datetime]


class PresetRow(Base):
    """A preset; its current version is `head`. `shelf` is the owner of its list: a user, a board, or the public.

    `key` is the normalised name, `forked_from` the preset it was copied from, `uses` the number of its uses.
    `terms` are its search terms (`bot.store.images.search_terms`).
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
    """A version of a preset: `body` is JSON. Versions are never changed."""

    __tablename__ = "preset_version"

    preset_id: Mapped[str] = mapped_column(ForeignKey("preset.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class ShareRow(Base):
    """A share on a board: a picture with its prompt, a prompt alone, or a preset. `params` holds the parameters, as JSON."""

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
    """A user's vote for a share."""

    __tablename__ = "vote"

    share_id: Mapped[str] = mapped_column(ForeignKey("share.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True)
    created: Mapped[datetime] = mapped_column(default=now)


class ReportRow(Base):
    """A user's report of a share."""

    __tablename__ = "report"

    share_id: Mapped[str] = mapped_column(ForeignKey("share.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)

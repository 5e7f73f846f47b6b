"""Audit log: actions of moderators and operators on users and channels. Entries are added and never changed."""

import json
from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.orm import aliased

from bot.core.values import new_id
from bot.store.database import Database, now
from bot.store.tables.core import AuditRow, ChannelRow, UserRow
from bot.store.users.users import User

Facts = Mapping[str, str | int | float]


class Act(msgspec.Struct, frozen=True):
    """An audited action: on a user, in a channel (both may be gone by now), and its details.

    `actor` is the id of a user, whose name is `name` while Easel knows them; `channel` is written `platform:channel`.
    """

    at: datetime
    actor: str
    name: str
    act: str
    user: str | None
    person_name: str
    channel: str
    facts: Facts


class Audit:
    """The audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, actor: User | str, act: str, *, user: str | None = None, channel: str | None = None, facts: Facts | None = None
    ) -> None:
        """Record an action, its target user and its channel (by their ids); `facts` must not identify a user, because they stay."""
        row = {"id": new_id(), "actor": actor.id if isinstance(actor, User) else actor, "act": act, "at": now()}
        told = json.dumps(dict(facts), ensure_ascii=False) if facts else ""
        async with self._database.write() as session:
            await session.execute(insert(AuditRow).values(**row, person_id=user, place_id=channel, facts=told))

    async def latest(self, most: int) -> tuple[Act, ...]:
        """Return the latest actions, newest first."""
        actor, touched = aliased(UserRow), aliased(UserRow)
        wanted = (
            select(AuditRow, actor.name, touched.name, ChannelRow)
            .outerjoin(actor, actor.id == AuditRow.actor)
            .outerjoin(touched, touched.id == AuditRow.person_id)
            .outerjoin(ChannelRow, ChannelRow.id == AuditRow.place_id)
            .order_by(AuditRow.at.desc(), AuditRow.id)
            .limit(most)
        )
        async with self._database.read() as session:
            rows = (await session.execute(wanted)).all()
        return tuple(
            Act(
                at=row.at,
                actor=row.actor,
                name=name or "",
                act=row.act,
                user=row.person_id,
                person_name=person_name or "",
                channel="" if channel is None else f"{channel.platform}:{channel.key}",
                facts=json.loads(row.facts) if row.facts else {},
            )
            for row, name, person_name, channel in rows
        )

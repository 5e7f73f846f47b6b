"""Outbox of results: a delivery is stored in the transaction that ends its job, and retried until the platform has it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Select, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.values import new_id
from bot.store.database import Database, add_if_new, now
from bot.store.tables.core import UNTOLD, DeliveryRow

TODO, SENDING, SENT, UNKNOWN, GAVE_UP = "todo", "sending", "sent", "unknown", "gave_up"

#: How long a platform may take for one result before the delivery counts as unanswered: uploads over slow links take time.
SENDING_LEASE = timedelta(seconds=120)

#: The condition for pending deliveries; it lets the database use the index.
IS_UNTOLD = text(f"delivery.{UNTOLD}")


class Delivery(msgspec.Struct, frozen=True):
    """A result to be sent. `id` is the same in every attempt; `unsure` means that an earlier attempt may have arrived."""

    id: str
    job: str
    platform: str
    state: str
    attempt: int
    unsure: bool
    message: str
    reason: str
    created: datetime


async def add(session: AsyncSession, database: Database, job_id: str, platform: str) -> None:
    """Add the delivery of a job's end, inside the transaction that ends it.

    A job that ends again is delivered again: under a new id, so that no platform takes it for a duplicate, but in the same message.
    """
    row = {"id": new_id(), "job_id": job_id, "platform": platform, "state": TODO, "attempt": 0, "unsure": False}
    row |= {"reason": "", "due": database.moment(), "created": now(), "ended": None}
    if not await add_if_new(session, DeliveryRow, row | {"message": ""}):
        await session.execute(update(DeliveryRow).where(DeliveryRow.job_id == job_id).values(row))
    await database.ring(session, f"out:{platform}")


class Outbox:
    """The deliveries. Every end is fenced by the number of its attempt; an outdated attempt changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, runner: str, platforms: Sequence[str], most: int = 8) -> tuple[Delivery, ...]:
        """Claim due deliveries, oldest first; those that an earlier runner left unfinished are `unsure`."""
        async with self._database.write() as session:
            ids = (await session.scalars(_due(self._database, platforms, most).with_for_update(skip_locked=True))).all()
            if not ids:
                return ()
            taken = {
                "unsure": DeliveryRow.unsure | (DeliveryRow.state == SENDING),
                "state": SENDING,
                "attempt": DeliveryRow.attempt + 1,
                "runner": runner,
                "due": self._database.moment(SENDING_LEASE),
            }
            await session.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids)).values(taken))
            rows = await session.scalars(select(DeliveryRow).where(DeliveryRow.id.in_(ids)).order_by(DeliveryRow.created))
            return tuple(_delivery(row) for row in rows)

    async def sent(self, delivery: Delivery, message: str = "") -> bool:
        """Mark a result as arrived, with the platform's message id; False if this attempt is outdated.

        Other processes are notified: open web pages there show it too.
        """
        return await self._end(delivery, {"state": SENT, "ended": now(), "message": message or delivery.message})

    async def unknown(self, delivery: Delivery, reason: str) -> bool:
        """Mark a result as possibly arrived, if a repeat could show it twice: its user decides."""
        return await self._end(delivery, {"state": UNKNOWN, "ended": now(), "reason": reason, "unsure": True})

    async def gave_up(self, delivery: Delivery, reason: str) -> bool:
        """Mark a result as undeliverable; its pictures stay in the history."""
        return await self._end(delivery, {"state": GAVE_UP, "ended": now(), "reason": reason})

    async def later(self, delivery: Delivery, seconds: float, reason: str, *, unsure: bool) -> bool:
        """Put a delivery back for a retry after a pause; `unsure` if this attempt may have arrived."""
        due = self._database.moment(timedelta(seconds=seconds))
        return await self._end(delivery, {"state": TODO, "due": due, "reason": reason, "unsure": DeliveryRow.unsure | unsure})

    async def release(self, runners: Sequence[str]) -> int:
        """Release the deliveries of dead runners; they may have arrived."""
        held = IS_UNTOLD, DeliveryRow.runner.in_(runners), DeliveryRow.state == SENDING
        async with self._database.write() as session:
            freed = await session.scalars(update(DeliveryRow).where(*held).values(due=self._database.moment()).returning(DeliveryRow.id))
            return len(freed.all())

    async def again(self, job_id: str) -> bool:
        """Send a result again because its user says that it did not arrive; False if it is in transit or has arrived."""
        lost = DeliveryRow.job_id == job_id, DeliveryRow.state.in_((UNKNOWN, GAVE_UP))
        # It is treated as new: a resend requested after days gets another day of retries.
        anew = {"state": TODO, "due": self._database.moment(), "created": now(), "ended": None, "unsure": False}
        async with self._database.write() as session:
            changed = (await session.execute(update(DeliveryRow).where(*lost).values(anew).returning(DeliveryRow.platform))).first()
            if changed is not None:
                await self._database.ring(session, f"out:{changed[0]}")
        return changed is not None

    async def arrived(self, job_id: str) -> None:
        """Mark a job's result as arrived because its user fetched it themselves."""
        still = DeliveryRow.job_id == job_id, DeliveryRow.state.in_((TODO, SENDING, GAVE_UP))
        async with self._database.write() as session:
            await session.execute(update(DeliveryRow).where(*still).values(state=SENT, ended=now()))

    async def of_job(self, job_id: str) -> Delivery | None:
        """Return the delivery of a job's end, or None while the job is open."""
        async with self._database.read() as session:
            row = await session.scalar(select(DeliveryRow).where(DeliveryRow.job_id == job_id))
        return None if row is None else _delivery(row)

    async def runners(self) -> tuple[str, ...]:
        """Return the runners that are sending something now."""
        async with self._database.read() as session:
            held = await session.scalars(select(DeliveryRow.runner).where(IS_UNTOLD, DeliveryRow.state == SENDING).distinct())
            return tuple(runner for runner in held if runner is not None)

    async def counts(self) -> dict[str, int]:
        """Return the number of deliveries in each state."""
        counted = select(DeliveryRow.state, func.count()).group_by(DeliveryRow.state)
        async with self._database.read() as session:
            return {state: number for state, number in await session.execute(counted)}

    async def _end(self, delivery: Delivery, values: dict[str, object]) -> bool:
        fence: tuple[ColumnElement[bool], ...] = (DeliveryRow.attempt == delivery.attempt, DeliveryRow.state == SENDING)
        async with self._database.write() as session:
            changed = update(DeliveryRow).where(DeliveryRow.id == delivery.id, *fence).values(values).returning(DeliveryRow.runner)
            found = (await session.execute(changed)).first()
            if found is not None and values["state"] == SENT:
                await self._database.ring(session, f"show:{delivery.job}:{found[0]}")
        return found is not None


def _due(database: Database, platforms: Sequence[str], most: int) -> Select[str]:
    due = select(DeliveryRow.id).where(IS_UNTOLD, DeliveryRow.platform.in_(platforms), DeliveryRow.due <= database.moment())
    return due.order_by(DeliveryRow.due).limit(most)


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(row.id, row.job_id, row.platform, row.state, row.attempt, row.unsure, row.message, row.reason, row.created)

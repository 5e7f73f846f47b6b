"""Merge two users: everything of one user becomes the other's, row by row, and nothing is counted twice.

Call it inside a writing transaction that locks the virtual time and both users.
"""

import json

from sqlalchemy import ColumnElement, and_, delete, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from bot.core.limits import Policy
from bot.presets.template import folded
from bot.store.billing import usage
from bot.store.jobs import fair_queue
from bot.store.jobs.job import IS_OPEN, PAUSED
from bot.store.sharing import board, digests, preset_names
from bot.store.tables.core import (
    AccountRow,
    AuditRow,
    ChannelRow,
    FavouriteRow,
    JobRow,
    MembershipRow,
    PictureRow,
    SettingRow,
    TokenRow,
    TurnRow,
    UserRow,
)
from bot.store.tables.sharing import DigestRow, PresetRow, ReportRow, ShareRow, VoteRow
from bot.store.users.users import place_id

#: Tables whose rows only change their owner.
MOVED = (AccountRow, PictureRow, TokenRow, PresetRow, ShareRow, AuditRow, DigestRow)

#: Tables with at most one row per user and key, with those keys: if both users have a row, the remaining user's is kept.
PAIRED: tuple[tuple[type[MembershipRow | VoteRow | ReportRow | FavouriteRow], InstrumentedAttribute[str]], ...] = (
    (MembershipRow, MembershipRow.place_id),
    (VoteRow, VoteRow.share_id),
    (ReportRow, ReportRow.share_id),
    (FavouriteRow, FavouriteRow.picture_id),
)

#: Tables with their own rules here, or whose rows are deleted with the merged user.
RULED = ("job", "turn", "account", "setting", "link_code", "counted")


async def merge(session: AsyncSession, policy: Policy, kept: str, gone: str) -> None:
    """Give everything of one user to another, who keeps their own name, role, tier and settings; the first user is deleted.

    A pause of either user, in general or in a channel, applies to the merged user.
    """
    await _hold(session, kept, gone)
    await _jobs(session, kept, gone)
    await _conversations(session, kept, gone)
    await _presets(session, kept, gone)
    for row in MOVED:
        await session.execute(update(row).where(row.person_id == gone).values(person_id=kept))
    await session.execute(update(AuditRow).where(AuditRow.actor == gone).values(actor=kept))
    await usage.merge_carryover(session, policy, kept, gone)
    await _pairs(session, kept, gone)
    await _settings(session, kept, gone)
    await _turns(session, kept, gone)
    await _person(session, kept, gone)
    await session.execute(delete(UserRow).where(UserRow.id == gone))


async def _hold(session: AsyncSession, kept: str, gone: str) -> None:
    """Lock the affected jobs, then the users, so that nothing is added for them: changes in progress are seen below."""
    changing = or_(JobRow.person_id == gone, and_(JobRow.person_id == kept, IS_OPEN))
    await session.execute(select(JobRow.id).where(changing).order_by(JobRow.id).with_for_update())
    await session.execute(select(UserRow.id).where(UserRow.id.in_((kept, gone))).order_by(UserRow.id).with_for_update())


async def _jobs(session: AsyncSession, kept: str, gone: str) -> None:
    """Merge two queues, in the order of the requests. A key that both used means two different requests."""
    taken = select(JobRow.key).where(JobRow.person_id == kept, JobRow.key.is_not(None))
    renamed = update(JobRow).where(JobRow.person_id == gone, JobRow.key.in_(taken)).values(key=literal(f"{gone} ") + JobRow.key)
    await session.execute(renamed.execution_options(synchronize_session=False))
    await session.execute(update(JobRow).where(JobRow.person_id == gone).values(person_id=kept))
    line = select(JobRow.id, JobRow.rank).where(JobRow.person_id == kept, IS_OPEN).order_by(JobRow.rank, JobRow.id)
    last = -1
    for job_id, rank in (await session.execute(line)).all():
        last = max(rank, last + 1)
        if last != rank:
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(rank=last))


async def _conversations(session: AsyncSession, kept: str, gone: str) -> None:
    """Merge the private channels if a platform names them as Easel names the user: jobs and their messages are in them."""
    named = and_(AccountRow.platform == ChannelRow.platform, AccountRow.id == ChannelRow.key)
    own = select(ChannelRow.id, ChannelRow.platform).join(AccountRow, named).where(AccountRow.person_id == gone, AccountRow.id == gone)
    for channel, platform in (await session.execute(own)).all():
        here = await place_id(session, platform, kept)
        await session.execute(update(JobRow).where(JobRow.place_id == channel).values(place_id=here))
        await digests.move(session, channel, here)


async def _presets(session: AsyncSession, kept: str, gone: str) -> None:
    """Give the presets of both to the remaining user; a preset whose name is taken gets a number, in every list."""
    theirs = select(PresetRow).where(PresetRow.person_id == gone).order_by(PresetRow.created, PresetRow.id)
    boards = (await session.scalars(select(PresetRow.board_id).where(PresetRow.person_id == gone, PresetRow.board_id.is_not(None)))).all()
    await board.hold(session, *filter(None, boards))
    taken = set(await session.scalars(select(PresetRow.key).where(PresetRow.person_id == kept)))
    settled = await session.scalar(select(SettingRow).where(SettingRow.person_id == gone))
    for row in (await session.scalars(theirs.with_for_update())).all():
        shelf = kept if row.shelf == gone else row.shelf
        there = set(await session.scalars(select(PresetRow.key).where(PresetRow.shelf == shelf, PresetRow.id != row.id)))
        was = row.key
        await preset_names.rename(session, row, preset_names.free_name(row.name, taken | there))
        taken.add(row.key)
        row.shelf = shelf
        if settled is not None:
            settled.given = _settled(settled.given, row, was)
    await session.flush()


def _settled(given: str, row: PresetRow, was: str) -> str:
    """Return settings in which a renamed preset is still the preset that was chosen."""
    wanted = json.loads(given)
    name, _, id = str(wanted.get("preset", "")).partition("#")
    if id == row.id or (not id and folded(name) == was):
        wanted["preset"] = f"{row.name}#{row.id}"
    return json.dumps(wanted)


async def _pairs(session: AsyncSession, kept: str, gone: str) -> None:
    liked = (await session.scalars(select(VoteRow.share_id).where(VoteRow.person_id == gone))).all()
    barred = select(MembershipRow.place_id).where(MembershipRow.person_id == gone, MembershipRow.paused)
    both = update(MembershipRow).where(MembershipRow.person_id == kept, MembershipRow.place_id.in_(barred)).values(paused=True)
    await session.execute(both.execution_options(synchronize_session=False))
    for row, other in PAIRED:
        own = aliased(row)
        theirs = select(getattr(own, other.key)).where(own.person_id == kept)
        double = delete(row).where(row.person_id == gone, other.in_(theirs))
        await session.execute(double.execution_options(synchronize_session=False))
        await session.execute(update(row).where(row.person_id == gone).values(person_id=kept))
    await board.count(session, liked)


async def _settings(session: AsyncSession, kept: str, gone: str) -> None:
    of = {row.person_id: row for row in await session.scalars(select(SettingRow).where(SettingRow.person_id.in_((kept, gone))))}
    if gone in of and kept in of:
        of[kept].given = json.dumps({**json.loads(of[gone].given), **json.loads(of[kept].given)})
        await session.delete(of[gone])
    elif gone in of:
        of[gone].person_id = kept
    await session.flush()


async def _turns(session: AsyncSession, kept: str, gone: str) -> None:
    """Merge the queue rows of both: the sum of their leads over the virtual time is the service of the merged user."""
    clock, whose = await fair_queue.held_clock(session), TurnRow.person_id.in_((kept, gone))
    rows = await session.execute(select(TurnRow).where(whose).order_by(TurnRow.person_id).with_for_update(key_share=True))
    of = {row.person_id: row for row in rows.scalars()}
    if len(of) == 2:
        one, other = of[kept], of[gone]
        ahead = min(max(0.0, row.tag - clock) for row in (one, other))
        one.tag, one.since, one.waiting = max(one.tag, other.tag) + ahead, max(one.since, other.since), one.waiting or other.waiting
        await session.delete(other)
    elif gone in of:
        of[gone].person_id = kept
    await session.flush()


async def _person(session: AsyncSession, kept: str, gone: str) -> None:
    """Apply both users' pauses and hold queued jobs accordingly; fill in missing data from the other user."""
    one, other = await session.get_one(UserRow, kept), await session.get_one(UserRow, gone)
    one.paused = one.paused or other.paused
    for name in ("name", "language", "locale"):
        setattr(one, name, getattr(one, name) or getattr(other, name))
    await session.flush()
    held: tuple[ColumnElement[bool], ...] = (JobRow.person_id == kept, fair_queue.IS_HELD_BACK)
    paused = update(JobRow).where(*held, fair_queue.IN_LINE).values(state=PAUSED).returning(JobRow.id)
    if (await session.execute(paused.execution_options(synchronize_session=False))).first() is not None:
        await fair_queue.rest(session, [kept])

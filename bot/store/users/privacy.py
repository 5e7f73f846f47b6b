"""Export and delete all data of a user. Every table has a rule here; a test finds a table without a rule."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.limits import Policy
from bot.core.values import UserRef
from bot.store.billing import ledger, usage
from bot.store.database import Base, Database, add_if_new, now
from bot.store.images.blobs import BlobStore
from bot.store.images.images import Images
from bot.store.jobs import fair_queue
from bot.store.jobs.job import IS_OPEN
from bot.store.jobs.jobs import Jobs
from bot.store.sharing import board
from bot.store.tables.core import (
    AccountRow,
    AuditRow,
    ChannelRow,
    CountedRow,
    CreditAccountRow,
    DeliveryRow,
    FavouriteRow,
    FileIdRow,
    InboxRow,
    JobInputRow,
    JobRow,
    LedgerRow,
    LinkCodeRow,
    MembershipRow,
    PictureRow,
    SettingRow,
    TokenRow,
    TombstoneRow,
    TurnRow,
    UserRow,
)
from bot.store.tables.sharing import BoardChannelRow, DigestRow, PresetRow, PresetVersionRow, ReportRow, ShareRow, VoteRow
from bot.store.users import privacy_sqlite
from bot.store.users.users import User, digest_of, is_theirs

#: Jobs that are deleted in one transaction: other writers do not wait long.
_BATCH = 200

#: The folder with copies of the tombstones in the file store: an older backup of the database lacks them.
TOMBSTONES = "forgotten"


class Rule(NamedTuple):
    """Which rows of a table belong to a user, and what happens to them when the user is deleted.

    `goes`: the rows are deleted. `emptied`: they stay, but no longer identify the user. `stays`: they identify no user.
    `hidden` columns are not exported: secrets, and names of the operator's computers.
    """

    fate: Literal["goes", "emptied", "stays"]
    why: str
    theirs: Callable[[str], ColumnElement[bool]] | None = None
    hidden: frozenset[str] = frozenset()


def _jobs_of(user: str) -> Any:
    return select(JobRow.id).where(JobRow.person_id == user)


def _accounts_of(user: str) -> Any:
    return select(CreditAccountRow.id).where(CreditAccountRow.person_id == user)


def _is_their_own(user: str) -> ColumnElement[bool]:
    return is_theirs(user, ChannelRow.platform, ChannelRow.key)


def _place_of(user: str) -> ColumnElement[bool]:
    return or_(ChannelRow.id.in_(select(JobRow.place_id).where(JobRow.person_id == user)), _is_their_own(user))


RULES: Mapping[str, Rule] = {
    "person": Rule("goes", "the user", lambda user: UserRow.id == user),
    "identity": Rule("goes", "with the user", lambda user: AccountRow.person_id == user),
    "place": Rule(
        "goes",
        "if no other user has jobs, shares or settings there; other chats are groups and don't name their members",
        _place_of,
    ),
    "membership": Rule("goes", "with the user", lambda user: MembershipRow.person_id == user),
    "counted": Rule(
        "goes",
        "with the user; today's credit use stays until the day is over, under digests of the platform ids",
        lambda user: CountedRow.person_id == user,
        frozenset({"digest"}),
    ),
    "turn": Rule("goes", "with the user", lambda user: TurnRow.person_id == user),
    "clock": Rule("stays", "one number for all users"),
    "job": Rule("goes", "with the user", lambda user: JobRow.person_id == user, frozenset({"runner", "lease", "message"})),
    "job_input": Rule(
        "goes",
        "with its job, together with files that no other user needs",
        lambda user: JobInputRow.job_id.in_(_jobs_of(user)),
    ),
    "picture": Rule(
        "goes",
        "with the user, together with files that no other user needs",
        lambda user: PictureRow.person_id == user,
        frozenset({"terms"}),
    ),
    "api_token": Rule("goes", "with the user", lambda user: TokenRow.person_id == user, frozenset({"digest"})),
    "account": Rule("goes", "with the user", lambda user: CreditAccountRow.person_id == user),
    "ledger": Rule(
        "emptied",
        "the user's own entries go; in a group's ledger the entry stays, without its job",
        lambda user: or_(LedgerRow.account_id.in_(_accounts_of(user)), LedgerRow.job_id.in_(_jobs_of(user))),
    ),
    "delivery": Rule("goes", "with its job", lambda user: DeliveryRow.job_id.in_(_jobs_of(user)), frozenset({"runner"})),
    "inbox": Rule(
        "emptied",
        "an update's text is deleted once it is handled; one that still waits and names the user is emptied unread",
        hidden=frozenset({"runner"}),
    ),
    "lease": Rule("stays", "which process holds which lease"),
    "handle": Rule(
        "goes",
        "with its picture",
        lambda user: FileIdRow.picture_id.in_(select(PictureRow.id).where(PictureRow.person_id == user)),
        frozenset({"handle"}),
    ),
    "setting": Rule("goes", "with the user; a chat's settings go with the chat", lambda user: SettingRow.person_id == user),
    "board": Rule("stays", "names no users"),
    "board_place": Rule("stays", "which group uses which board"),
    "digest": Rule(
        "goes",
        "with the user whose private chat it is; a group's digest goes with the group",
        lambda user: DigestRow.person_id == user,
        frozenset({"message"}),
    ),
    "preset": Rule("goes", "with its maker, wherever it is shared", lambda user: PresetRow.person_id == user, frozenset({"terms"})),
    "preset_version": Rule(
        "goes",
        "with its preset",
        lambda user: PresetVersionRow.preset_id.in_(select(PresetRow.id).where(PresetRow.person_id == user)),
    ),
    "share": Rule("goes", "with the user who shared it", lambda user: ShareRow.person_id == user),
    "vote": Rule("goes", "with the user, and out of the vote count", lambda user: VoteRow.person_id == user),
    "report": Rule("goes", "with the user", lambda user: ReportRow.person_id == user),
    "link_code": Rule(
        "goes",
        "with the user who made it or who entered it",
        lambda user: or_(LinkCodeRow.person_id == user, LinkCodeRow.asker_id == user),
        frozenset({"digest"}),
    ),
    "favourite": Rule("goes", "with the user", lambda user: FavouriteRow.person_id == user),
    "timing": Rule("stays", "how long a model's steps take"),
    "audit": Rule(
        "emptied",
        "the action stays, without the user's id",
        lambda user: or_(AuditRow.person_id == user, AuditRow.actor == user),
    ),
    "tombstone": Rule("stays", "a digest, so that a restored backup can be cleaned"),
}

#: Readers for columns that are not plain values.
_READ: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("job", "request"): msgspec.msgpack.decode,
    ("job", "problem"): msgspec.msgpack.decode,
    ("job", "wish"): json.loads,
    ("job", "proof"): json.loads,
    ("audit", "facts"): json.loads,
    ("setting", "given"): json.loads,
    ("preset_version", "body"): json.loads,
    ("share", "wish"): json.loads,
}


class Forgotten(msgspec.Struct, frozen=True):
    """The result of a deletion: how many requests, pictures and files were deleted."""

    jobs: int
    pictures: int
    files: int


class Privacy:
    """Privacy requests of users: export and deletion of all their data."""

    def __init__(self, database: Database, files: BlobStore, policy: Policy) -> None:
        self._database = database
        self._files = files
        self._policy = policy
        self._jobs = Jobs(database, policy)
        self._pictures = Images(database)

    async def rows(self, user: str) -> dict[str, list[dict[str, Any]]]:
        """Return all rows of a user, by table, in readable form."""
        async with self._database.read() as session:
            inbox_updates = await _letters(session, user)
            tables = {name: await _rows(session, name, user) for name in RULES}
        return tables | {"inbox": [_readable("inbox", row) | {"body": row["body"].decode(errors="replace")} for row in inbox_updates]}

    async def counts(self, user: str) -> tuple[int, int]:
        """Return the numbers of a user's requests and pictures."""
        async with self._database.read() as session:
            jobs = await session.scalar(select(func.count()).select_from(JobRow).where(JobRow.person_id == user)) or 0
            pictures = await session.scalar(select(func.count()).select_from(PictureRow).where(PictureRow.person_id == user)) or 0
        return jobs, pictures

    async def files(self, user: str) -> tuple[str, ...]:
        """Return the keys of all files that a user's pictures and requests refer to."""
        async with self._database.read() as session:
            return await _files_of(session, JobRow.person_id == user, PictureRow.person_id == user)

    async def forget(self, user: str) -> Forgotten:
        """Delete a user: cancel their open jobs, then delete all their data, and the files that no other user needs.

        Call it again to complete an interrupted deletion.
        """
        await self._mark(user)
        _, pictures = await self.counts(user)
        async with self._database.read() as session:
            open_jobs = (await session.scalars(select(JobRow.id).where(IS_OPEN, JobRow.person_id == user))).all()
            channels = (await session.scalars(select(ChannelRow.id).where(_place_of(user)))).all()
            own = (await session.scalars(select(ChannelRow.id).where(_is_their_own(user)))).all()
        for job_id in open_jobs:
            await self._jobs.cancel(job_id)
        await self._leave(user)
        jobs, files = 0, set[str]()
        while batch := await self._forget_jobs(user, files):
            jobs += batch
        await self._forget_person(user, sorted(channels), own, files)
        await privacy_sqlite.clean(self._database)
        gone = await self._pictures.unneeded(files)
        for file in gone:
            await self._files.delete(file)
        return Forgotten(jobs, pictures, len(gone))

    async def returned(self) -> tuple[User, ...]:
        """Return deleted users who are back because a backup was restored. A user who came back by themselves is a new user."""
        tombstones = {digest: datetime.fromisoformat(at) for digest, at in (await self._files.notes(TOMBSTONES)).items() if at}
        for digest, at in tombstones.items():
            await self._bury(digest, at)
        # The age of the account itself: it may be linked to a user whom Easel has known for longer.
        known = select(AccountRow.platform, AccountRow.id, AccountRow.created, UserRow.id, UserRow.name).join(
            UserRow, UserRow.id == AccountRow.person_id
        )
        async with self._database.read() as session:
            for row in await session.scalars(select(TombstoneRow)):
                tombstones[row.digest] = max(row.at, tombstones.get(row.digest, row.at))
            found = {
                user: User(user, name)
                for platform, id, created, user, name in await session.execute(known)
                if created < tombstones.get(digest_of(UserRef(platform, id)), created)
            }
        return tuple(found.values())

    async def _mark(self, user: str) -> None:
        """Set the tombstones first: they allow an interrupted deletion to be completed."""
        moment = now()
        async with self._database.read() as session:
            known = (await session.execute(_identities(user))).all()
        for platform, id in known:
            await self._files.note(TOMBSTONES, digest_of(UserRef(platform, id)), moment.isoformat())
            await self._bury(digest_of(UserRef(platform, id)), moment)

    async def _bury(self, digest: str, at: datetime) -> None:
        async with self._database.write() as session:
            if not await add_if_new(session, TombstoneRow, {"digest": digest, "at": at}):
                await session.execute(update(TombstoneRow).where(TombstoneRow.digest == digest, TombstoneRow.at < at).values(at=at))

    async def _leave(self, user: str) -> None:
        """Carry over their usage of today: a deleted user who comes back has no new allowance."""
        async with self._database.write() as session:
            await session.execute(select(UserRow.id).where(UserRow.id == user).with_for_update(key_share=True))
            known = (await session.execute(_identities(user))).all()
            await usage.leave(session, self._policy, user, [digest_of(UserRef(platform, id)) for platform, id in known])

    async def sweep(self) -> None:
        """Delete all data of deleted users from past days, except their tombstones."""
        async with self._database.write() as session:
            await usage.sweep(session, self._policy)

    async def _forget_jobs(self, user: str, files: set[str]) -> int:
        """Delete some of a user's jobs and return how many; their files are added to `files`."""
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            some = select(JobRow.id, JobRow.charged).where(JobRow.person_id == user).order_by(JobRow.id).limit(_BATCH)
            rows = (await session.execute(some.with_for_update())).all()
            ids = [job_id for job_id, _ in rows]
            for job_id in (job_id for job_id, charged in rows if charged is None):
                # Its runner will find nothing to capture, and a group that lent its credits gets them back.
                await ledger.settle(session, job_id, 0)
            files.update(await _files_of(session, JobRow.id.in_(ids), PictureRow.job_id.in_(ids)))
            await session.execute(delete(JobRow).where(JobRow.id.in_(ids)))
        return len(ids)

    async def _forget_person(self, user: str, channels: Sequence[str], own: Sequence[str], files: set[str]) -> None:
        """Delete a user, with any data added in the meantime."""
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            await session.execute(select(ChannelRow.id).where(ChannelRow.id.in_(channels)).order_by(ChannelRow.id).with_for_update())
            await session.execute(select(UserRow.id).where(UserRow.id == user).with_for_update())
            files.update(await _files_of(session, JobRow.person_id == user, PictureRow.person_id == user))
            for row in await _letters(session, user):
                inbox_update = InboxRow.platform == row["platform"], InboxRow.update == row["update"]
                await session.execute(update(InboxRow).where(*inbox_update).values(body=b"", done=now()))
            liked = (await session.scalars(select(VoteRow.share_id).where(VoteRow.person_id == user))).all()
            await session.execute(delete(UserRow).where(UserRow.id == user))
            await board.count(session, liked)
            # A group with shares, settings or a pause keeps them, even without any remaining jobs.
            used, settled = _has(JobRow, MembershipRow), _has(BoardChannelRow, SettingRow, CreditAccountRow, DigestRow)
            lonely = ChannelRow.id.in_(channels), ~used, or_(~ChannelRow.paused & ~settled, ChannelRow.id.in_(own))
            await session.execute(delete(ChannelRow).where(*lonely).execution_options(synchronize_session=False))


def _has(*tables: Any) -> ColumnElement[bool]:
    """Return the condition that a channel has rows in any of some tables."""
    return or_(*(select(table.place_id).where(table.place_id == ChannelRow.id).exists() for table in tables))


def _identities(user: str) -> Any:
    return select(AccountRow.platform, AccountRow.id).where(AccountRow.person_id == user)


async def _files_of(session: AsyncSession, jobs: ColumnElement[bool], pictures: ColumnElement[bool]) -> tuple[str, ...]:
    found = {file for row in await session.execute(select(PictureRow.file, PictureRow.thumbnail).where(pictures)) for file in row}
    inputs = select(JobInputRow.file).join(JobRow).where(jobs).distinct()
    return tuple(sorted(found | set(await session.scalars(inputs))))


async def _letters(session: AsyncSession, user: str) -> list[dict[str, Any]]:
    """Return unhandled updates that mention a user by their platform id, as a whole word."""
    ids: dict[str, list[str]] = {}
    for platform, id in await session.execute(_identities(user)):
        ids.setdefault(platform, []).append(re.escape(id))
    table, found = Base.metadata.tables["inbox"], []
    chosen = [column for column in table.columns if column.name not in RULES["inbox"].hidden]
    for platform, alternatives in ids.items():
        names = re.compile(rf"(?<![\w-])(?:{'|'.join(alternatives)})(?![\w-])".encode(), re.ASCII)
        # Updates for additional bots of a platform are stored under the name of the bot.
        theirs = or_(table.c.platform == platform, table.c.platform.startswith(f"{platform}:", autoescape=True))
        waiting = await session.execute(select(*chosen).where(theirs, table.c.done.is_(None)))
        found += [dict(row) for row in waiting.mappings() if names.search(row["body"])]
    return found


async def _rows(session: AsyncSession, name: str, user: str) -> list[dict[str, Any]]:
    rule, table = RULES[name], Base.metadata.tables[name]
    if rule.theirs is None:
        return []
    chosen = [column for column in table.columns if column.name not in rule.hidden]
    rows = await session.execute(select(*chosen).where(rule.theirs(user)).order_by(*table.primary_key.columns))
    return [_readable(name, dict(row)) for row in rows.mappings()]


def _readable(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(table, name, value) for name, value in row.items()}


def _value(table: str, column: str, value: Any) -> Any:
    if value and (read := _READ.get((table, column))) is not None:
        return msgspec.to_builtins(read(value))
    return value.isoformat() if isinstance(value, datetime) else value

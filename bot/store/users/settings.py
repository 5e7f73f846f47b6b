"""Settings: what a person wants, or everybody in a place, where a request leaves something out."""

import json
from collections.abc import Collection, Mapping

from sqlalchemy import Select, or_, select, update

from bot.core.values import Given, MessageRef, new_id
from bot.generation.defaults import SavedDefaults
from bot.store.database import Database, add_if_new
from bot.store.tables.core import ChannelRow, SettingRow
from bot.store.tables.sharing import BoardChannelRow
from bot.store.users.channels import place_id


def of_channel(given: str | None) -> SavedDefaults:
    """Return what holds for everybody in a place, as its row says it; there may be none."""
    return SavedDefaults(channel=json.loads(given or "{}"))


class UserSettings:
    """The settings of persons and places. `cover`: pictures are covered everywhere, whatever a place says."""

    def __init__(self, database: Database, *, cover: bool = False) -> None:
        self._database = database
        self.cover = cover

    async def of(self, user: str, channel: MessageRef) -> SavedDefaults:
        """Return what holds for a person in a place."""
        async with self._database.read() as session:
            rows = (await session.scalars(_of(user, channel))).all()
        users = next((row.given for row in rows if row.person_id is not None), "{}")
        channels = next((row.given for row in rows if row.place_id is not None), "{}")
        return SavedDefaults(json.loads(users), json.loads(channels))

    async def covers(self, channel: MessageRef) -> bool:
        """Return whether nobody sees a picture in a place before they press on it."""
        return self.cover or (await self.of("", channel)).cover

    async def covered(self, boards: Collection[str], channel: MessageRef) -> frozenset[str]:
        """Return the boards whose pictures are covered where they are looked at: there, or in one of the places whose they are."""
        if await self.covers(channel):
            return frozenset(boards)
        wanted = select(BoardChannelRow.board_id, SettingRow.given).join(SettingRow, SettingRow.place_id == BoardChannelRow.place_id)
        async with self._database.read() as session:
            rows = (await session.execute(wanted.where(BoardChannelRow.board_id.in_(boards)))).all()
        return frozenset(board for board, given in rows if of_channel(given).cover)

    async def change(self, owner: str | MessageRef, changes: Mapping[str, Given], without: Collection[str] = ()) -> None:
        """Change settings of a person, by id, or of a place; those named in `without` are taken away."""
        async with self._database.write() as session:
            channel = await place_id(session, owner.platform, owner.channel) if isinstance(owner, MessageRef) else None
            whose = {"person_id": owner} if channel is None else {"place_id": channel}
            await add_if_new(session, SettingRow, {"id": new_id(), **whose, "given": "{}"})
            known = json.loads(await session.scalar(select(SettingRow.given).filter_by(**whose).with_for_update()) or "{}")
            left = {name: value for name, value in {**known, **changes}.items() if name not in without}
            await session.execute(update(SettingRow).filter_by(**whose).values(given=json.dumps(left)))


def _of(user: str, channel: MessageRef) -> Select[SettingRow]:
    """Return what finds the rows of a person and of a place: the place is looked up by itself, so that each row is found by its index."""
    here = select(ChannelRow.id).where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel).scalar_subquery()
    return select(SettingRow).where(or_(SettingRow.person_id == user, SettingRow.place_id == here))

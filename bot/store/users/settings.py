"""Settings: defaults of users and channels for options that a request leaves out."""

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
    """Return the defaults of a channel from its row, which may be missing."""
    return SavedDefaults(channel=json.loads(given or "{}"))


class UserSettings:
    """The settings of users and channels. `cover`: pictures are behind a spoiler everywhere, whatever a channel sets."""

    def __init__(self, database: Database, *, cover: bool = False) -> None:
        self._database = database
        self.cover = cover

    async def of(self, user: str, channel: MessageRef) -> SavedDefaults:
        """Return the defaults of a user in a channel."""
        async with self._database.read() as session:
            rows = (await session.scalars(_of(user, channel))).all()
        users = next((row.given for row in rows if row.person_id is not None), "{}")
        channels = next((row.given for row in rows if row.place_id is not None), "{}")
        return SavedDefaults(json.loads(users), json.loads(channels))

    async def covers(self, channel: MessageRef) -> bool:
        """Return whether pictures in a channel are behind a spoiler."""
        return self.cover or (await self.of("", channel)).cover

    async def covered(self, boards: Collection[str], channel: MessageRef) -> frozenset[str]:
        """Return the boards whose pictures are behind a spoiler in a channel: by its own settings, or by a channel of the board."""
        if await self.covers(channel):
            return frozenset(boards)
        wanted = select(BoardChannelRow.board_id, SettingRow.given).join(SettingRow, SettingRow.place_id == BoardChannelRow.place_id)
        async with self._database.read() as session:
            rows = (await session.execute(wanted.where(BoardChannelRow.board_id.in_(boards)))).all()
        return frozenset(board for board, given in rows if of_channel(given).cover)

    async def change(self, owner: str | MessageRef, changes: Mapping[str, Given], without: Collection[str] = ()) -> None:
        """Change settings of a user, by id, or of a channel; settings named in `without` are removed."""
        async with self._database.write() as session:
            channel = await place_id(session, owner.platform, owner.channel) if isinstance(owner, MessageRef) else None
            whose = {"person_id": owner} if channel is None else {"place_id": channel}
            await add_if_new(session, SettingRow, {"id": new_id(), **whose, "given": "{}"})
            known = json.loads(await session.scalar(select(SettingRow.given).filter_by(**whose).with_for_update()) or "{}")
            left = {name: value for name, value in {**known, **changes}.items() if name not in without}
            await session.execute(update(SettingRow).filter_by(**whose).values(given=json.dumps(left)))


def _of(user: str, channel: MessageRef) -> Select[SettingRow]:
    """Return the query for the rows of a user and of a channel: the channel is a subquery, so that each row is found by its index."""
    here = select(ChannelRow.id).where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel).scalar_subquery()
    return select(SettingRow).where(or_(SettingRow.person_id == user, SettingRow.place_id == here))

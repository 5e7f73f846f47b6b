"""The Discord client: passes events to the handlers. Each event has its own task, which uses the language of its user."""

import logging
import re
from collections.abc import Callable
from typing import Any, Self

import discord
from discord import app_commands, ui

from adapters.discord import commands
from adapters.discord.connection import may_identify
from adapters.discord.interactions import InteractionHandler
from adapters.discord.messages import MessageHandler
from adapters.discord.render import PICK
from adapters.discord.replies import Interaction
from adapters.discord.translator import Translations
from bot.config import Discord
from bot.i18n.translate import speak

log = logging.getLogger("easel.discord")

#: What is heard: servers and channels, and messages, of which only those to the bot have words. None of it needs to be granted.
_INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)


class Client(discord.AutoShardedClient):
    """Easel on Discord. `stands` is called whenever a connection does."""

    def __init__(self, section: Discord, desk: InteractionHandler, stands: Callable[[], None]) -> None:
        # It says at every start that it cannot speak; nobody asked it to.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=_INTENTS,
            shard_count=section.shards or None,
            allowed_mentions=discord.AllowedMentions.none(),
            activity=discord.CustomActivity(section.presence) if section.presence else None,
            # Nothing of them is needed: every interaction and message brings its own.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            # Nor are the servers waited for, one by one, before the commands are told.
            guild_ready_timeout=0.2,
        )
        self.desk = desk
        self.tree = commands.tree_of(self, desk)
        self.tree.error(self._broke)
        self._talking = MessageHandler(desk)
        self._stands = stands

    async def setup_hook(self) -> None:
        """Take in buttons and lists, whoever made them and however long ago; tell the commands in every language."""
        await self.tree.set_translator(Translations())
        self.add_dynamic_items(Press, Pick)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until there is an identification to spare: the library identifies itself again, by itself, when a session breaks."""
        await super().before_identify_hook(shard_id, initial=initial)
        if not initial:
            await may_identify(self)

    async def on_ready(self) -> None:
        """Say that the connection stands."""
        self._stands()

    async def on_resumed(self) -> None:
        """Say that it stands again."""
        self._stands()

    async def on_message(self, message: discord.Message) -> None:
        """Handle a message."""
        await self._talking.heard(self, message)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Take in a form: the library itself knows only those that it showed since it was started."""
        if interaction.type is discord.InteractionType.modal_submit and interaction.data is not None:
            speak(str(interaction.locale))
            await self.desk.sent_in(interaction, dict(interaction.data))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Note what went wrong; its words are nobody else's business."""
        del args, kwargs
        log.exception("discord.broke event=%s", event_method)

    async def _broke(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        log.error("discord.broke interaction=%s", interaction.id, exc_info=error)


class Press(ui.DynamicItem[ui.Button[Any]], template=re.compile(r"(?!" + PICK + r":\d)(?P<wire>[a-z][a-z0-9_]*(?::.*)?)", re.DOTALL)):
    """A button: what it carries says everything."""

    def __init__(self, item: ui.Button[Any], wire: str) -> None:
        super().__init__(item)
        self._wire = wire

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """Return the button that was pressed."""
        del interaction
        assert isinstance(item, ui.Button)
        return cls(item, match["wire"])

    async def callback(self, interaction: Interaction) -> None:
        """Run what it carries."""
        speak(str(interaction.locale))
        await interaction.client.desk.pressed(interaction, self._wire)


class Pick(ui.DynamicItem[ui.Select[Any]], template=re.compile(PICK + r":\d+")):
    """A list of pictures: each line carries what a button would."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """Return the list that was chosen from."""
        del interaction, match
        assert isinstance(item, ui.Select)
        return cls(item)

    async def callback(self, interaction: Interaction) -> None:
        """Run what the chosen line carries."""
        values = self.item.values
        speak(str(interaction.locale))
        if values:
            await interaction.client.desk.pressed(interaction, values[0])

"""Actions of a user on Discord: send messages, use commands, press buttons, submit forms."""

import re

from tests.emulators.discord import commands as kinds
from tests.emulators.discord import filling, uses
from tests.emulators.discord.components import BUTTON, buttons_of, selects_of
from tests.emulators.discord.composing import Draft
from tests.emulators.discord.messages import Attachment, Message
from tests.emulators.discord.uses import Use
from tests.emulators.discord.world import DM, GROUP, Channel, User


class Person(User):
    """A human user."""

    dm_closed = False
    _dm: Channel | None = None

    def join(self, guild, permissions=()):
        """Join a server with additional permissions; a second call replaces these permissions."""
        guild.add(self, [permissions] if isinstance(permissions, str) else permissions)
        return self

    def dm(self):
        """Return the direct message channel of this user and the bot."""
        if self._dm is None:
            self._dm = Channel(self.discord, f"dm of {self.name}", DM, user=self)
            self.discord.channels[self._dm.id] = self._dm
        return self._dm

    def group(self, *others):
        """Return a group channel of users, where the bot is available only as a user-installed command."""
        made = Channel(self.discord, "a few", GROUP, people=(self, *others))
        self.discord.channels[made.id] = made
        return made

    def upload(self, name, data, place):
        """Upload a file."""
        file = Attachment(self.discord, self.discord.ids(), name, data, place.id)
        self.discord.attachments[file.id] = file
        return file

    async def say(self, channel, content="", *, files=(), reply_to=None):
        """Send a message; `<@BOT>` stands for a mention of the bot, `files` are (name, bytes)."""
        self._enter(channel)
        content = content.replace("<@BOT>", f"<@{self.discord.bot.id}>")
        draft = Draft(content, files=[self.upload(name, data, channel) for name, data in files])
        everybody = self.discord.users | {self.discord.bot.id: self.discord.bot}
        mentioned = [everybody[found] for found in dict.fromkeys(re.findall(r"<@!?(\d+)>", content)) if found in everybody]
        # A reply mentions the author of the original message, unless the user switches that off.
        if reply_to and reply_to.author not in mentioned:
            mentioned.append(reply_to.author)
        return self.discord.add_message(channel, self, draft, reference=reply_to, mentions=mentioned)

    async def use(self, channel, command, /, **given):
        """Use a slash command; `preset save` is a subcommand."""
        found, path = self._command(channel, command.split()[0], kinds.CHAT), command.split()[1:]
        return await self._used(channel, uses.COMMAND, filling.filled(self, channel, found, path, given))

    async def complete(self, channel, command, option, typed, /, **given):
        """Type into an option and return the suggestions: dictionaries with name and value."""
        found, path = self._command(channel, command.split()[0], kinds.CHAT), command.split()[1:]
        data = filling.filled(self, channel, found, path, given | {option: typed}, focused=option)
        use = await self._used(channel, uses.AUTOCOMPLETE, data)
        await use.answered(self.discord.ack_seconds)
        return use.choices

    async def menu(self, channel, name, target):
        """Use a command from the context menu of a message or a user."""
        is_message = isinstance(target, Message)
        found = self._command(channel, name, kinds.MESSAGE if is_message else kinds.USER)
        data = {"id": found["id"], "name": name, "type": found["type"], "target_id": target.id}
        resolved = {"messages": {target.id: target.payload()}} if is_message else filling.resolved_person(channel, target)
        return await self._used(channel, uses.COMMAND, data | {"resolved": resolved})

    async def click(self, message, button):
        """Press a button, named by its label or custom_id."""
        found = [one for one in buttons_of(message.components) if button in (one.get("label"), one.get("custom_id"))]
        assert found, f"No button {button!r} among {message.buttons()}"
        assert found[0].get("custom_id"), f"{button!r} is a link"
        assert not found[0].get("disabled"), f"{button!r} is disabled"
        return await self._pressed(message, {"component_type": BUTTON, "custom_id": found[0]["custom_id"], "id": found[0]["id"]})

    async def pick(self, message, select, values):
        """Choose in a select, named by its custom_id or placeholder; `values` are values, labels or users."""
        found = [one for one in selects_of(message.components) if select in (one.get("custom_id"), one.get("placeholder"))]
        assert found, f"No select {select!r} among {[one.get('custom_id') for one in message.selects()]}"
        assert not found[0].get("disabled"), f"{select!r} is disabled"
        chosen = filling.chosen(message.channel, found[0], values)
        return await self._pressed(
            message, {"component_type": found[0]["type"], "custom_id": found[0]["custom_id"], "id": found[0]["id"]} | chosen
        )

    async def _pressed(self, message, data):
        assert not message.is_deleted, "The message is gone"
        assert not message.is_ephemeral or message.use.user is self, "Only who used the bot sees this message"
        return await self._used(message.channel, uses.COMPONENT, data, source=message)

    async def submit(self, use, given):
        """Submit the form that the bot responded with; fields are texts, lists of values, or (name, bytes) for a file."""
        assert use.modal, f"{use} has shown no form"
        data = filling.submitted(self, use.channel, use.modal, given)
        return await self._used(use.channel, uses.MODAL, data, source=use.source, parent=use)

    async def _used(self, channel, kind, data, **more):
        self._enter(channel)
        return await Use(self.discord, self, channel, kind, data, **more).send()

    def _enter(self, channel):
        assert channel.guild or channel.user is self or self in channel.people, f"{self.name} does not see {channel}"
        if channel.guild and self.id not in channel.guild.roles:
            channel.guild.add(self)

    def _command(self, channel, name, kind):
        """Return a registered command, if Discord offers it to this user in this channel."""
        own = self.discord.registered.get(channel.guild and channel.guild.id) or []
        everywhere = self.discord.registered.get(None) or []
        offered = [one for one in [*own, *everywhere] if one["type"] == kind]
        found = next((one for one in offered if one["name"] == name), None)
        assert found, f"No command {name!r} among {[one['name'] for one in offered]}"
        self._check_offered(channel, found)
        return found

    def _check_offered(self, channel, command):
        self._enter(channel)
        contexts, guild = command.get("contexts"), channel.guild
        assert contexts is None or channel.context in contexts, f"{command['name']} is not offered here"
        assert not (guild and not guild.has_bot) or 1 in command["integration_types"], f"{command['name']} is not for persons to install"
        place = channel.parent or channel
        assert not command.get("nsfw") or not guild or place.is_nsfw, f"{command['name']} is for age-restricted channels"
        needed = int(command.get("default_member_permissions") or 0)
        rights = channel.permissions(self).value
        assert not guild or needed & rights == needed, f"{self.name} may not use {command['name']}"

"""The objects of the emulated Discord: servers, channels, users and their permissions."""

import time

from tests.emulators.discord.library import discord as library

Permissions = library.Permissions
EPOCH = 1420070400000
TEXT, DM, GROUP, FORUM, THREAD, PRIVATE_THREAD = 0, 1, 3, 15, 11, 12
# The permissions of every member of a new server.
EVERYBODY = Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    add_reactions=True,
    read_message_history=True,
    use_application_commands=True,
)
# The permissions of a user-installed app, regardless of the server.
INSTALLED_BY_PERSON = Permissions(embed_links=True, attach_files=True, mention_everyone=True, use_external_emojis=True)


class Ids:
    """Snowflakes, each with its own millisecond, because the shard of a server depends on the timestamp in its id."""

    def __init__(self):
        self._last = 0

    def __call__(self):
        """Return the next id."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        return str((self._last - EPOCH) << 22)


def named(names):
    """Return the permissions with these names."""
    return Permissions(**dict.fromkeys(names, True))


class User:
    """A user or the bot. The actions of a user are in `person.Person`."""

    def __init__(self, discord, name, *, is_bot=False):
        self.discord, self.name, self.is_bot = discord, name, is_bot
        self.id = discord.ids()
        self.locale = "en-US"

    def __repr__(self):
        return f"<{type(self).__name__} {self.name} {self.id}>"

    def payload(self):
        """Return the user as others see them."""
        return {
            **{"id": self.id, "username": self.name, "global_name": None if self.is_bot else self.name.title(), "discriminator": "0"},
            **{"avatar": None, "public_flags": 0, "flags": 0, "bot": self.is_bot, "primary_guild": None},
        }


class Guild:
    """A server."""

    def __init__(self, discord, name, *, has_bot=True, locale="en-US"):
        self.discord, self.name, self.has_bot = discord, name, has_bot
        self.id = discord.ids()
        self.locale = locale
        self.channels: list[Channel] = []
        self.threads: list[Channel] = []
        self.everybody = Permissions(EVERYBODY.value)
        self.members: dict[str, Permissions] = {}  # user id -> permissions of the user's own role
        self.roles: dict[str, str] = {}  # user id -> id of the user's own role

    def __repr__(self):
        return f"<Guild {self.name} {self.id}>"

    def channel(self, name, *, nsfw=False, kind=TEXT):
        """Create a channel."""
        return self._announced(self.channels, Channel(self.discord, name, kind, guild=self, nsfw=nsfw), "CHANNEL_CREATE")

    def forum(self, name, *, nsfw=False):
        """Create a forum."""
        return self.channel(name, nsfw=nsfw, kind=FORUM)

    def add_thread(self, thread):
        """Add a thread that was created in one of the channels."""
        return self._announced(self.threads, thread, "THREAD_CREATE", newly_created=True)

    def _announced(self, among, channel, event, **more):
        among.append(channel)
        self.discord.channels[channel.id] = channel
        self.discord.dispatch(event, channel.payload() | more, guild=self)
        return channel

    def add(self, user, permissions=()):
        """Add a member, with a separate role for their additional permissions."""
        is_new = user.id not in self.roles
        self.members[user.id] = named(permissions)
        self.roles.setdefault(user.id, self.discord.ids())
        event = {"guild_id": self.id, "role": self._role(self.roles[user.id], user.name, self.members[user.id])}
        self.discord.dispatch(f"GUILD_ROLE_{'CREATE' if is_new else 'UPDATE'}", event, guild=self)

    def permissions(self, user):
        """Return a user's permissions in the server, without channel overwrites."""
        return Permissions(self.everybody.value | self.members.get(user.id, Permissions.none()).value)

    def member(self, user, channel=None):
        """Return a member's payload; in an interaction it contains their permissions in the channel."""
        told = {"permissions": str(channel.permissions(user).value)} if channel else {}
        return told | {
            **{"user": user.payload(), "nick": None, "avatar": None, "roles": [self.roles[user.id]], "joined_at": self.discord.now()},
            **{"deaf": False, "mute": False, "flags": 0, "pending": False, "premium_since": None, "communication_disabled_until": None},
            "banner": None,
        }

    @staticmethod
    def _role(role_id, name, permissions):
        return {
            **{"id": role_id, "name": name, "permissions": str(permissions.value), "color": 0, "hoist": False, "position": 1},
            **{"colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None}, "managed": False, "mentionable": False},
            **{"flags": 0, "icon": None, "unicode_emoji": None, "description": None, "tags": {}},
        }

    def payload(self):
        """Return the payload of GET /guilds."""
        own = [self._role(role, user, self.members[user]) for user, role in self.roles.items()]
        empty = ("icon", "description", "home_header", "splash", "discovery_splash", "banner", "application_id", "afk_channel_id")
        nothing = ("system_channel_id", "widget_channel_id", "vanity_url_code", "public_updates_channel_id", "rules_channel_id")
        zeros = ("afk_timeout", "verification_level", "explicit_content_filter", "default_message_notifications", "mfa_level")
        more = ("premium_tier", "premium_subscription_count", "system_channel_flags", "nsfw_level", "max_presences")
        return {
            **dict.fromkeys((*empty, *nothing, "safety_alerts_channel_id", "incidents_data", "latest_onboarding_question_id")),
            **dict.fromkeys((*zeros, *more), 0),
            **{"id": self.id, "name": self.name, "owner_id": "1", "region": "deprecated", "preferred_locale": self.locale, "features": []},
            **{"roles": [self._role(self.id, "@everyone", self.everybody), *own], "emojis": [], "stickers": [], "nsfw": False},
            **{"widget_enabled": False, "premium_progress_bar_enabled": False, "max_members": 1000},
            **{"max_video_channel_users": 25, "max_stage_video_channel_users": 50, "owner_configured_content_level": 0},
        }

    def created(self):
        """Return the payload of GUILD_CREATE."""
        return self.payload() | {
            **{"joined_at": self.discord.now(), "large": False, "unavailable": False, "member_count": len(self.members) + 1},
            **{"channels": [one.payload() for one in self.channels], "voice_states": [], "presences": [], "stage_instances": []},
            **{"threads": [one.payload() for one in self.threads if not one.is_archived], "members": [self.member(self.discord.bot)]},
            **{"guild_scheduled_events": [], "soundboard_sounds": []},
        }


class Channel:
    """A channel: text, forum, thread, the direct messages of a user with the bot, or a group of `people` without the bot."""

    def __init__(self, discord, name, kind=TEXT, *, guild=None, parent=None, nsfw=False, user=None, owner=None, people=()):
        self.discord, self.name, self.kind, self.guild, self.parent, self.user = discord, name, kind, guild, parent, user
        self.people = people
        self.id = discord.ids()
        self.is_nsfw, self.is_archived, self.is_locked, self.owner = nsfw, False, False, owner
        self.every_message = []  # including deleted messages
        self.typed = 0  # how often the bot has shown the typing indicator
        self._allowed, self._denied = Permissions.none(), Permissions.none()

    def __repr__(self):
        return f"<Channel {self.name} {self.id}>"

    @property
    def messages(self):
        """The messages that are not deleted, including ephemeral ones; oldest first."""
        return [one for one in self.every_message if not one.is_deleted]

    @property
    def context(self):
        """The context of an interaction here: a server, direct messages with the bot, or direct messages of other users."""
        return 0 if self.guild else 1 if self.user else 2

    @property
    def is_thread(self):
        """Whether this is a thread or the post of a forum."""
        return self.kind in (THREAD, PRIVATE_THREAD)

    def thread(self, name, *, archived=False, locked=False, owner=None, id=None, private=False):
        """Create a thread here; a thread attached to a message has the message's id."""
        kind = PRIVATE_THREAD if private else THREAD
        made = Channel(self.discord, name, kind, guild=self.guild, parent=self, owner=owner or self.discord.bot)
        made.id = id or made.id
        made.is_archived, made.is_locked = archived, locked
        return self.guild.add_thread(made)

    def post(self, title, **more):
        """Create a post in a forum."""
        return self.thread(title, **more)

    def deny(self, *names):
        """Take permissions from the bot here; for a thread, in its parent channel."""
        return self._ruled(names, is_allowed=False)

    def allow(self, *names):
        """Give permissions to the bot here, including those that were taken."""
        return self._ruled(names, is_allowed=True)

    def _ruled(self, names, *, is_allowed):
        channel, rights = self.parent or self, named(names).value
        gained, lost = (rights, 0) if is_allowed else (0, rights)
        channel._allowed = Permissions(channel._allowed.value & ~lost | gained)
        channel._denied = Permissions(channel._denied.value & ~gained | lost)
        self.discord.dispatch("CHANNEL_UPDATE", channel.payload(), guild=self.guild)
        return self

    def permissions(self, user):
        """Return the permissions of a user here."""
        if self.guild is None:
            return EVERYBODY
        channel, rights = self.parent or self, self.guild.permissions(user)
        if rights.administrator:
            return Permissions.all()
        if user is self.discord.bot:
            rights = Permissions(rights.value & ~channel._denied.value | channel._allowed.value)
        return rights if rights.view_channel else Permissions.none()

    def bot_may(self, *names):
        """Return whether the bot has all of these permissions here."""
        rights = self.permissions(self.discord.bot)
        return all(getattr(rights, name) for name in names)

    def change(self, **changes):
        """Archive, lock or rename a thread, or mark a channel as age-restricted, and notify the bot."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.discord.dispatch("THREAD_UPDATE" if self.is_thread else "CHANNEL_UPDATE", self.payload(), guild=self.guild)
        return self

    def payload(self):
        """Return the payload of GET /channels."""
        last = self.every_message[-1].id if self.every_message else None
        told = {"id": self.id, "type": self.kind, "flags": 0, "last_message_id": last}
        if self.guild is None:
            return told | {"recipients": [one.payload() for one in self.people or [self.user]]}
        told |= {"guild_id": self.guild.id, "name": self.name, "rate_limit_per_user": 0, "parent_id": self.parent and self.parent.id}
        return told | (self._of_thread() if self.is_thread else self._of_channel())

    def _of_thread(self):
        count = len(self.messages)
        state = {"archived": self.is_archived, "locked": self.is_locked, "auto_archive_duration": 1440, "invitable": True}
        return {
            **{"owner_id": self.owner.id, "message_count": count, "member_count": 1, "total_message_sent": count, "applied_tags": []},
            "thread_metadata": state | {"archive_timestamp": self.discord.now(), "create_timestamp": self.discord.now()},
        }

    def _of_channel(self):
        of_bot = {"id": self.discord.bot.id, "type": 1, "allow": str(self._allowed.value), "deny": str(self._denied.value)}
        forum = {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None, "default_forum_layout": 0}
        shown = {"topic": None, "nsfw": self.is_nsfw, "position": 0, "permission_overwrites": [of_bot]}
        return shown | (forum if self.kind == FORUM else {})

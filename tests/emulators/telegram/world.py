"""The objects of the emulated Telegram: users, chats, topics, and the members of chats with their status."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.telegram.access import ADMINISTRATOR, CREATOR, KICKED, LEFT, MEMBER, RESTRICTED

ANONYMOUS, CHANNEL_BOT, SERVICE = 1087968824, 136817688, 777000
RIGHTS = (
    *("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_promote_members"),
    *("can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories"),
)
# Rights that only an administrator of a channel, or only one of a group, can have.
OF_CHANNELS, OF_GROUPS = ("can_post_messages", "can_edit_messages"), ("can_pin_messages", "can_manage_topics")
# The permissions that a restricted member lacks.
RESTRICTIONS = (
    *(f"can_send_{one}" for one in ("messages", "audios", "documents", "photos", "videos", "video_notes", "voice_notes", "polls")),
    *("can_send_other_messages", "can_add_web_page_previews", "can_react_to_messages", "can_edit_tag", "can_change_info"),
    *("can_invite_users", "can_pin_messages", "can_manage_topics"),
)


class Ids:
    """Ids as Telegram assigns them: users beyond 32 bits, groups below zero, supergroups and channels from -100…"""

    def __init__(self):
        self._users, self._groups, self._channels = (
            itertools.count(5_000_000_001),
            itertools.count(4_500_000_001),
            itertools.count(2_000_000_001),
        )
        # Private chats and groups share a message counter; each supergroup and channel has its own, from one.
        self.messages = itertools.count(1001)
        self.albums = itertools.count(13_700_000_000_000_001)

    def user(self):
        """Return the id of the next user."""
        return next(self._users)

    def group(self):
        """Return the id of the next group."""
        return -next(self._groups)

    def channel(self):
        """Return the id of the next supergroup or channel."""
        return -1_000_000_000_000 - next(self._channels)


class User:
    """A user or a bot. The actions of a human user are in `person.Person`."""

    def __init__(self, telegram, name, *, is_bot=False, language=None, id=None, username=None):
        self.telegram, self.name, self.is_bot, self.language = telegram, name, is_bot, language
        self.id = id or telegram.ids.user()
        # Telegram allows no username with fewer than five characters.
        self.username = username or (f"{name}_bot" if is_bot else f"the_{name}")

    def __repr__(self):
        return f"<{type(self).__name__} {self.name} {self.id}>"

    def payload(self):
        """Return the user as others see them."""
        told = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name.title(), "username": self.username}
        return told | ({"language_code": self.language} if self.language else {})


@dataclass
class Member:
    """A member of a chat."""

    user: User
    status: str = MEMBER
    is_anonymous: bool = False
    title: str | None = None
    lacking: tuple[str, ...] = ()  # the rights that this administrator does not have

    def payload(self, chat):
        """Return the result of getChatMember."""
        told: dict[str, Any] = {"status": self.status, "user": self.user.payload()}
        if self.status in (CREATOR, ADMINISTRATOR):
            told |= {"is_anonymous": self.is_anonymous} | ({"custom_title": self.title} if self.title else {})
        if self.status == ADMINISTRATOR:
            rights = (*RIGHTS, *(OF_CHANNELS if chat.kind == "channel" else OF_GROUPS))
            told |= {"can_be_edited": False} | {one: one not in self.lacking for one in rights}
        if self.status == RESTRICTED:
            told |= {"is_member": True} | dict.fromkeys(RESTRICTIONS, False)
        return told | ({"until_date": 0} if self.status in (KICKED, RESTRICTED) else {})


@dataclass(eq=False)
class Topic:
    """A topic of a forum; its id is the id of its first message, or 1 for the general topic."""

    chat: Any
    id: int
    name: str
    root: Any = None
    is_closed: bool = False

    async def close(self):
        """Let only administrators write here."""
        self.is_closed = True
        self.chat.happened({"forum_topic_closed": {}}, thread=self.id)

    async def reopen(self):
        """Let all members write here again."""
        self.is_closed = False
        self.chat.happened({"forum_topic_reopened": {}}, thread=self.id)

    async def delete(self):
        """Delete the topic with all its messages."""
        for one in self.chat.messages:
            one.is_deleted = one.is_deleted or one.message_thread_id == self.id
        del self.chat.topics[self.id]


@dataclass(eq=False)
class Chat:
    """A chat: private, group, supergroup or channel."""

    telegram: Any
    kind: str
    id: int
    title: str = ""
    user: Any = None
    username: str | None = None
    is_forum: bool = False
    is_started: bool = False  # whether the user of a private chat has ever written
    is_blocked: bool = False
    members: dict[int, Member] = field(default_factory=dict)
    every_message: list[Any] = field(default_factory=list)  # including deleted messages
    topics: dict[int, Topic] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)  # kinds of messages that members must not send
    moved_to: "Chat | None" = None
    last_bot: Any = None  # the bot that sent the last message of a bot
    _last_id: int = 0

    def __post_init__(self):
        if self.is_forum:
            self.topics[1] = Topic(self, 1, "General")
            self._last_id = 1  # the creation of the chat was its first message

    def __repr__(self):
        return f"<Chat {self.kind} {self.title or self.user} {self.id}>"

    @property
    def messages(self):
        """The messages that are not deleted; oldest first."""
        return [one for one in self.every_message if not one.is_deleted]

    def message(self, number):
        """Return the message with this id if it is not deleted."""
        return next((one for one in reversed(self.every_message) if one.id == number and not one.is_deleted), None)

    def next_id(self):
        """Return the id of the next message."""
        if self.kind in ("private", "group"):
            return next(self.telegram.ids.messages)
        self._last_id += 1
        return self._last_id

    def status_of(self, user):
        """Return the status of a user here."""
        return self.members[user.id].status if user.id in self.members else LEFT

    def is_admin(self, user):
        """Return whether a user is an administrator here."""
        return self.status_of(user) in (CREATOR, ADMINISTRATOR)

    @property
    def has_bot(self):
        """Whether the bot is a member here."""
        return self.user is not None or self.status_of(self.telegram.bot) in (CREATOR, ADMINISTRATOR, MEMBER, RESTRICTED)

    def may(self, user, right):
        """Return whether a user has an administrator's right here."""
        return self.is_admin(user) and right not in self.members[user.id].lacking

    def add(self, user, status=MEMBER, *, anonymous=False, title=None, lacking=()):
        """Add a user without a service message, or change their status: administrator, creator, left, kicked."""
        self.members[user.id] = Member(user, status, anonymous, title, tuple(lacking))
        return self

    def deny(self, *kinds):
        """Forbid members to send these kinds: text, photo, document, animation."""
        self.denied |= set(kinds)
        return self

    def allow(self, *kinds):
        """Allow these kinds again."""
        self.denied -= set(kinds)
        return self

    def happened(self, service, *, by=None, thread=None):
        """Add a service message."""
        return self.telegram.add_message(self, by or self._anybody(), None, service=service, thread=thread)

    def _anybody(self):
        found = next((one.user for one in self.members.values() if not one.user.is_bot), None)
        return found or User(self.telegram, "Telegram", id=SERVICE)

    def topic(self, name):
        """Create a topic."""
        assert self.is_forum, f"{self} has no topics"
        made = self.topics[self._last_id + 1] = Topic(self, self._last_id + 1, name)
        made.root = self.happened({"forum_topic_created": {"name": name, "icon_color": 7322096}}, thread=made.id)
        return made

    def bot_becomes(self, status, by, **more):
        """Change the status of the bot here, and send it the update."""
        bot, old = self.telegram.bot, self.members.get(self.telegram.bot.id) or Member(self.telegram.bot, LEFT)
        self.add(bot, status, **more)
        self.telegram.updates.add("my_chat_member", self.changed_member(by or self._anybody(), old, self.members[bot.id]), key=self.id)

    async def add_bot(self, by=None, status=MEMBER, **more):
        """Add the bot, as a user does."""
        self.bot_becomes(status, by, **more)
        if self.kind != "channel":
            self.happened({"new_chat_members": [self.telegram.bot.payload()]}, by=by)

    async def promote_bot(self, by=None, **more):
        """Make the bot an administrator, as a user does."""
        self.bot_becomes(ADMINISTRATOR, by, **more)

    async def kick_bot(self, by=None):
        """Remove the bot, as a user does."""
        self.bot_becomes(KICKED, by)

    def changed_member(self, by, old, new):
        """Return the payload of an update about a changed member."""
        told = {"chat": self.payload(), "from": by.payload(), "date": self.telegram.now()}
        return told | {"old_chat_member": old.payload(self), "new_chat_member": new.payload(self)}

    async def migrate(self):
        """Turn this group into a supergroup, as happens when it grows, and return the supergroup."""
        assert self.kind == "group", f"{self} is no group"
        grown = Chat(self.telegram, "supergroup", self.telegram.ids.channel(), self.title, members=dict(self.members))
        self.telegram.chats[grown.id] = grown
        self.happened({"migrate_to_chat_id": grown.id})
        self.moved_to = grown
        grown.happened({"migrate_from_chat_id": self.id})
        return grown

    def payload(self):
        """Return the chat as messages contain it."""
        if self.user:
            return {"id": self.id, "type": "private", "first_name": self.user.name.title(), "username": self.user.username}
        told = {"id": self.id, "type": self.kind, "title": self.title}
        return told | ({"username": self.username} if self.username else {}) | ({"is_forum": True} if self.is_forum else {})

    def full(self):
        """Return the result of getChat."""
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        told = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, False)}
        if self.kind in ("group", "supergroup"):
            names = ("messages", "audios", "documents", "photos", "videos", "video_notes", "voice_notes", "polls", "other_messages")
            told["permissions"] = {f"can_send_{one}": one.removesuffix("s") not in self.denied for one in names}
        return self.payload() | told

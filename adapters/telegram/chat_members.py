"""Identifies Telegram users, and whether they moderate a chat."""

import time

import telegram
from telegram import Chat, Message, User
from telegram.constants import ChatType

from adapters.telegram.api import REFUSALS
from adapters.telegram.message_ref import PLATFORM, is_group
from bot.core.errors import NotAllowed
from bot.core.values import UserRef

#: How long the moderators of a chat are cached, how long a failed query is, and for how many chats.
_BELIEVED_SECONDS, _UNKNOWN_SECONDS, _MOST_CHATS = 120.0, 3.0, 1_000

#: Commands for moderators, which would only be in the way of others.
MODERATING = frozenset({"pause", "resume", "grant"})


class ChatMembers:
    """Identifies callers."""

    def __init__(self, bot: telegram.Bot) -> None:
        self._bot = bot
        self._moderators: dict[int, tuple[float, frozenset[int]]] = {}

    async def sender(self, message: Message) -> UserRef | None:
        """Return the author of a message, or `None` if it has none. A user who writes as a group is that group, for all who may do so.

        Raises `NotAllowed` for a user who writes as another chat: a user can have many, and would count as many users.
        """
        if message.is_automatic_forward or (message.from_user is None and message.sender_chat is None):
            return None
        if (chat := message.sender_chat) is not None:
            if chat.id != message.chat_id:
                raise NotAllowed("denied-channel")
            # Only moderators of a group can write as the group itself.
            return UserRef(PLATFORM, str(chat.id), chat.title or "", moderates=True)
        assert message.from_user is not None
        return None if message.from_user.is_bot else await self.of(message.from_user, message.chat)

    async def of(self, user: User, chat: Chat | None) -> UserRef:
        """Return a user as a caller in a chat."""
        moderates = chat is not None and is_group(chat.id) and user.id in await self._who_moderate(chat.id)
        return UserRef(PLATFORM, str(user.id), user.full_name, moderates, user.language_code or "")

    def forget(self, chat: int) -> None:
        """Drop the cached moderators of a chat: something has changed there."""
        self._moderators.pop(chat, None)

    async def _who_moderate(self, chat: int) -> frozenset[int]:
        until, known = self._moderators.get(chat, (0.0, frozenset()))
        if until > time.monotonic():
            return known
        believed = _BELIEVED_SECONDS
        try:
            known = frozenset(one.user.id for one in await self._bot.get_chat_administrators(chat))
        except (*REFUSALS, OSError):
            # Without an answer the chat has no moderators: Telegram is asked again soon.
            known, believed = frozenset(), _UNKNOWN_SECONDS
        while len(self._moderators) >= _MOST_CHATS:
            del self._moderators[next(iter(self._moderators))]
        self._moderators[chat] = (time.monotonic() + believed, known)
        return known


def is_channel(chat: Chat) -> bool:
    """Return whether a chat is a broadcast channel, which has readers and no users who ask."""
    return chat.type == ChatType.CHANNEL

"""Who somebody in Telegram is, and whether they look after a chat."""

import time

import telegram
from telegram import Chat, Message, User
from telegram.constants import ChatType

from adapters.telegram.api import REFUSALS
from adapters.telegram.message_ref import PLATFORM, is_group
from bot.core.errors import NotAllowed
from bot.core.values import UserRef

#: How long it is believed who looks after a chat, how long that nobody is known to, and of how many chats it is kept.
_BELIEVED_SECONDS, _UNKNOWN_SECONDS, _MOST_CHATS = 120.0, 3.0, 1_000

#: Commands that are for who looks after a chat, and would only be in the way of others.
MODERATING = frozenset({"pause", "resume", "grant"})


class ChatMembers:
    """Knows callers."""

    def __init__(self, bot: telegram.Bot) -> None:
        self._bot = bot
        self._moderators: dict[int, tuple[float, frozenset[int]]] = {}

    async def sender(self, message: Message) -> UserRef | None:
        """Return who wrote a message, or nothing where nobody did. Who speaks as a group is that group, for everybody who may.

        Raises `NotAllowed` for who speaks as another chat: one person can have many, and would be as many persons.
        """
        if message.is_automatic_forward or (message.from_user is None and message.sender_chat is None):
            return None
        if (chat := message.sender_chat) is not None:
            if chat.id != message.chat_id:
                raise NotAllowed("denied-channel")
            # Only those who look after a group can speak as the group itself.
            return UserRef(PLATFORM, str(chat.id), chat.title or "", moderates=True)
        assert message.from_user is not None
        return None if message.from_user.is_bot else await self.of(message.from_user, message.chat)

    async def of(self, user: User, chat: Chat | None) -> UserRef:
        """Return somebody in a chat."""
        moderates = chat is not None and is_group(chat.id) and user.id in await self._who_moderate(chat.id)
        return UserRef(PLATFORM, str(user.id), user.full_name, moderates, user.language_code or "")

    def forget(self, chat: int) -> None:
        """Believe nothing of a chat any more: something has changed there."""
        self._moderators.pop(chat, None)

    async def _who_moderate(self, chat: int) -> frozenset[int]:
        until, known = self._moderators.get(chat, (0.0, frozenset()))
        if until > time.monotonic():
            return known
        believed = _BELIEVED_SECONDS
        try:
            known = frozenset(one.user.id for one in await self._bot.get_chat_administrators(chat))
        except (*REFUSALS, OSError):
            # Without an answer nobody looks after it: they are asked again soon.
            known, believed = frozenset(), _UNKNOWN_SECONDS
        while len(self._moderators) >= _MOST_CHATS:
            del self._moderators[next(iter(self._moderators))]
        self._moderators[chat] = (time.monotonic() + believed, known)
        return known


def is_channel(chat: Chat) -> bool:
    """Return whether a chat is a channel, in which there are readers and nobody asks."""
    return chat.type == ChatType.CHANNEL

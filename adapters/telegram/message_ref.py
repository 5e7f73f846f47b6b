"""A reference to a job's Telegram message: enough to change that message years later, or to send another in its place."""

import msgspec

from bot.core.values import MessageRef

PLATFORM = "telegram"

_SEPARATOR, _ALBUM, _INDEX = "/", ",", ":"


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a chat, as stored in an address.

    `user` receives a private message if the chat is closed, 0 if there is no user. `thread` is the topic, `asked`
    the replied message, `message` the message that shows the job; each 0 if there is none. `album` are the images' indices
    and their messages, if there are several. `signs`: the replied message is a user's own, on which a reaction
    may be set. `home` is the chat of the messages, 0 if that is the address's own. `bot` is the bot that sent the messages:
    for another bot the same numbers mean other messages.
    """

    user: int = 0
    thread: int = 0
    asked: int = 0
    message: int = 0
    album: tuple[tuple[int, int], ...] = ()
    signs: bool = False
    home: int = 0
    bot: int = 0

    @property
    def written(self) -> str:
        """Return this reference as stored in an address."""
        album = _ALBUM.join(f"{index}{_INDEX}{message}" for index, message in self.album)
        parts = (self.user, self.thread, self.asked, self.message, int(self.signs), album, self.home, self.bot)
        return _SEPARATOR.join(map(str, parts))

    def address(self, chat: int) -> MessageRef:
        """Return the address of this reference in a chat."""
        return MessageRef(PLATFORM, str(chat), self.written)


def bot_of(token: str) -> int:
    """Return the id of the bot for a token; 0 if the token is invalid."""
    id = token.partition(":")[0]
    return int(id) if id.isascii() and id.isdecimal() else 0


def bot_key(token: str) -> str:
    """Return the storage key for data of one bot: each bot has its own update numbers, and its own file ids."""
    return f"{PLATFORM}:{bot_of(token)}"


def chat_of(address: MessageRef) -> int:
    """Return the chat of an address, or 0 if it is invalid. Ids of groups are below 0."""
    channel = address.channel
    return int(channel) if channel.isascii() and channel.removeprefix("-").isdecimal() else 0


def is_group(chat: int) -> bool:
    """Return whether a chat is a group."""
    return chat < 0


def spot_of(address: MessageRef, bot: int = 0) -> SentMessage:
    """Return the reference of an address, for a bot: of another bot's messages only the user remains.

    A further result of a message, `…#2`, is shown in a message of its own; an unreadable address gives an empty reference.
    """
    ref = _read(address.message)
    return ref if not bot or ref.bot in (0, bot) else SentMessage(user=ref.user)


def renamed(message: str) -> str:
    """Return the remainder of a reference in a group that became another chat, whose messages have new numbers."""
    ref = _read(message)
    kept = ref if ref.home else SentMessage()
    return SentMessage(user=ref.user, message=kept.message, album=kept.album, home=kept.home, bot=ref.bot).written


def _read(message: str) -> SentMessage:
    written, mark, _ = message.partition("#")
    try:
        user, thread, asked, shown, signs, album, home, bot = written.split(_SEPARATOR)
        found = SentMessage(user=int(user), thread=int(thread), asked=int(asked), signs=signs == "1", bot=int(bot))
        return found if mark else msgspec.structs.replace(found, message=int(shown), album=_album(album), home=int(home))
    except ValueError:
        return SentMessage()


def _album(written: str) -> tuple[tuple[int, int], ...]:
    parts = (one.split(_INDEX) for one in (written.split(_ALBUM) if written else ()))
    return tuple((int(index), int(message)) for index, message in parts)

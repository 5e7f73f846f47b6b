"""Where in Telegram a job is shown: what has to be known to change that message years later, or to send one in its place."""

import msgspec

from bot.core.values import MessageRef

PLATFORM = "telegram"

_SEPARATOR, _ALBUM, _INDEX = "/", ",", ":"


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a chat, as an address carries it.

    `user` is whom a private message goes to where the chat is closed, 0 where nobody is behind it. `thread` is the topic, `asked`
    the message that is answered, `message` the one that shows the job; each 0 where there is none. `album` are the pictures' indices
    and the messages with them, where there are several. `signs`: the message that is answered is a person's own, under which a sign
    may be set. `home` is the chat that the messages are in, 0 where that is the address's own. `bot` is whose messages these are:
    to another bot their numbers mean others.
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
        """Return this spot as an address carries it."""
        album = _ALBUM.join(f"{index}{_INDEX}{message}" for index, message in self.album)
        parts = (self.user, self.thread, self.asked, self.message, int(self.signs), album, self.home, self.bot)
        return _SEPARATOR.join(map(str, parts))

    def address(self, chat: int) -> MessageRef:
        """Return the address of this spot in a chat."""
        return MessageRef(PLATFORM, str(chat), self.written)


def bot_of(token: str) -> int:
    """Return the id of the bot that a token is for; 0 where that is none."""
    id = token.partition(":")[0]
    return int(id) if id.isascii() and id.isdecimal() else 0


def shelf_of(token: str) -> str:
    """Return what is kept under for one bot alone: each has its own numbers of updates, and its own names for files."""
    return f"{PLATFORM}:{bot_of(token)}"


def chat_of(address: MessageRef) -> int:
    """Return the chat of an address, or 0 for what is none. Those of groups are below 0."""
    channel = address.channel
    return int(channel) if channel.isascii() and channel.removeprefix("-").isdecimal() else 0


def is_group(chat: int) -> bool:
    """Return whether a chat is one of several people."""
    return chat < 0


def spot_of(address: MessageRef, bot: int = 0) -> SentMessage:
    """Return the spot of an address, for a bot: of another one's messages nothing is left but whose job it is.

    One of several results of a message, `…#2`, is shown in one of its own; what is unreadable is none.
    """
    ref = _read(address.message)
    return ref if not bot or ref.bot in (0, bot) else SentMessage(user=ref.user)


def renamed(message: str) -> str:
    """Return what is left of a spot in a group that became another one, whose messages are counted anew."""
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

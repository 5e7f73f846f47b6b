"""A reference to a job's Discord message: enough to change that message years later, or to send another in its place."""

import time

import msgspec

from bot.core.values import MessageRef

PLATFORM = "discord"

#: The token of an interaction is valid for 15 minutes; this long before its end it is no longer used.
TOKEN_SECONDS, TOKEN_MARGIN = 15 * 60, 60


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a channel, as stored in an address.

    `user` is whom a direct message goes to where the channel is closed. `message` is 0 where there is none yet. `token` opens it
    until the moment `until` (seconds since 1970) without any right in the channel; a message of the bot's own has none. `limit`
    is how many bytes a file may have there, 0 where nobody said. `is_guest`: the bot is not in that channel, but only its command.
    `home` is the channel where the place has another name: between `user` and the bot that of the person, in a thread that of
    the channel `under` which it hangs; 0 where the place is the channel's own.
    """

    user: int = 0
    message: int = 0
    token: str = ""
    until: int = 0
    limit: int = 0
    is_guest: bool = False
    home: int = 0
    under: int = 0

    def address(self, channel: int) -> MessageRef:
        """Return the address of this spot in a channel. A conversation with one person is a place of that person's name."""
        home = self.home if self.home == channel else 0
        parts = (self.user, self.message, self.until, self.limit, int(self.is_guest), home, self.token)
        return MessageRef(PLATFORM, str((self.under or self.user) if home else channel), _SEPARATOR.join(map(str, parts)))

    @property
    def is_open(self) -> bool:
        """Return whether its token is still valid."""
        return bool(self.token) and time.time() < self.until - TOKEN_MARGIN

    @property
    def is_last_call(self) -> bool:
        """Return whether its token opens it only for a moment more: what comes later has to be said now."""
        return bool(self.token) and self.until - TOKEN_MARGIN <= time.time() < self.until


_SEPARATOR = "/"


def channel_of(address: MessageRef) -> int:
    """Return the channel of an address, or 0 if it is invalid."""
    if home := spot_of(address).home:
        return home
    return int(address.channel) if address.channel.isascii() and address.channel.isdecimal() else 0


def spot_of(address: MessageRef) -> SentMessage:
    """Return the reference of an address. A further result of a message, `…#2`, has no message yet; an unreadable address has none."""
    written, mark, _ = address.message.partition("#")
    try:
        user, message, until, limit, guest, home, token = written.split(_SEPARATOR, 6)
        return SentMessage(
            user=int(user),
            message=0 if mark else int(message),
            token=token,
            until=int(until),
            limit=int(limit),
            is_guest=guest == "1",
            home=int(home),
            under=int(address.channel) if int(home) and address.channel != user else 0,
        )
    except ValueError:
        return SentMessage()

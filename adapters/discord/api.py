"""The Discord requests for messages, and the errors for Discord's refusals.

`SentMessage` refers to a job's message: it is enough to change that message years later, or to send another in its place.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import aiohttp
import discord
import msgspec
from discord import ui

from adapters.discord.render import File
from bot.core.values import MessageRef

PLATFORM = "discord"


_SEPARATOR = "/"


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


T = TypeVar("T")

#: Network errors of a request: it is unknown whether it arrived.
SILENCE = (aiohttp.ClientError, OSError, TimeoutError)

#: Discord's codes: a file is too large; a message, or its token, is gone; the channel is gone, or closed to the bot.
_TOO_LARGE, _GONE = {40005}, {10008, 10015, 50027}
_CLOSED = {10003, 10004, 40094, 50001, 50007, 50013, 50083, 50278}

#: How often a message is sent that a user waits for.
_TRIES = 3

#: The length of a nonce.
_MOST_NONCE = 25

#: A nonce is known for some minutes; after that the message is searched among this many of the last messages.
_MOST_LOOKED = 50

#: Number of message tokens stored: those of the last presses.
_MOST_TOKENS = 1_000


class TooLarge(Exception):
    """Discord accepts no message of this size."""


class Closed(Exception):
    """The bot may not write or change anything in this channel."""


class Gone(Exception):
    """The message is deleted, or cannot be opened any more."""


class NotConnected(Exception):
    """There is no connection now: no request was sent."""


#: Every error with which a message may be refused or lost.
REFUSALS = (TooLarge, Closed, Gone, NotConnected, discord.HTTPException, *SILENCE)


class DiscordApi:
    """Sends and changes the bot's messages. `client` returns the connected client, or `None`.

    Everything raises `TooLarge`, `Closed`, `Gone` or `NotConnected`, and else what the library raises: `REFUSALS`.
    """

    def __init__(self, client: Callable[[], discord.Client | None]) -> None:
        self._client = client
        #: The token for a message since one of its buttons was last pressed, and its expiry.
        self._tokens: dict[int, tuple[str, int]] = {}

    def remember(self, interaction: discord.Interaction[Any], message: int) -> None:
        """Note that an interaction opens a message for a while."""
        self._tokens.pop(message, None)
        self._tokens[message] = (interaction.token, int(interaction.created_at.timestamp()) + TOKEN_SECONDS)
        while len(self._tokens) > _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def freshest(self, ref: SentMessage) -> SentMessage:
        """Return a reference with the token that is valid for longest."""
        token, until = self._tokens.get(ref.message, ("", 0))
        return ref if until - TOKEN_MARGIN <= max(ref.until, time.time()) else msgspec.structs.replace(ref, token=token, until=until)

    async def edit(self, channel: int, ref: SentMessage, view: ui.LayoutView, files: Sequence[File]) -> None:
        """Change the message of a reference: by its token while that is valid, else as the bot's own."""
        opened = [one.opened() for one in files]
        if ref.is_open or ref.is_last_call:
            await _asked(self._webhook(ref).edit_message(ref.message, view=view, attachments=opened))
        else:
            message = self._channel(channel).get_partial_message(ref.message)
            # For an edit without text the library leaves out the client's setting for mentions.
            await _asked(message.edit(view=view, attachments=opened, allowed_mentions=discord.AllowedMentions.none()))

    async def send(self, channel: int, view: ui.LayoutView, files: Sequence[File], nonce: str) -> int:
        """Send a message and return its id. The same nonce gives the same message for some minutes, however often it is sent."""
        opened = [one.opened() for one in files]
        return (await _asked(self._channel(channel).send(view=view, files=opened, nonce=nonce[:_MOST_NONCE]))).id

    async def surely(self, channel: int, view: ui.LayoutView, nonce: str) -> int:
        """Send a message without files and return its id; an unconfirmed send is repeated, which the nonce makes the same message."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(discord.DiscordServerError, *SILENCE):
                return await self.send(channel, view, (), nonce)
        return await self.send(channel, view, (), nonce)

    async def follow(self, ref: SentMessage, view: ui.LayoutView, files: Sequence[File]) -> int:
        """Send a further message to a channel that only the token of an interaction opens, and return its id."""
        return (await _asked(self._webhook(ref).send(view=view, files=[one.opened() for one in files], wait=True))).id

    async def known(self, channel: int) -> Any:
        """Return a channel that the library does not know, such as a thread that is older than the connection."""
        return await _asked(self.connected.fetch_channel(channel))

    async def direct(self, user: int) -> int:
        """Return the channel of direct messages with a user."""
        return (await _asked(self.connected.create_dm(discord.Object(user)))).id

    async def delete(self, channel: int, message: int) -> None:
        """Delete a message of the bot."""
        await _asked(self._channel(channel).get_partial_message(message).delete())

    async def find(self, channel: int, job: str, wires: Collection[str]) -> int:
        """Return the bot's last message that shows a job, with no buttons but these, or 0."""
        try:
            return await _asked(self._found(channel, job, frozenset(wires)))
        except Closed:
            # The bot may write there, but not read.
            return 0

    async def _found(self, channel: int, job: str, wires: frozenset[str]) -> int:
        own = self.connected.user
        async for message in self._channel(channel).history(limit=_MOST_LOOKED):
            shown = set(wires_of(message.components))
            # An answer about several jobs has buttons of this one too, and others.
            if own is not None and message.author.id == own.id and shown <= wires and any(job in wire for wire in shown):
                return message.id
        return 0

    @property
    def connected(self) -> discord.Client:
        """Return the client; raises `NotConnected`."""
        client = self._client()
        if client is None or client.is_closed() or client.application_id is None:
            raise NotConnected
        return client

    def _channel(self, channel: int) -> discord.PartialMessageable:
        return self.connected.get_partial_messageable(channel)

    def _webhook(self, ref: SentMessage) -> discord.Webhook:
        client = self.connected
        return discord.Webhook.partial(client.application_id or 0, ref.token, client=client)


def wires_of(components: Iterable[Any]) -> Iterator[str]:
    """Yield the wires of the buttons and lists of a message."""
    for component in components:
        if isinstance(wire := getattr(component, "custom_id", None), str):
            yield wire
        yield from (option.value for option in getattr(component, "options", ()))
        yield from wires_of(getattr(component, "children", ()))


async def _asked(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except discord.HTTPException as error:
        if error.code in _TOO_LARGE or error.status == 413:
            raise TooLarge from None
        if error.code in _GONE:
            raise Gone from None
        # Without a code the refusal comes not from Discord, but from the proxy in front of it.
        if error.code in _CLOSED or (error.status == 403 and error.code):
            raise Closed from None
        raise


#: The token of an interaction is valid for 15 minutes; this long before its end it is no longer used.
TOKEN_SECONDS, TOKEN_MARGIN = 15 * 60, 60


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

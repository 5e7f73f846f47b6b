"""What is asked of Discord about messages, and what its refusals mean."""

import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import aiohttp
import discord
import msgspec
from discord import ui

from adapters.discord.message_ref import TOKEN_MARGIN, TOKEN_SECONDS, SentMessage
from adapters.discord.uploads import File

T = TypeVar("T")

#: What the network does to a request: whether it arrived, nobody knows.
SILENCE = (aiohttp.ClientError, OSError, TimeoutError)

#: Discord's codes: a file is too large; a message, or what opens it, is gone; the channel is gone, or closed to the bot.
_TOO_LARGE, _GONE = {40005}, {10008, 10015, 50027}
_CLOSED = {10003, 10004, 40094, 50001, 50007, 50013, 50083, 50278}

#: How often a message is sent that somebody waits for.
_TRIES = 3

#: A nonce has so many characters.
_MOST_NONCE = 25

#: A nonce is known for some minutes; after that a message is looked for among so many of the last ones.
_MOST_LOOKED = 50

#: The tokens of messages that are kept: those of the last presses.
_MOST_TOKENS = 1_000


class TooLarge(Exception):
    """Discord takes no message of this size."""


class Closed(Exception):
    """The bot may write or change nothing there."""


class Gone(Exception):
    """The message is not there any more, or cannot be opened any more."""


class NotConnected(Exception):
    """There is no connection now: nothing was asked."""


#: Everything that a message may be refused with, or lost by.
REFUSALS = (TooLarge, Closed, Gone, NotConnected, discord.HTTPException, *SILENCE)


class DiscordApi:
    """The messages of the bot. `client` gives the one that is connected now, or nothing.

    Everything raises `TooLarge`, `Closed`, `Gone` or `NotConnected`, and else what the library raises: `REFUSALS`.
    """

    def __init__(self, client: Callable[[], discord.Client | None]) -> None:
        self._client = client
        #: What opens a message since a button of it was pressed last, and until when.
        self._tokens: dict[int, tuple[str, int]] = {}

    def remember(self, interaction: discord.Interaction[Any], message: int) -> None:
        """Note that an interaction opens a message for a while."""
        self._tokens.pop(message, None)
        self._tokens[message] = (interaction.token, int(interaction.created_at.timestamp()) + TOKEN_SECONDS)
        while len(self._tokens) > _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def freshest(self, ref: SentMessage) -> SentMessage:
        """Return a spot with the token that opens it for longest."""
        token, until = self._tokens.get(ref.message, ("", 0))
        return ref if until - TOKEN_MARGIN <= max(ref.until, time.time()) else msgspec.structs.replace(ref, token=token, until=until)

    async def edit(self, channel: int, ref: SentMessage, view: ui.LayoutView, files: Sequence[File]) -> None:
        """Change the message of a spot: by its token while that opens it, else as the bot's own."""
        opened = [one.opened() for one in files]
        if ref.is_open or ref.is_last_call:
            await _asked(self._webhook(ref).edit_message(ref.message, view=view, attachments=opened))
        else:
            message = self._channel(channel).get_partial_message(ref.message)
            # For an edit without words in it the library leaves out what the client says of mentions.
            await _asked(message.edit(view=view, attachments=opened, allowed_mentions=discord.AllowedMentions.none()))

    async def send(self, channel: int, view: ui.LayoutView, files: Sequence[File], nonce: str) -> int:
        """Send a message and return its id. The same nonce is the same message for some minutes, however often it is sent."""
        opened = [one.opened() for one in files]
        return (await _asked(self._channel(channel).send(view=view, files=opened, nonce=nonce[:_MOST_NONCE]))).id

    async def surely(self, channel: int, view: ui.LayoutView, nonce: str) -> int:
        """Send a message without files and return its id; what nobody heard of is sent again, which its nonce makes the same message."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(discord.DiscordServerError, *SILENCE):
                return await self.send(channel, view, (), nonce)
        return await self.send(channel, view, (), nonce)

    async def follow(self, ref: SentMessage, view: ui.LayoutView, files: Sequence[File]) -> int:
        """Send one more message to where only the token of an interaction is let in, and return its id."""
        return (await _asked(self._webhook(ref).send(view=view, files=[one.opened() for one in files], wait=True))).id

    async def known(self, channel: int) -> Any:
        """Return a channel that the library has not heard of, such as a thread that is older than the connection."""
        return await _asked(self.connected.fetch_channel(channel))

    async def direct(self, user: int) -> int:
        """Return the channel of direct messages with somebody."""
        return (await _asked(self.connected.create_dm(discord.Object(user)))).id

    async def delete(self, channel: int, message: int) -> None:
        """Delete a message of the bot's own."""
        await _asked(self._channel(channel).get_partial_message(message).delete())

    async def find(self, channel: int, job: str, wires: Collection[str]) -> int:
        """Return the last message of the bot's own that shows a job, with none but these buttons, or 0."""
        try:
            return await _asked(self._found(channel, job, frozenset(wires)))
        except Closed:
            # It may write there, and not read.
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
    """Yield what the buttons and lists of a message carry."""
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
        # Without a code it is not Discord that says no, but the wall before it.
        if error.code in _CLOSED or (error.status == 403 and error.code):
            raise Closed from None
        raise

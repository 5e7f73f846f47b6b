"""The life cycle of the Discord adapter: it connects, registers changed commands with Discord, and shows job views."""

import asyncio
import contextlib
import logging
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

import discord
import msgspec

from adapters.base import Bot
from adapters.discord import commands
from adapters.discord.api import PLATFORM, TOKEN_MARGIN, Closed, DiscordApi, Gone, NotConnected, TooLarge, channel_of, spot_of
from adapters.discord.client import Client, Connection, is_elsewhere, lead
from adapters.discord.delivery import Sender, later
from adapters.discord.interactions import InteractionHandler
from adapters.discord.render import STEPS
from adapters.shared.card_throttle import SETTLE_AGAIN_SECONDS, CardThrottle
from bot.core.values import MessageRef
from bot.framework.reply import Reply
from bot.jobs.delivery import Later, Outcome, OutgoingResult, Refused, Sent, Unknown
from bot.store.database import now
from bot.store.jobs.job import WAITING
from bot.views.job_card import JobView

log = logging.getLogger("easel.discord")

#: How long the start waits for the bot's name from Discord: without an answer by then, the ready message leaves it out.
_LOGIN_SECONDS = 5.0

#: How often to check for changed queue positions, and for answers that soon cannot be changed any more.
_LOOK_SECONDS = 15.0

#: Jobs that wait for longer than this get no more updates: Discord seldom lets old messages be changed.
_WATCHED = timedelta(hours=1)

#: Where the digest of the commands registered with Discord is stored, beside the images.
_NOTES = "discord"

#: The bot's permissions in a server: see the channel, write in it and in its threads, show images, read its own messages.
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)


def invitation(application: int) -> str:
    """Return the link that invites the bot with the least permissions it needs."""
    return discord.utils.oauth_url(application, permissions=PERMISSIONS, scopes=("bot", "applications.commands"))


class DiscordAdapter:
    """Discord. Entering it starts connecting, and retries until that succeeds."""

    platform = PLATFORM

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._section = section = bot.config.discord
        most_bytes = round(section.file_mib * 2**20)
        self._connection = Connection(self._client, section.token)
        self._posts = DiscordApi(lambda: self._connection.client)
        self._desk = InteractionHandler(bot, self._posts, most_bytes)
        self._sender = Sender(bot.app.store, self._posts, most_bytes)
        self._pace = CardThrottle(self._sender.show, (Closed, Gone), bot)
        #: The jobs that are shown and have not ended: their last view, and its channel.
        self._open: dict[str, tuple[JobView, MessageRef]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Return the link that invites the bot; the address of Discord until it is known, and on another server, which has no such link."""
        client = self._connection.client
        application = client.application_id if client is not None else None
        base = self._section.api_base
        return base if application is None or is_elsewhere(base) else invitation(application)

    async def __aenter__(self) -> Self:
        lead(self._section.api_base)
        self._tasks = [asyncio.create_task(self._connection.keep()), asyncio.create_task(self._look())]
        await self._known()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._pace.close()
        tasks = [*self._tasks, *([self._telling] if self._telling is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show a job view when its channel may be changed again."""
        if not spot_of(address).user:
            return
        known = self._open.get(card.job)
        if card.is_open:
            self._open[card.job] = (card, address)
            if known is not None and card.state == WAITING and known[0].status == card.status:
                return
        else:
            self._open.pop(card.job, None)
        self._pace.offer(card, address)

    def is_mirrored(self, platform: str) -> bool:
        """Return False: all processes write to the same Discord."""
        del platform
        return False

    async def settle(self, job: str, address: MessageRef) -> None:
        """Drop pending views of a job that is about to end."""
        del address
        self._open.pop(job, None)
        await self._pace.settle(job)

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended, after any view of it that is being sent."""
        self._open.pop(outgoing.card.job, None)
        if not await self._pace.settle(outgoing.card.job):
            return Later("progress pending", SETTLE_AGAIN_SECONDS)
        return await self._sender.deliver(outgoing)

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Send an unsolicited message; if images are not allowed in the channel, as text alone."""
        try:
            if not await self._may_show(channel_of(address)):
                reply = msgspec.structs.replace(reply, pictures=())
            return Sent(str(await self._said(address, reply, key)))
        except (Closed, Gone) as refusal:
            return Refused(type(refusal).__name__)
        except TooLarge:
            return Unknown("too large")
        except NotConnected:
            return Later("not connected")
        except discord.HTTPException as error:
            # Any other refusal of Discord is not the channel's fault.
            outcome = later(error)
            return outcome if isinstance(outcome, Later) else Unknown(outcome.reason)
        except Exception as error:
            return Later(type(error).__name__, unsure=True)

    async def _may_show(self, channel: int) -> bool:
        """Return whether images may be shown in a channel. The library does not know old threads until it asks."""
        if not self._section.age_restricted:
            return True
        return self._desk.is_open(self._posts.connected.get_channel(channel) or await self._posts.known(channel))

    async def _said(self, address: MessageRef, reply: Reply, key: str) -> int:
        """Send a message with images that shrink until Discord accepts them, at last with none; return the message."""
        limit = spot_of(address).limit
        for step in range(STEPS - 1):
            with contextlib.suppress(TooLarge):
                return await self._posts.send(channel_of(address), *await self._desk.shown(reply, limit, step), key)
        return await self._posts.send(channel_of(address), *await self._desk.shown(reply, limit, STEPS - 1), key)

    def _client(self) -> Client:
        return Client(self._section, self._desk, self._ready)

    async def _known(self) -> None:
        """Wait briefly until Discord has sent the bot's name."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connection.tried.wait(), _LOGIN_SECONDS)

    def _ready(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        """Register the commands with Discord if they have changed since the last time."""
        client = self._connection.client
        if not isinstance(client, Client) or client.application_id is None:
            return
        files, name = self._bot.app.store.files, f"commands-{client.application_id}"
        digest = await commands.digest(client.tree, self._section.api_base)
        try:
            if (await files.notes(_NOTES)).get(name) == digest:
                return
            await client.tree.sync()
            await files.note(_NOTES, name, digest)
            log.info("discord.commands_told count=%s", len(client.tree.get_commands(type=None)))
        except Exception as error:
            # The next connection retries; until then the old commands remain.
            log.error("discord.commands_not_told reason=%s", type(error).__name__)

    async def _look(self) -> None:
        """Keep the views of queued jobs current, and announce in time where the image of a long job will appear."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for job, (card, address) in tuple(self._open.items()):
                ref = self._posts.freshest(spot_of(address))
                # A result delivered while other jobs were checked must not be overwritten.
                if self._open.get(job) != (card, address):
                    continue
                if ref.is_last_call and ref.until - time.time() > TOKEN_MARGIN / 2:
                    self._pace.offer(card, address)
                elif card.state == WAITING:
                    with contextlib.suppress(Exception):
                        await self._renewed(job)

    async def _renewed(self, job_id: str) -> None:
        """Show the current state of a queued job; a job that no longer exists is not checked again."""
        job = await self._bot.app.store.jobs.get(job_id)
        if job is None or now() - job.created > _WATCHED:
            self._open.pop(job_id, None)
        else:
            await self._bot.refresh(job_id)

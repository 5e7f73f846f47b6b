"""The life cycle of the Telegram adapter: it listens, registers changed commands with Telegram, and shows job views."""

import asyncio
import contextlib
import logging
import os
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import yarl
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

from adapters.base import Bot
from adapters.shared.card_throttle import SETTLE_AGAIN_SECONDS, CardThrottle
from adapters.shared.http_server import Server, listening
from adapters.telegram import commands_menu
from adapters.telegram.albums import Albums
from adapters.telegram.api import SECONDS, UPLOAD_SECONDS, Closed, Gone, Moved, Silence, TelegramApi, Unreached
from adapters.telegram.delivery import Sender
from adapters.telegram.file_id_cache import FileIdCache
from adapters.telegram.message_ref import PLATFORM, bot_key, bot_of, chat_of, is_group, renamed, spot_of
from adapters.telegram.polling import Polling, Webhook
from adapters.telegram.rate_limit import MOST_IN_GROUP, Busy, RateLimiter
from adapters.telegram.replies import Replies
from adapters.telegram.update_inbox import UpdateInbox
from adapters.telegram.updates import UpdateHandler
from adapters.telegram.webhook import door
from bot.core.values import MessageRef
from bot.framework.reply import Reply
from bot.jobs.delivery import Later, Outcome, OutgoingResult, Refused, Sent, Unknown
from bot.views.job_card import JobView

log = logging.getLogger("easel.telegram")

#: How long the start waits for the bot's name from Telegram: without an answer by then, the ready message leaves it out.
_LOGIN_SECONDS = 5.0

#: Seconds between two changes of one job view, which is as often as a phone shows them without flicker.
_MESSAGE_SECONDS, _PLACE_SECONDS = 3.0, 1.1

#: How long messages that can be sent later wait for the rate limit of their chat: two messages there are about a second apart.
_PATIENCE_SECONDS = 3.0

#: Requests of the whole bot in a second.
_MOST_IN_SECOND = 30

#: Where the digest of the commands registered with Telegram is stored, beside the images.
_NOTES = "telegram"


def api_of(bot: Bot) -> ExtBot[int]:
    """Return the library's bot; the caller closes it."""
    section = bot.config.telegram
    # The library must be told which time type to return before it returns any.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    request = HTTPXRequest(read_timeout=SECONDS, write_timeout=SECONDS, pool_timeout=SECONDS, media_write_timeout=UPLOAD_SECONDS)
    # Each chat has its own limit in `budget`, which knows which messages can be left out; the library limits the sum of all.
    limiter = AIORateLimiter(overall_max_rate=_MOST_IN_SECOND, overall_time_period=1, group_max_rate=0, max_retries=0)
    return ExtBot(section.token, section.api_base, section.file_base, request=request, rate_limiter=limiter)


class TelegramAdapter:
    """Telegram. Entering it starts listening, and retries until that succeeds."""

    platform = PLATFORM

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._section = section = bot.config.telegram
        self._api = api_of(bot)
        self._budget = RateLimiter()
        patient, photos = TelegramApi(self._api, self._budget), FileIdCache(bot.app.store, bot_key(section.token))
        # Messages that can be sent later use no capacity that others could use meanwhile.
        posts = TelegramApi(self._api, self._budget, _PATIENCE_SECONDS)
        self._sender = Sender(bot.app.store, posts, patient, photos, bot_of(section.token))
        self._replies = Replies(bot, self._api, patient, self._sender, photos)
        albums = Albums(self._api)
        self._letters = UpdateInbox(self._api, bot.app.store, UpdateHandler(self._replies, albums).act, albums.came)
        webhook = Webhook(section.webhook_url, section.webhook_secret) if section.mode == "webhook" else None
        self._listening = Polling(self._api, bot.app.store, self._letters, self._tell, webhook)
        self._pace = CardThrottle(
            *(self._sender.show, (Closed, Gone), bot),
            has_room=self._has_room,
            place_seconds=_PLACE_SECONDS,
            message_seconds=_MESSAGE_SECONDS,
        )
        self._task: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()

    @property
    def address(self) -> str:
        """Return the link to the bot; the address of Telegram until the link is known."""
        return self._api.link if self._listening.is_known else str(yarl.URL(self._section.api_base).origin())

    async def __aenter__(self) -> Self:
        if self._section.mode == "webhook":
            await self._knock()
        self._task = asyncio.create_task(self._listening.keep())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.tried.wait(), _LOGIN_SECONDS)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The webhook first: no further updates arrive.
        await self._stack.aclose()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._letters.rest()
        await self._pace.close()
        with contextlib.suppress(Exception):
            await self._api.shutdown()

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show a job view when its chat may receive a message again."""
        self._pace.offer(card, address)

    def is_mirrored(self, platform: str) -> bool:
        """Return False: all processes write to the same Telegram."""
        del platform
        return False

    async def settle(self, job: str, address: MessageRef) -> None:
        """Drop pending views of a job that is about to end."""
        del address
        await self._pace.settle(job)

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended, after any view of it that is being sent."""
        if not await self._pace.settle(outgoing.card.job):
            return Later("progress pending", SETTLE_AGAIN_SECONDS)
        return await self._sender.deliver(outgoing)

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Send an unsolicited message, in the topic of an address."""
        del key
        try:
            try:
                return Sent(await self._replies.post(chat_of(address), spot_of(address).thread, reply))
            except Moved as moved:
                # The new chat has other topics, if it has any.
                await self._bot.app.store.channels.moved(address, MessageRef(PLATFORM, str(moved.chat)), renamed)
                return Sent(await self._replies.post(moved.chat, 0, reply))
        except Closed:
            return Refused("closed")
        except (Busy, Moved, Unreached) as error:
            return Later(type(error).__name__)
        except Silence as error:
            return Later(str(error), unsure=True)
        except Exception as error:
            return Unknown(type(error).__name__)

    async def _has_room(self, channel: str) -> bool:
        """Return whether a chat may receive a progress message, with room for the results that come next there."""
        address, kept = MessageRef(PLATFORM, channel), 0
        if is_group(chat := chat_of(address)):
            try:
                ends = await self._bot.app.store.work.ends(address, MOST_IN_GROUP)
            except Exception as error:
                log.info("telegram.no_room reason=%s", type(error).__name__)
                return False
            # An album takes a message for each image, plus the job view.
            kept = sum(count + 1 if count > 1 else 1 for count in ends)
        return self._budget.has_room(chat, kept + 1)

    async def _knock(self) -> None:
        """Open the webhook for updates from Telegram; raises `BadConfig`."""
        section = self._section
        server = Server(door(self._letters, section.webhook_secret, yarl.URL(section.webhook_url).path))
        serving = asyncio.create_task(server.serve([listening(section.webhook_host, section.webhook_port)]))

        async def leave() -> None:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)

        self._stack.push_async_callback(leave)

    async def _tell(self) -> None:
        """Register the commands with Telegram if they have changed since the last time."""
        files, name = self._bot.app.store.files, f"commands-{self._api.id}"
        wanted = commands_menu.menus(self._bot.app.commands.values())
        digest = commands_menu.digest(wanted, self._section.api_base)
        try:
            if (await files.notes(_NOTES)).get(name) == digest:
                return
            await commands_menu.tell(self._api, wanted)
            await files.note(_NOTES, name, digest)
            log.info("telegram.commands_told count=%s", len(self._bot.app.commands))
        except Exception as error:
            # The next connection retries; until then the old commands remain.
            log.error("telegram.commands_not_told reason=%s", type(error).__name__)

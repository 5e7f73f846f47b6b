"""Receives updates from Telegram: each is stored before Telegram gets confirmation, and handled once, in the order of its chat."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import telegram
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from adapters.telegram.message_ref import bot_key
from adapters.telegram.update_inbox import FIRST_PAUSE, LONGEST_PAUSE, MOST_AT_ONCE, UpdateInbox
from bot.store.store import Store

log = logging.getLogger("easel.telegram")

#: Requested update types: all others would only be discarded.
HEARD = ("message", "edited_message", "channel_post", "callback_query", "inline_query", "my_chat_member")

#: How long Telegram holds a request open while there are no updates.
_POLL_SECONDS = 25

#: Only one process polls; how long its lease lasts, and how often it renews it.
LEASE_SECONDS, BEAT_SECONDS = 20.0, 5.0

#: How long the warning about another polling program is suppressed: two that take turns would repeat it every time.
_TOLD_SECONDS = 600.0


class Webhook(msgspec.Struct, frozen=True):
    """The address to which Telegram sends updates, and the secret that identifies it."""

    url: str
    secret: str


class Polling:
    """Polls Telegram for updates, or receives them by webhook; one process at a time, by a lease in the store."""

    def __init__(
        self, api: telegram.Bot, store: Store, inbox_updates: UpdateInbox, ready: Callable[[], Awaitable[None]], webhook: Webhook | None
    ) -> None:
        self._api = api
        self._store = store
        self._letters = inbox_updates
        self._ready = ready
        self._webhook = webhook
        self._lease = bot_key(api.token)
        #: Set once the bot's name is known, or could not be fetched.
        self.tried = asyncio.Event()
        self.is_known = False

    async def keep(self) -> None:
        """Listen, forever."""
        pause = FIRST_PAUSE
        while True:
            reason, began = "closed", time.monotonic()
            try:
                await self._api.initialize()
                self.is_known = True
                self.tried.set()
                await self._ready()
                await self._in_turn()
            except InvalidToken:
                reason = "the token is not known"
            except TelegramError as error:
                reason = type(error).__name__
            except Exception as error:
                # Retry, whatever error the library raises.
                reason = type(error).__name__
            self.tried.set()
            if time.monotonic() - began > LONGEST_PAUSE:
                # The connection lasted for long.
                pause = FIRST_PAUSE
            log.warning("telegram.disconnected reason=%s seconds=%.0f", reason, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _in_turn(self) -> None:
        """Listen while no other process does."""
        leases, own = self._store.leases, f"{self._lease}/{self._letters.runner}"
        try:
            # Updates that this process released while the store was unavailable.
            await self._letters.release()
            if not await self._is_first():
                await self._follow(own)
            await self._lead()
        finally:
            # The process that listens now takes up all unfinished updates.
            await self._letters.rest()
            for lease in (own, self._lease):
                with contextlib.suppress(Exception):
                    await leases.leave(lease, self._letters.runner)

    async def _is_first(self) -> bool:
        """Acquire or renew the lease for listening."""
        return await self._store.leases.take(self._lease, self._letters.runner, LEASE_SECONDS)

    async def _follow(self, own: str) -> None:
        """Wait until the listening process is gone. It takes up abandoned updates; updates sent to this process are handled here."""
        while True:
            # This lease tells the other process that the updates here are being handled.
            await self._store.leases.take(own, self._letters.runner, LEASE_SECONDS)
            self._letters.go()
            if await self._is_first():
                return
            await asyncio.sleep(BEAT_SECONDS)

    async def _lead(self) -> None:
        """Listen, and take up updates that others abandoned, for as long as the lease holds."""
        # Before any new update: in its chat it came first.
        await self._letters.gather()
        self._letters.go()
        tasks = [asyncio.create_task(self._keep_lease()), asyncio.create_task(self._listen())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _keep_lease(self) -> None:
        while await self._is_first():
            await self._letters.gather()
            await asyncio.sleep(BEAT_SECONDS)

    async def _listen(self) -> None:
        if self._webhook is not None:
            await self._api.set_webhook(
                self._webhook.url, allowed_updates=HEARD, secret_token=self._webhook.secret, max_connections=MOST_AT_ONCE
            )
            await asyncio.Event().wait()
        # Pending updates are not dropped: users sent them.
        await self._api.delete_webhook(drop_pending_updates=False)
        await self._poll()

    async def _poll(self) -> None:
        offset, pause, told = 0, FIRST_PAUSE, -_TOLD_SECONDS
        while True:
            try:
                found = await self._ask(offset)
            except RetryAfter as error:
                after = error.retry_after
                await asyncio.sleep(after if isinstance(after, int) else after.total_seconds())
                continue
            except InvalidToken:
                raise
            except TelegramError as error:
                if not isinstance(error, Conflict):
                    log.warning("telegram.unheard reason=%s seconds=%.0f", type(error).__name__, pause)
                elif time.monotonic() - told >= _TOLD_SECONDS:
                    log.error("telegram.conflict another program uses this token; stop it, or give it its own token")
                    told = time.monotonic()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if found:
                # Stored first: with the next request Telegram drops them.
                await self._letters.take((str(one["update_id"]), json.dumps(one).encode()) for one in found)
                offset = found[-1]["update_id"] + 1

    async def _ask(self, offset: int) -> list[dict[str, Any]]:
        """Return Telegram's updates as they come.

        The library's own method parses all updates at once: a single update type unknown to it would block all others.
        """
        given = {"offset": offset, "timeout": _POLL_SECONDS, "allowed_updates": HEARD}
        return cast("list[dict[str, Any]]", await self._api._post("getUpdates", given, read_timeout=_POLL_SECONDS + 10))

"""Hearing from Telegram: what comes is kept before Telegram is told that it came, and acted on once, in the order of its chat."""

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

from adapters.telegram.message_ref import shelf_of
from adapters.telegram.update_inbox import FIRST_PAUSE, LONGEST_PAUSE, MOST_AT_ONCE, UpdateInbox
from bot.store.store import Store

log = logging.getLogger("easel.telegram")

#: What is asked for: everything else would only be thrown away.
HEARD = ("message", "edited_message", "channel_post", "callback_query", "inline_query", "my_chat_member")

#: How long Telegram holds an answer while it has nothing to tell.
_POLL_SECONDS = 25

#: Only one process asks; how long it is believed to live, and how often it says so.
LEASE_SECONDS, BEAT_SECONDS = 20.0, 5.0

#: How long it is not said again that another program asks: two that take turns would have it said with every turn.
_TOLD_SECONDS = 600.0


class Webhook(msgspec.Struct, frozen=True):
    """Where Telegram brings its news to, and the word by which it is known."""

    url: str
    secret: str


class Polling:
    """Asks Telegram for news, or has it bring them; one process at a time, by a lease in the store."""

    def __init__(
        self, api: telegram.Bot, store: Store, inbox_updates: UpdateInbox, ready: Callable[[], Awaitable[None]], webhook: Webhook | None
    ) -> None:
        self._api = api
        self._store = store
        self._letters = inbox_updates
        self._ready = ready
        self._webhook = webhook
        self._lease = shelf_of(api.token)
        #: Set once the bot knows who it is, or could not learn it.
        self.tried = asyncio.Event()
        self.is_known = False

    async def keep(self) -> None:
        """Listen, for ever."""
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
                # Whatever the library stumbles over, it is tried again.
                reason = type(error).__name__
            self.tried.set()
            if time.monotonic() - began > LONGEST_PAUSE:
                # All was well for long.
                pause = FIRST_PAUSE
            log.warning("telegram.disconnected reason=%s seconds=%.0f", reason, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _in_turn(self) -> None:
        """Listen while no other process does."""
        leases, own = self._store.leases, f"{self._lease}/{self._letters.runner}"
        try:
            # What this process let go of while the store was away.
            await self._letters.release()
            if not await self._is_first():
                await self._follow(own)
            await self._lead()
        finally:
            # Whoever listens now takes up all that is not done.
            await self._letters.rest()
            for lease in (own, self._lease):
                with contextlib.suppress(Exception):
                    await leases.leave(lease, self._letters.runner)

    async def _is_first(self) -> bool:
        """Ask for the lease of the one that listens, or keep it."""
        return await self._store.leases.take(self._lease, self._letters.runner, LEASE_SECONDS)

    async def _follow(self, own: str) -> None:
        """Wait until the one that listens is gone. It sees to what was left behind; what is brought here is this process' own to act on."""
        while True:
            # By this lease the other knows that somebody acts on that.
            await self._store.leases.take(own, self._letters.runner, LEASE_SECONDS)
            self._letters.go()
            if await self._is_first():
                return
            await asyncio.sleep(BEAT_SECONDS)

    async def _lead(self) -> None:
        """Listen, and see to what others leave behind, for as long as the lease is given."""
        # Before anything is heard: in its chat it came first.
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
        # What was waiting is not dropped: people asked for it.
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
                # Kept first: with the next question Telegram forgets them.
                await self._letters.take((str(one["update_id"]), json.dumps(one).encode()) for one in found)
                offset = found[-1]["update_id"] + 1

    async def _ask(self, offset: int) -> list[dict[str, Any]]:
        """Return what Telegram has to tell, as it comes.

        The library's own method takes all of it apart at once: of one update that is new to it, it would hear nothing any more.
        """
        given = {"offset": offset, "timeout": _POLL_SECONDS, "allowed_updates": HEARD}
        return cast("list[dict[str, Any]]", await self._api._post("getUpdates", given, read_timeout=_POLL_SECONDS + 10))

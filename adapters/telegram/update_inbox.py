"""Handles each stored Telegram update once, in the order of its chat: it is stored before Telegram gets confirmation."""

import asyncio
import contextlib
import heapq
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar

import telegram
from telegram import Update

from adapters.telegram.message_ref import bot_key
from bot.core.process_id import runner_name
from bot.store.store import Store

log = logging.getLogger("easel.telegram")

#: The delay after a failure, which doubles up to the longest delay.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

#: Number of updates handled at a time.
MOST_AT_ONCE = 32

#: How long updates being handled may take to end.
_END_SECONDS = 2.0

Act = Callable[[Update], Awaitable[None]]


class UpdateInbox:
    """Handles stored updates, once told to `go`. It handles each chat's updates in sequence; an update is done when its handler ends.

    Updates handled here belong to `runner`, and no other process takes them while this process has a lease. `came` is called with each
    update before its turn in its chat.
    """

    def __init__(self, api: telegram.Bot, store: Store, act: Act, came: Callable[[bytes], None] = lambda _: None) -> None:
        self._api = api
        self._store = store
        self._act = act
        self._came = came
        self._bot_key = bot_key(api.token)
        self.runner = runner_name()
        #: Waiting updates by chat; the lowest number is next, in whatever order they arrived.
        self._lanes: dict[int, list[tuple[int, bytes]]] = {}
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._in_hand: set[str] = set()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._taking = asyncio.Lock()
        self._goes = False

    async def take(self, inbox_updates: Iterable[tuple[str, bytes]]) -> None:
        """Store updates, each a number and a body, and handle the new ones. Once this returns nothing can be lost."""
        bodies = dict(inbox_updates)
        async with self._taking:
            # Updates that arrive while this process handles none belong to the process that takes up abandoned updates.
            runner = self.runner if self._goes else None
            new = await self._store.inbox.take(self._bot_key, bodies.items(), runner)
            for number in new if runner else ():
                self._begin(number, bodies[number])

    async def gather(self) -> None:
        """Take up updates without a runner: their process is gone, or could not handle them."""
        async with self._taking:
            while found := await self._store.inbox.claim(self._bot_key, self.runner):
                for inbox_update in found:
                    self._begin(inbox_update.update, inbox_update.body)

    async def release(self) -> None:
        """Release all unfinished updates."""
        await self._store.inbox.release(self._bot_key, self.runner)

    def go(self) -> None:
        """Handle all updates from now on."""
        self._goes = True
        for chat in self._lanes:
            self._start(chat)

    async def rest(self) -> None:
        """Stop: updates being handled have a moment to end, and unfinished updates are left to the process that gathers them next."""
        self._goes = False
        async with self._taking:
            for chat_queue in self._lanes.values():
                self._in_hand.difference_update(str(number) for number, _ in chat_queue)
                chat_queue.clear()
        if tasks := tuple(self._at_work.values()):
            _, late = await asyncio.wait(tasks, timeout=_END_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(Exception):
            # If the store is unavailable they become free once this process has no lease any more.
            await self.release()

    def _begin(self, number: str, body: bytes) -> None:
        if number in self._in_hand:
            return
        self._in_hand.add(number)
        self._came(body)
        chat = _chat_of(body)
        heapq.heappush(self._lanes.setdefault(chat, []), (int(number), body))
        self._start(chat)

    def _start(self, chat: int) -> None:
        if self._goes and chat not in self._at_work:
            self._at_work[chat] = asyncio.create_task(self._empty(chat))

    async def _empty(self, chat: int) -> None:
        chat_queue = self._lanes[chat]
        enter(self._room)
        try:
            while self._goes and chat_queue:
                async with self._room:
                    # The inbox may have been stopped while this waited for capacity.
                    if self._goes and chat_queue:
                        number, body = heapq.heappop(chat_queue)
                        await self._one(str(number), body)
        finally:
            del self._at_work[chat]
            if not chat_queue:
                del self._lanes[chat]

    async def _one(self, number: str, body: bytes) -> None:
        try:
            try:
                await self._act(Update.de_json(json.loads(body), self._api))
            except Exception:
                # An update that cannot be handled now could not be handled later either.
                log.exception("telegram.broke update=%s", number)
            await self._done(number)
        finally:
            self._in_hand.discard(number)

    async def _done(self, number: str) -> None:
        """Mark an update as done, with retries: later updates must not wait for the next start."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._store.inbox.done(self._bot_key, number)
            except Exception as error:
                log.warning("telegram.undone update=%s reason=%s seconds=%.0f", number, type(error).__name__, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return


def _chat_of(body: bytes) -> int:
    """Return the chat of an update, or its sender; 0 if unknown."""
    try:
        said = next(said for kind, said in json.loads(body).items() if kind != "update_id")
        about = said.get("message") or said
        return int((about.get("chat") or said["from"])["id"])
    except (StopIteration, AttributeError, KeyError, TypeError, ValueError):
        return 0


_ROOM: ContextVar[asyncio.Semaphore | None] = ContextVar("room", default=None)


def enter(room: asyncio.Semaphore) -> None:
    """Note that from now on the work of this task is done within a semaphore."""
    _ROOM.set(room)


@asynccontextmanager
async def aside() -> AsyncIterator[None]:
    """Release this task's slot in the semaphore while it waits, so that others are not held up."""
    room = _ROOM.get()
    if room is None:
        yield
        return
    room.release()
    try:
        yield
    finally:
        await room.acquire()

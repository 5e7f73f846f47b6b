"""Limits the messages to each chat: Telegram counts them, and rejects messages beyond its limit."""

import asyncio
import math
import time
from collections import deque

from adapters.telegram.message_ref import is_group

#: Messages, including edits, to a group in a minute; to every chat about one a second.
MOST_IN_GROUP, MINUTE, SECOND = 20, 60.0, 1.0

#: Number of chats remembered; a chat without messages for a minute can be dropped.
_MOST_CHATS = 10_000


class Busy(Exception):
    """A chat must receive no messages for a number of seconds: Telegram demands it."""

    reason = "flood"

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Spent(Busy):
    """A chat has reached its limit for a number of seconds; Telegram did not have to demand it."""

    reason = "budget"


class _Chat:
    """One chat: the times of its recent messages, and the time from which it may receive messages again."""

    def __init__(self) -> None:
        self.told: deque[float] = deque()
        self.rests = 0.0
        self.turn = asyncio.Lock()
        self.waiting = 0


class RateLimiter:
    """The rate limits of all chats."""

    def __init__(self, minute: float = MINUTE, second: float = SECOND) -> None:
        self._minute = minute
        self._second = second
        self._chats: dict[int, _Chat] = {}

    async def turn(self, chat: int, count: int = 1, patience: float = math.inf) -> None:
        """Wait until a chat may receive a number of messages, in the order of the requests.

        Raises `Spent` if that would take longer than the `patience`, in seconds; nothing is consumed then.
        """
        here = self._chat(chat)
        if (ahead := self._pause(chat, here, here.waiting + count) + here.waiting * self._second) > patience:
            raise Spent(ahead)
        here.waiting += count
        try:
            async with here.turn:
                # Telegram may demand a longer rest in the meantime.
                while (pause := self._pause(chat, here, count)) > 0:
                    if pause > patience:
                        raise Spent(pause)
                    await asyncio.sleep(pause)
                here.told.extend([time.monotonic()] * count)
        finally:
            here.waiting -= count

    def has_room(self, chat: int, kept: int) -> bool:
        """Return whether a chat may receive a message at once, with room for a number of other messages in the same minute."""
        here = self._chat(chat)
        if here.waiting or self._pause(chat, here, 1) > 0:
            return False
        return not is_group(chat) or len(here.told) + kept < MOST_IN_GROUP

    def rest(self, chat: int, seconds: float) -> None:
        """Send a chat nothing for a while: Telegram demands it."""
        self._chat(chat).rests = time.monotonic() + seconds

    def _pause(self, chat: int, here: _Chat, count: int) -> float:
        """Return for how long the chat may receive nothing more."""
        moment = time.monotonic()
        while here.told and here.told[0] <= moment - self._minute:
            here.told.popleft()
        pauses = [here.rests - moment]
        if here.told:
            pauses.append(here.told[-1] + self._second - moment)
        if is_group(chat) and (over := len(here.told) + min(count, MOST_IN_GROUP) - MOST_IN_GROUP) > 0:
            pauses.append(here.told[over - 1] + self._minute - moment)
        return max(pauses)

    def _chat(self, chat: int) -> _Chat:
        if chat not in self._chats and len(self._chats) >= _MOST_CHATS:
            since = time.monotonic() - self._minute
            idle = [one for one, here in self._chats.items() if not here.waiting and (not here.told or here.told[-1] < since)]
            for one in idle:
                del self._chats[one]
        return self._chats.setdefault(chat, _Chat())

"""How much a chat may be told: Telegram counts what comes to each, and turns away who says more."""

import asyncio
import math
import time
from collections import deque

from adapters.telegram.message_ref import is_group

#: Messages, changed ones among them, that a group is told in a minute; in every chat about one in a second.
MOST_IN_GROUP, MINUTE, SECOND = 20, 60.0, 1.0

#: Chats that are remembered; whoever was told nothing for a minute needs not be.
_MOST_CHATS = 10_000


class Busy(Exception):
    """A chat is to be told nothing for so many seconds: Telegram says so."""

    reason = "flood"

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Spent(Busy):
    """A chat was told as much as it may be, for so many seconds; nobody had to say so."""

    reason = "budget"


class _Chat:
    """One chat: when it was told something, lately, and from when on it may be told something again."""

    def __init__(self) -> None:
        self.told: deque[float] = deque()
        self.rests = 0.0
        self.turn = asyncio.Lock()
        self.waiting = 0


class RateLimiter:
    """The budgets of all chats."""

    def __init__(self, minute: float = MINUTE, second: float = SECOND) -> None:
        self._minute = minute
        self._second = second
        self._chats: dict[int, _Chat] = {}

    async def turn(self, chat: int, count: int = 1, patience: float = math.inf) -> None:
        """Wait until a chat may be told so many messages, in the order in which one asked.

        Raises `Spent` where that would take longer than the `patience`, in seconds; nothing is taken then.
        """
        here = self._chat(chat)
        if (ahead := self._pause(chat, here, here.waiting + count) + here.waiting * self._second) > patience:
            raise Spent(ahead)
        here.waiting += count
        try:
            async with here.turn:
                # Telegram may ask for a longer rest in the meantime.
                while (pause := self._pause(chat, here, count)) > 0:
                    if pause > patience:
                        raise Spent(pause)
                    await asyncio.sleep(pause)
                here.told.extend([time.monotonic()] * count)
        finally:
            here.waiting -= count

    def has_room(self, chat: int, kept: int) -> bool:
        """Return whether a chat may be told something at once, with room for so many other messages in the same minute."""
        here = self._chat(chat)
        if here.waiting or self._pause(chat, here, 1) > 0:
            return False
        return not is_group(chat) or len(here.told) + kept < MOST_IN_GROUP

    def rest(self, chat: int, seconds: float) -> None:
        """Tell a chat nothing for a while: Telegram said so."""
        self._chat(chat).rests = time.monotonic() + seconds

    def _pause(self, chat: int, here: _Chat, count: int) -> float:
        """Return for how long nothing more may be said."""
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

"""Albums: Telegram sends each picture of an album as a message of its own, and only one of these has the words."""

import asyncio
import contextlib
import json

import telegram
from telegram import Message, Update

from adapters.telegram.update_inbox import aside

#: An album is complete if no more of it came for so long: Telegram sends its messages one after the other, and does not say how many.
QUIET_SECONDS = 0.5

#: Albums that are remembered; beyond that the oldest are forgotten.
_MOST_ALBUMS = 1_000


class Albums:
    """The albums that came lately. Each update is noted as soon as it is kept, before its turn in the chat comes."""

    def __init__(self, api: telegram.Bot) -> None:
        self._api = api
        self._messages: dict[str, dict[int, Message]] = {}

    def came(self, body: bytes) -> None:
        """Note an update if it is part of an album."""
        if b'"media_group_id"' not in body:
            return
        message = None
        # What cannot be read is said when its turn comes.
        with contextlib.suppress(Exception):
            message = Update.de_json(json.loads(body), self._api).message
        if message is not None and message.media_group_id is not None:
            self._messages.setdefault(message.media_group_id, {})[message.message_id] = message
            while len(self._messages) > _MOST_ALBUMS:
                del self._messages[next(iter(self._messages))]

    async def whole(self, message: Message) -> list[Message]:
        """Return all messages of the album that a message is part of, in order; alone if it is part of none."""
        if message.media_group_id is None:
            return [message]
        found = self._messages.setdefault(message.media_group_id, {})
        found.setdefault(message.message_id, message)
        known = 0
        while known < len(found):
            known = len(found)
            async with aside():
                await asyncio.sleep(QUIET_SECONDS)
        return [found[number] for number in sorted(found)]

"""Albums: Telegram sends each image of an album as a message of its own, and only one message has the text."""

import asyncio
import contextlib
import json

import telegram
from telegram import Message, Update

from adapters.telegram.update_inbox import aside

#: An album is complete after this long without a further message: Telegram sends its messages one after the other, without their number.
QUIET_SECONDS = 0.5

#: Number of albums remembered; beyond that the oldest are dropped.
_MOST_ALBUMS = 1_000


class Albums:
    """Recent albums. Each update is noted as soon as it is stored, before its turn in the chat comes."""

    def __init__(self, api: telegram.Bot) -> None:
        self._api = api
        self._messages: dict[str, dict[int, Message]] = {}

    def came(self, body: bytes) -> None:
        """Note an update if it is part of an album."""
        if b'"media_group_id"' not in body:
            return
        message = None
        # An unreadable update is reported when its turn comes.
        with contextlib.suppress(Exception):
            message = Update.de_json(json.loads(body), self._api).message
        if message is not None and message.media_group_id is not None:
            self._messages.setdefault(message.media_group_id, {})[message.message_id] = message
            while len(self._messages) > _MOST_ALBUMS:
                del self._messages[next(iter(self._messages))]

    async def whole(self, message: Message) -> list[Message]:
        """Return all messages of the album of a message, in order; only the message itself if it is part of no album."""
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

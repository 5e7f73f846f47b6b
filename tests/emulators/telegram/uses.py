"""User actions that wait for an answer: a press of a button, an inline query."""

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The bot's answer to a press."""

    text: str = ""
    show_alert: bool = False
    url: str | None = None
    cache_time: int = 0


@dataclass(eq=False)
class Press:
    """A press of a button; `answer` is None until the bot answers."""

    telegram: Any
    user: Any
    message: Any
    data: str
    id: str = ""
    began: float = field(default_factory=time.monotonic)
    answered_after: float | None = None
    answer: Answer | None = None

    def __post_init__(self):
        self.id = str((self.user.id << 30) + len(self.telegram.presses) + 1)

    @property
    def is_late(self):
        """Whether it is too late to answer."""
        return time.monotonic() - self.began > self.telegram.callback_seconds

    def take(self, answer):
        """Record the answer and how long it took."""
        self.answer, self.answered_after = answer, time.monotonic() - self.began
        return True

    async def answered(self, timeout=90.0):  # noqa: ASYNC109 - says how long a person waits
        """Wait for the answer and return it."""
        return await self.telegram.until(lambda: self.answer, timeout)

    def payload(self):
        """Return the press on the wire."""
        told = {"id": self.id, "from": self.user.payload(), "data": self.data}
        if self.message.inline_id:
            return told | {"inline_message_id": self.message.inline_id, "chat_instance": str(self.message.chat.id * 31)}
        return told | {"message": self.message.payload(), "chat_instance": str(self.message.chat.id * 31)}


class Results(list[dict[str, Any]]):
    """The bot's inline results as they are on the wire."""

    def __init__(self, results, args):
        super().__init__(results)
        self.next_offset, self.button = args.get("next_offset") or "", args.get("button")
        self.cache_time, self.is_personal = args.get("cache_time", 300), bool(args.get("is_personal"))


@dataclass(eq=False)
class Query:
    """An inline query; `answer` is None until the bot answers."""

    telegram: Any
    user: Any
    query: str
    offset: str
    chat_type: str
    id: str = ""
    began: float = field(default_factory=time.monotonic)
    answer: Results | None = None

    def __post_init__(self):
        self.id = str((self.user.id << 31) + len(self.telegram.queries) + 1)

    @property
    def is_late(self):
        """Whether it is too late to answer."""
        return time.monotonic() - self.began > self.telegram.inline_seconds

    def take(self, results, args):
        """Record the answer."""
        self.answer = Results(results, args)
        return True

    def payload(self):
        """Return the query on the wire."""
        told = {"id": self.id, "from": self.user.payload(), "query": self.query, "offset": self.offset}
        return told | {"chat_type": self.chat_type}

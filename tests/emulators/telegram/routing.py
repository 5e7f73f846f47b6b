"""Recorded requests, and the handlers of methods."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.telegram.access import check_access
from tests.emulators.telegram.errors import Refusal


@dataclass(frozen=True)
class Upload:
    """An uploaded file."""

    name: str
    data: bytes = field(repr=False)


@dataclass
class Request:
    """A request and its response: `status` is None if there was no response, `description` is the reason of a refusal."""

    method: str
    args: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    status: int | None = None
    description: str | None = None
    result: Any = None
    at: float = field(default_factory=time.monotonic)
    is_by_webhook: bool = False  # it came in the response to a webhook

    def __str__(self):
        return f"{self.status} {self.method} {str(self.args)[:300]} {[one.name for one in self.files.values()]} {self.description or ''}"


@dataclass
class Call:
    """A request as a handler sees it."""

    telegram: Any
    args: dict[str, Any]
    files: dict[str, Upload]
    is_gone: Callable[[], bool] = lambda: False  # whether the client has disconnected
    channel: Any = None  # the chat for the rate limits
    cost: int = 0  # the number of messages for the rate limits

    def get(self, name, default=None):
        """Return an argument, or the default if it is missing or empty."""
        value = self.args.get(name)
        return default if value is None or value == "" else value

    def chat(self, access="read", name="chat_id"):
        """Return the chat of an argument, or refuse if the bot does not have this access."""
        if (wanted := self.get(name)) is None:
            raise Refusal("chat_id is empty")
        if (found := self.telegram.find_chat(wanted)) is None:
            raise Refusal("chat not found")
        check_access(found, access)
        return found

    def message(self, chat, sentence, name="message_id"):
        """Return the message of an argument."""
        number = self.get(name)
        if number is None and name == "message_id":
            raise Refusal("message identifier is not specified")
        if (found := chat.message(number)) is None:
            raise Refusal(sentence)
        return found

    def count(self, chat, messages=1):
        """Note the chat and the number of messages for the rate limits."""
        self.channel, self.cost = chat, messages


class Methods(dict[str, Callable[[Call], Any]]):
    """Handlers by method. A handler validates the request and returns a function that executes it."""

    def __call__(self, name):
        """Register the handler of a method."""

        def add(handler):
            self[name.lower()] = handler
            return handler

        return add

"""What the bot asked for, and which function answers it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.telegram.access import check_access
from tests.emulators.telegram.errors import Refusal


@dataclass(frozen=True)
class Upload:
    """A file as it was sent."""

    name: str
    data: bytes = field(repr=False)


@dataclass
class Request:
    """What the bot asked for and how it was answered: `status` None is no answer at all, `description` why it was refused."""

    method: str
    args: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    status: int | None = None
    description: str | None = None
    result: Any = None
    at: float = field(default_factory=time.monotonic)
    is_by_webhook: bool = False  # it came as the answer to an update

    def __str__(self):
        return f"{self.status} {self.method} {str(self.args)[:300]} {[one.name for one in self.files.values()]} {self.description or ''}"


@dataclass
class Call:
    """A request on its method."""

    telegram: Any
    args: dict[str, Any]
    files: dict[str, Upload]
    is_gone: Callable[[], bool] = lambda: False  # whether who asked has hung up
    channel: Any = None  # the chat that limits of rate count
    cost: int = 0  # for how many messages

    def get(self, name, default=None):
        """Return an argument."""
        value = self.args.get(name)
        return default if value is None or value == "" else value

    def chat(self, access="read", name="chat_id"):
        """Return the chat that is meant, if the bot may do this there."""
        if (wanted := self.get(name)) is None:
            raise Refusal("chat_id is empty")
        if (found := self.telegram.find_chat(wanted)) is None:
            raise Refusal("chat not found")
        check_access(found, access)
        return found

    def message(self, chat, sentence, name="message_id"):
        """Return the message that is meant."""
        number = self.get(name)
        if number is None and name == "message_id":
            raise Refusal("message identifier is not specified")
        if (found := chat.message(number)) is None:
            raise Refusal(sentence)
        return found

    def count(self, chat, messages=1):
        """Note how much this is for the limits of rate."""
        self.channel, self.cost = chat, messages


class Methods(dict[str, Callable[[Call], Any]]):
    """Functions by the method that they answer. Each looks whether it may, and returns a function that does it."""

    def __call__(self, name):
        """Add the function that answers a method."""

        def add(handler):
            self[name.lower()] = handler
            return handler

        return add

"""Faults on demand."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.telegram.errors import PREFIXES, Refusal, too_many

REASONS = {
    400: "internal error",
    401: "Unauthorized",
    403: "bot was blocked by the user",
    404: "Not Found",
    409: "terminated by other getUpdates request; make sure that only one bot instance is running",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
NGINX = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</html>"
)
# For these the method is executed, and the response is dropped, delayed or incomplete; all other kinds refuse it before execution.
AROUND = ("timeout-after-success", "hold", "half", "slow")


@dataclass
class Fault:
    """A fault that strikes a number of times.

    `method` is a regular expression for the whole name of a method, or `download`; `kind` is one of

    * a status, or (status, description): refused. 502 is an HTML page of the server in front of Telegram, not JSON;
    * ("429", seconds): too many requests; ("429-bare", seconds): without `parameters`, so the seconds are in the description only;
    * ("flood", seconds): too many requests, also for everything else that this fault matches during that time;
    * "cut": the connection is closed while the request is read (in any chat); "reset": after reading, before execution;
    * "timeout-after-success": executed, then the connection is closed;
    * ("hold", seconds): executed, then the response is delayed; ("slow", seconds): the execution is delayed;
    * "half": executed, then half of the response is sent.
    """

    method: str
    kind: Any
    times: int = 1
    chat: Any = None
    hits: int = 0
    _until: float = field(default=0.0, repr=False)

    def matches(self, method, chat_id=None):
        """Return whether it strikes this request."""
        if re.fullmatch(self.method, method, re.IGNORECASE) is None or (self.chat is not None and chat_id != self.chat.id):
            return False
        return self.hits < self.times or time.monotonic() < self._until

    def strike(self):
        """Count a hit."""
        self.hits += 1
        if self.name == "flood" and not self._until:
            self._until = time.monotonic() + self.seconds

    @property
    def name(self):
        """The kind without its parameters."""
        return self.kind if isinstance(self.kind, (str, int)) else self.kind[0]

    @property
    def seconds(self):
        """The delay or waiting time."""
        return self.kind[1] if isinstance(self.kind, tuple) else 1.0

    def refused(self):
        """Return (status, body) of the response."""
        if self.name in ("429", "429-bare", "flood"):
            refusal = too_many(self._until - time.monotonic() if self.name == "flood" else self.seconds)
            if self.name == "429-bare":
                refusal.parameters = {}
            return 429, refusal.body
        if self.name == 502:
            return 502, NGINX.format("502 Bad Gateway")
        sentence = self.kind[1] if isinstance(self.kind, tuple) else REASONS.get(self.name, "Refused")
        refusal = Refusal(sentence.removeprefix(PREFIXES.get(self.name, "")), self.name)
        return refusal.status, refusal.body


def dropped(request):
    """Close the connection without a response."""
    if request.transport:
        request.transport.abort()

"""What goes wrong on demand."""

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
# These are done and then not answered, answered late or in part; every other kind is refused before anything is done.
AROUND = ("timeout-after-success", "hold", "half", "slow")


@dataclass
class Fault:
    """One thing that goes wrong, as often as said.

    `method` is an expression that a method's whole name fits, or `download`; `kind` is one of

    * a status, or (status, description): refused. 502 is a page of the server before Telegram's, not JSON;
    * ("429", seconds): too many requests; ("429-bare", seconds): without `parameters`, so the seconds stand in words only;
    * ("flood", seconds): too many requests, and for so long everything that this fault strikes;
    * "cut": the connection is cut while the request is read (whatever its chat); "reset": after that, nothing was done;
    * "timeout-after-success": it was done, and then cut;
    * ("hold", seconds): it was done, and is answered after so long; ("slow", seconds): it is done after so long;
    * "half": it was done, and half of the answer arrives.
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
        """Count one time."""
        self.hits += 1
        if self.name == "flood" and not self._until:
            self._until = time.monotonic() + self.seconds

    @property
    def name(self):
        """The kind without its figures."""
        return self.kind if isinstance(self.kind, (str, int)) else self.kind[0]

    @property
    def seconds(self):
        """How long it is to be waited."""
        return self.kind[1] if isinstance(self.kind, tuple) else 1.0

    def refused(self):
        """Return (status, body) of the answer."""
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
    """Cut the connection without an answer."""
    if request.transport:
        request.transport.abort()

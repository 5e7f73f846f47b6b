"""Telegram's refusals: a status, a description, and sometimes parameters."""

import math

# Prefixes of the description; other statuses have none.
PREFIXES = {400: "Bad Request: ", 403: "Forbidden: ", 409: "Conflict: "}

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
WRONG_FILE = "wrong file identifier/HTTP URL specified"


class Refusal(Exception):
    """A refusal by Telegram."""

    def __init__(self, sentence, status=400, **parameters):
        self.status, self.parameters = status, parameters
        self.description = PREFIXES.get(status, "") + sentence
        super().__init__(f"{status} {self.description} {parameters or ''}")

    @property
    def body(self):
        """The body of the response."""
        told = {"ok": False, "error_code": self.status, "description": self.description}
        return told | ({"parameters": self.parameters} if self.parameters else {})


def too_many(seconds):
    """Return the refusal of a request that exceeds a rate limit."""
    whole = max(1, math.ceil(seconds))
    return Refusal(f"Too Many Requests: retry after {whole}", 429, retry_after=whole)


def check_bytes(text, low, high, sentence):
    """Refuse a text with fewer than `low` or more than `high` bytes."""
    if not low <= len(str(text or "").encode()) <= high:
        raise Refusal(sentence)

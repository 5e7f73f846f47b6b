"""What Telegram refuses with: a status, a sentence, and sometimes parameters."""

import math

# What Telegram puts before the sentence; other statuses are told by their sentence alone.
PREFIXES = {400: "Bad Request: ", 403: "Forbidden: ", 409: "Conflict: "}

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
WRONG_FILE = "wrong file identifier/HTTP URL specified"


class Refusal(Exception):
    """Telegram says no."""

    def __init__(self, sentence, status=400, **parameters):
        self.status, self.parameters = status, parameters
        self.description = PREFIXES.get(status, "") + sentence
        super().__init__(f"{status} {self.description} {parameters or ''}")

    @property
    def body(self):
        """What is answered."""
        told = {"ok": False, "error_code": self.status, "description": self.description}
        return told | ({"parameters": self.parameters} if self.parameters else {})


def too_many(seconds):
    """Return the refusal of a request that came too soon."""
    whole = max(1, math.ceil(seconds))
    return Refusal(f"Too Many Requests: retry after {whole}", 429, retry_after=whole)


def check_bytes(text, low, high, sentence):
    """Refuse a text with fewer or more bytes than there may be."""
    if not low <= len(str(text or "").encode()) <= high:
        raise Refusal(sentence)

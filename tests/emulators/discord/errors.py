"""Discord's refusals: a status, Discord's error code, and for an invalid form the path of the field."""

# Error code -> (status, message), as listed in Discord's reference.
REASONS = {
    0: (401, "401: Unauthorized"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20012: (403, "You are not authorized to perform this action on this application"),
    30015: (400, "Maximum number of attachments in a message reached (10)"),
    40005: (413, "Request entity too large"),
    40058: (400, "Cannot message this thread until after the post author has sent an initial message."),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "This interaction has reached its maximum number of follow-up messages"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160004: (400, "A thread has already been created for this message"),
}


class Refusal(Exception):
    """A refusal by Discord."""

    def __init__(self, code, status=None, errors=None):
        usual, self.message = REASONS.get(code, (400, "Refused"))
        self.status, self.code, self.errors = status or usual, code, errors
        super().__init__(f"{self.status} {self.code} {self.message} {errors or ''}")

    @property
    def body(self):
        """The body of the response."""
        return {"message": self.message, "code": self.code} | ({"errors": self.errors} if self.errors else {})


def bad(channel, code, sentence):
    """Return the refusal of a form; `channel` is the dotted path of the field, as in `embeds.0.title`."""
    errors = {"_errors": [{"code": code, "message": sentence}]}
    for part in reversed(str(channel).split(".")):
        errors = {part: errors}
    return Refusal(50035, errors=errors)


def required(channel):
    """Return the refusal of a missing field."""
    return bad(channel, "BASE_TYPE_REQUIRED", "This field is required")


def check_length(channel, text, low, high):
    """Refuse a text or list with fewer than `low` or more than `high` characters or items."""
    if text is None:
        text = ""
    unit = "length" if isinstance(text, str) else "number of items"
    if len(text) < low:
        raise required(channel) if not len(text) else bad(channel, "BASE_TYPE_BAD_LENGTH", f"Must be {low} or more in {unit}.")
    if len(text) > high:
        raise bad(channel, "BASE_TYPE_MAX_LENGTH" if low == 0 else "BASE_TYPE_BAD_LENGTH", f"Must be {high} or fewer in {unit}.")


def check_range(channel, number, low, high):
    """Refuse a number outside the range; None is accepted."""
    if number is not None and not low <= number <= high:
        raise bad(channel, "NUMBER_TYPE_RANGE", f"Must be between {low} and {high}.")

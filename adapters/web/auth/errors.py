"""The error with which the web adapter refuses a request before the bot sees it: a sentence and an HTTP status."""

from collections.abc import Mapping


class Refused(Exception):
    """A refused request; `sentence` is shown to the user."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}
        super().__init__(sentence)

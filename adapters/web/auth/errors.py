"""What the web adapter says no to before the bot hears of it: a sentence and an HTTP status."""

from collections.abc import Mapping


class Refused(Exception):
    """A request that goes no further; `sentence` is for the person."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}
        super().__init__(sentence)

"""What the web adapter says no to before the bot hears of it: a sentence and an HTTP status."""


class Refused(Exception):
    """A request that goes no further; `sentence` is for the person."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        self.sentence = sentence
        super().__init__(sentence)

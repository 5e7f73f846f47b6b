"""Errors outside the engine that the user or the operator can fix.

BotError
├── BadConfig     the configuration: an unknown key, a wrong value, a file that cannot be read
├── BadInput      user input: a prompt, a size, a picture file
├── BadStore      the database: it cannot be reached, or its tables are not those of this version
├── NotAllowed    the user may not see or change something, or it does not exist
└── BadOutput     the destination of a picture: a folder or file name that cannot be written

Like the errors of inference each carries a `Problem`: the key of a sentence in the catalogues, and the sentence's facts. The first
word of the key names the class.
"""

from inference.contract.errors import Fact, Problem


class BotError(Exception):
    """Base class of all errors that are shown to users; `problem` says which one."""

    def __init__(self, key: str, /, **facts: Fact) -> None:
        self.problem = Problem(key, facts)
        super().__init__(str(self.problem))


class BadConfig(BotError):
    """The configuration cannot be used: keys `config-…`."""


class BadStore(BotError):
    """The database cannot be used as it is: keys `db-…`."""


class BadInput(BotError):
    """User input cannot be read: keys `input-…`."""


class NotAllowed(BotError):
    """The user has no access, or the object does not exist; the error does not reveal which: keys `denied-…`."""


class BadOutput(BotError):
    """A picture cannot be written to its destination: keys `output-…`."""

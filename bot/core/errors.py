"""What can go wrong around the engine and is the person's or the operator's to mend.

BotError
├── BadConfig     the configuration: an unknown key, a wrong value, a file that cannot be read
├── BadInput      what a person typed or attached: a prompt, a size, a picture file
├── BadStore      the database: it cannot be reached, or its tables are not those of this version
├── NotAllowed    something that is not this person's to see or to change, or is not there
└── BadOutput     where a picture is to go: a folder or name that cannot be written

Like the errors of inference each carries a `Problem`: a key of the catalogue of texts, and the facts of its sentence. The
key's first word names the class.
"""

from inference.contract.errors import Fact, Problem


class BotError(Exception):
    """Any failure that is told to people; `problem` says which one."""

    def __init__(self, key: str, /, **facts: Fact) -> None:
        self.problem = Problem(key, facts)
        super().__init__(str(self.problem))


class BadConfig(BotError):
    """The configuration cannot be used: keys `config-…`."""


class BadStore(BotError):
    """The database cannot be used as it is: keys `db-…`."""


class BadInput(BotError):
    """What was typed or attached cannot be read: keys `input-…`."""


class NotAllowed(BotError):
    """Not theirs, or not there; which of the two is nobody's business: keys `denied-…`."""


class BadOutput(BotError):
    """A picture cannot be written where it was asked for: keys `output-…`."""

"""The store as one value: what it is made of, by topic."""

from dataclasses import dataclass

from bot.store.files import Files
from bot.store.jobs import Jobs
from bot.store.people import People
from bot.store.pictures import Pictures
from bot.store.session import Database
from bot.store.tokens import Tokens


@dataclass(frozen=True)
class Store:
    """Everything that is kept: rows in a database, pictures as files."""

    database: Database
    files: Files
    people: People
    jobs: Jobs
    pictures: Pictures
    tokens: Tokens

    @classmethod
    def of(cls, database: Database, files: Files) -> "Store":
        """Return the store in a database and a file store."""
        return cls(database, files, People(database), Jobs(database), Pictures(database), Tokens(database))

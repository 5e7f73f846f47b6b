"""What the tests of jobs on their way share."""

from tests.stores import database, store, url

__all__ = ["database", "store", "url"]

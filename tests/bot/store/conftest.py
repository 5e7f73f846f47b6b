"""What the tests of the store share."""

from tests.stores import database, store, url

__all__ = ["database", "store", "url"]

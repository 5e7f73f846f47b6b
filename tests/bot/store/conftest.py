"""What the tests of the store share."""

from tests.stores import database, server, store, url

__all__ = ["database", "server", "store", "url"]

"""Shared fixtures of the tests of the store."""

from tests.stores import database, server, store, url

__all__ = ["database", "server", "store", "url"]

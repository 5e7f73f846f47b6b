"""Shared fixtures of the tests of running jobs."""

from tests.stores import database, store, url
from tests.stores import usual_server as server

__all__ = ["database", "server", "store", "url"]

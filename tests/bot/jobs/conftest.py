"""What the tests of jobs on their way share."""

from tests.stores import database, store, url
from tests.stores import usual_server as server

__all__ = ["database", "server", "store", "url"]

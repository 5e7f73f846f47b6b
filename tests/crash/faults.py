"""Faults that are raised once, at the n-th call into the database or the file system."""

import os
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bot.store.database import Database
from bot.store.images.blobs import BlobStore

#: Kinds of faults: the call fails; it fails and the connection is lost; it succeeds, but the caller gets an error.
FAILS, BREAKS, UNHEARD = "fails", "breaks", "unheard"


class Faults:
    """Count the calls after `begin`, and raise once, at call number `at`."""

    def __init__(self, kind):
        self.kind = kind
        self.at = 0
        self.count = 0
        self.armed = False
        self.raised = ""
        #: How many faults were raised in each kind of call, over all runs.
        self.met = Counter()

    def begin(self, at):
        """Start counting at one, and raise at this call."""
        self.at, self.count, self.armed, self.raised = at, 0, True, ""

    def end(self):
        """Stop raising."""
        self.armed = False

    def meet(self, what, wrong):
        """Count a call, and raise what `wrong` returns if it is the call to fail."""
        if not self.armed:
            return
        self.count += 1
        if self.count == self.at:
            self.raised = what
            self.met[what.partition(" ")[0]] += 1
            raise wrong()


def lost(statement=""):
    """Return the error of a database driver that has lost its server or its disk."""
    return OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))


@contextmanager
def of_database(database, faults):
    """Raise at statements and commits of a database."""

    def statement(connection, _cursor, said, *_):
        faults.meet(f"statement {said[:60]!r}", lambda: broken(connection, said))

    def commit(connection):
        faults.meet("commit", lambda: broken(connection, "COMMIT"))

    def broken(connection, said):
        if faults.kind == BREAKS:
            connection.invalidate()
        return lost(said)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", statement)
        event.remove(engine, "commit", commit)


@contextmanager
def of_files(faults):
    """Raise when picture files are read or written, before each call that a disk can refuse."""

    def failing(call, what):
        def called(*given, **named):
            faults.meet(what, lambda: OSError(28, "No space left on device"))
            return call(*given, **named)

        return called

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync, "fsync"))
        patch.setattr(os, "replace", failing(os.replace, "replace"))
        patch.setattr(os, "mkdir", failing(os.mkdir, "mkdir"))
        patch.setattr(BlobStore, "put", failing(BlobStore.put, "put"))
        patch.setattr(BlobStore, "get", failing(BlobStore.get, "get"))
        yield


@contextmanager
def of_answers(faults):
    """Raise after a commit has succeeded: the data is stored, but the writer gets an error."""
    write = Database.write

    @asynccontextmanager
    async def unheard(self):
        async with write(self) as session:
            yield session
        faults.meet("answer", lost)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", unheard)
        yield

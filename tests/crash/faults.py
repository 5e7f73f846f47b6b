"""Faults that are raised once: at the n-th call into the database or the file system, whichever it is."""

import os
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bot.store.database import Database
from bot.store.images.blobs import BlobStore

#: What a fault is: the call fails; it fails and the connection is gone with it; it is done, but nobody hears that.
FAILS, BREAKS, UNHEARD = "fails", "breaks", "unheard"


class Faults:
    """Counts the calls from `begin` on, and raises once, at the call number `at`."""

    def __init__(self, kind):
        self.kind = kind
        self.at = 0
        self.count = 0
        self.armed = False
        self.raised = ""
        #: How often each kind of call was met, over everything.
        self.met = Counter()

    def begin(self, at):
        """Count from one on, and raise at this call."""
        self.at, self.count, self.armed, self.raised = at, 0, True, ""

    def end(self):
        """Raise no more."""
        self.armed = False

    def meet(self, what, wrong):
        """Count a call and raise what `wrong` returns where it is its turn."""
        if not self.armed:
            return
        self.count += 1
        if self.count == self.at:
            self.raised = what
            self.met[what.partition(" ")[0]] += 1
            raise wrong()


def lost(statement=""):
    """Return what a database driver raises that has lost its server, or its disk."""
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
    """Raise where pictures are read and written, before each of the calls that a disk can refuse."""

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
    """Raise after what was written is kept: only whoever wrote it does not hear of it."""
    write = Database.write

    @asynccontextmanager
    async def unheard(self):
        async with write(self) as session:
            yield session
        faults.meet("answer", lost)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", unheard)
        yield

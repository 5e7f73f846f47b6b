"""Room for so many who are acted for at a time: whoever only waits for the turn of their chat gives theirs up meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

_ROOM: ContextVar[asyncio.Semaphore | None] = ContextVar("room", default=None)


def enter(room: asyncio.Semaphore) -> None:
    """Say that from now on whatever this task does is done within a room."""
    _ROOM.set(room)


@asynccontextmanager
async def aside() -> AsyncIterator[None]:
    """Give one's place in the room up for as long as one waits, so that others are not held up."""
    room = _ROOM.get()
    if room is None:
        yield
        return
    room.release()
    try:
        yield
    finally:
        await room.acquire()

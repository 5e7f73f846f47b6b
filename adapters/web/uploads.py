"""Limits of uploads that are in progress: their bytes in memory, for each visitor and in all, and how long they may take."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from adapters.web.auth.errors import Refused
from bot.i18n.translate import text
from inference.images.validation import MOST_BYTES

#: Bytes of uploads that may be in progress, of all visitors together and of one. A single request is never too large for the latter.
MOST_IN_ALL, MOST_EACH = 250_000_000, 60_000_000

#: Bytes of a request that is not counted: a line without a picture must always get through.
_SMALL = 100_000

#: How long a request may take to arrive, plus a second for so many bytes: the slowest connection that is waited for.
_SECONDS, _BYTES_A_SECOND = 30.0, 20_000


class Uploads:
    """The uploads in progress."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def room(self, visitor: str, request: Request) -> AsyncIterator[None]:
        """Reserve memory for a visitor's request while it is handled; raises `Refused` if there is not enough for it now."""
        size = size_of(request)
        if size <= _SMALL:
            yield
            return
        mine = self._held[visitor]
        if self._held.total() + size > MOST_IN_ALL or (mine and mine + size > MOST_EACH):
            raise Refused(503, text("web-busy"), {"retry-after": "10"})
        self._held[visitor] += size
        try:
            yield
        finally:
            self._held[visitor] -= size
            if not self._held[visitor]:
                del self._held[visitor]


def size_of(request: Request) -> int:
    """Return the bytes of a request's body as it declares them; of one that does not, those of the largest picture."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdigit() else MOST_BYTES


@asynccontextmanager
async def in_time(request: Request) -> AsyncIterator[None]:
    """Limit the time in which a request's body is read; raises `Refused`."""
    try:
        async with asyncio.timeout(_SECONDS + size_of(request) / _BYTES_A_SECOND):
            yield
    except TimeoutError:
        raise Refused(408, text("web-slow")) from None

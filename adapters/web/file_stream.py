"""Sends a stored picture in pieces, so that a slow reader holds a piece and not the whole file in memory."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

log = logging.getLogger("easel.web")

#: How long a reader may take for one piece; after that the connection is closed.
PIECE_SECONDS = 60.0


class FileStream(Response):
    """A response with the content of a file, read piece by piece as the reader takes it. `size` is in bytes."""

    def __init__(self, pieces: AsyncIterator[bytes], size: int, media_type: str, headers: Mapping[str, str]) -> None:
        self._pieces = pieces
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({**headers, "content-length": str(size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, then each piece when the reader has taken the one before it."""
        del receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for piece in self._pieces:
                async with asyncio.timeout(PIECE_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            # Without its last part the response is incomplete, and the server closes the connection.
            log.info("web.slow_reader path=%s", scope["path"])
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

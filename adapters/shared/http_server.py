"""Serves HTTP beside everything else that runs: on a socket that is bound first, without handling signals."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn

from bot.core.errors import BadConfig


class Server(uvicorn.Server):
    """A server that reports when it is ready, and leaves signals to the program around it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """Return a bound socket; raises `BadConfig`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadConfig("config-port", host=host, port=str(port)) from None
        raise BadConfig("config-listen", host=host, port=str(port), reason=error.strerror or str(error)) from None

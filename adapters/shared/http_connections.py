"""Limits of single HTTP connections: how long a request may take to arrive, and how many connections an address may hold."""

import asyncio
import ipaddress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: How long the head of a request may take. A browser sends it at once; a connection that stays silent only takes up room.
HEAD_SECONDS = 20.0

#: Connections of one address at a time. A browser holds six or fewer, and a household or an office shares an address.
MOST_PER_ADDRESS = 200

#: Connections beyond the server's limit that still get an answer.
_BEYOND = 20

#: Open files that a process gets by default, if the system allows more than that.
_ENOUGH_FILES = 65_536


class LimitedConnection(H11Protocol):
    """A connection that is closed if its next request does not arrive in time, or if its address holds too many others.

    Connections from this computer are not counted: a reverse proxy holds those of all users.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class declares it
        """Start to wait for the first request, or close a connection that is one too many."""
        super().connection_made(transport)
        if self._is_too_many():
            transport.close()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        """Take in data; a head that comes in many small pieces gets no more time than one that comes at once."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Leave the time until the next request to the server's keep-alive timeout."""
        super().on_response_complete()
        self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def _is_too_many(self) -> bool:
        # Up to the server's limit a request is answered with 503; beyond it every further connection would take up a file.
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency + _BEYOND:
            return True
        return self.client is not None and not _is_near(self.client[0]) and self._held(self.client[0]) > MOST_PER_ADDRESS

    def _held(self, address: str) -> int:
        return sum(isinstance(one, H11Protocol) and one.client is not None and one.client[0] == address for one in self.connections)

    def _wait(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _is_near(address: str) -> bool:
    """Return whether an address is of this computer."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have, and return how many; each connection is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return 2**31
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _ENOUGH_FILES
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS has a lower limit than it reports.
        return soft
    return wanted

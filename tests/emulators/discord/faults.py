"""Faults on demand, and Discord's rate limits."""

import hashlib
import re
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.emulators.discord.errors import REASONS

CLOUDFLARE = (
    "<!DOCTYPE html><html><head><title>Access denied | discord.com used Cloudflare</title></head><body>error code: 1015</body></html>"
)
# For these the request is executed, and the response is dropped or delayed; all other kinds refuse it before execution.
AROUND = ("timeout-after-success", "slow")


@dataclass
class Fault:
    """A fault that strikes a number of times."""

    method: str
    path: str
    kind: Any
    times: int
    hits: int = 0

    def matches(self, method, path):
        """Return whether it strikes this request."""
        return self.hits < self.times and self.method in (method, "*") and re.search(self.path, path) is not None

    @property
    def name(self):
        """The kind without its parameters."""
        return self.kind if isinstance(self.kind, (str, int)) else self.kind[0]

    @property
    def seconds(self):
        """The delay or waiting time."""
        return self.kind[1] if isinstance(self.kind, tuple) else 1.0

    def refused(self):
        """Return (status, body, headers) of the response."""
        if self.name == "cloudflare":
            return 429, CLOUDFLARE, {"Retry-After": "900"}
        if self.name == "429":
            return 429, limited(self.seconds), {"X-RateLimit-Scope": "shared", "Retry-After": str(int(self.seconds) + 1)}
        if isinstance(self.kind, tuple):
            status, code = self.kind
            return status, {"message": REASONS.get(code, (0, "Refused"))[1], "code": code}, {}
        if self.kind == 500:
            return 500, {"message": "500: Internal Server Error", "code": 0}, {}
        return self.kind, f"<html><body><h1>{self.kind}</h1>upstream connect error</body></html>", {}


def limited(seconds):
    """Return the body of a 429 response."""
    return {"message": "You are being rate limited.", "retry_after": round(seconds, 3), "global": False}


class Buckets:
    """Rate limits: the number of requests that each route allows per period, for each channel, server or webhook."""

    def __init__(self):
        self.limit: int | None = 50
        self.seconds = 5.0
        self._used: dict[str, tuple[int, float]] = {}  # -> (count, start of the period)

    def set(self, limit, seconds):
        """Change the limit from now on; None removes it."""
        self.limit, self.seconds = limit, seconds
        self._used.clear()

    def take(self, route, majors):
        """Return the headers for a request, and the seconds to wait if it exceeds the limit."""
        if self.limit is None:
            return {}, None
        key, now = f"{route}:{majors}", time.monotonic()
        used, began = self._used.get(key, (0, now))
        if now - began >= self.seconds:
            used, began = 0, now
        left = began + self.seconds - now
        is_over = used >= self.limit
        self._used[key] = (used + (not is_over), began)
        return self._headers(route, max(0, self.limit - used - 1), left), left if is_over else None

    def _headers(self, route, remaining, left):
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(route.encode(), usedforsecurity=False).hexdigest(),
        }


def dropped(request):
    """Close the connection without a response."""
    if request.transport:
        request.transport.abort()
    return web.Response()

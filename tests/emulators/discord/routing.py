"""Routing: routes as written in Discord's documentation, and a request as a route sees it."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MAJORS = ("channel_id", "guild_id", "webhook_id", "webhook_token")


@dataclass
class Request:
    """A request and its response: `files` are (name, bytes) by number; `status` is None if there was no response."""

    method: str
    path: str
    body: Any = None
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    status: int | None = None
    at: float = field(default_factory=time.monotonic)
    code: int | None = None  # Discord's error code of a refusal

    def __str__(self):
        body = str(self.body)
        return f"{self.status} {self.code or ''} {self.method} {self.path} {body[:300]} {[name for name, _ in self.files.values()]}"


@dataclass
class Call:
    """A request matched to its route."""

    discord: Any
    route: "Route"
    found: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    uploads: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def __getitem__(self, name):
        return self.found[name]

    @property
    def majors(self):
        """The major parameters, which separate the rate limits of a route."""
        return "+".join(self.found[name] for name in MAJORS if name in self.found)


@dataclass
class Route:
    """A method, and a path with parameters in braces."""

    method: str
    path: str
    handler: Callable[[Call], tuple[int, Any]]
    needs_token: bool

    def __post_init__(self):
        self._pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path) + "$")

    def match(self, method, path):
        """Return the parameters of a matching request, or None."""
        found = self._pattern.match(path) if method == self.method else None
        return found and found.groupdict()


class Routes(list[Route]):
    """A group of routes; the first matching route handles a request."""

    def __init__(self, *, needs_token=True):
        super().__init__()
        self._needs_token = needs_token

    def _added(self, method, path):
        def add(handler):
            self.append(Route(method, path, handler, self._needs_token))
            return handler

        return add

    def get(self, path):
        """Add a GET route."""
        return self._added("GET", path)

    def post(self, path):
        """Add a POST route."""
        return self._added("POST", path)

    def put(self, path):
        """Add a PUT route."""
        return self._added("PUT", path)

    def patch(self, path):
        """Add a PATCH route."""
        return self._added("PATCH", path)

    def delete(self, path):
        """Add a DELETE route."""
        return self._added("DELETE", path)

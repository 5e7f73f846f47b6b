"""Checks every request (names, origins, sizes) and sets the security headers of every response."""

import logging
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.accept_language import wanted
from adapters.web.auth.errors import Refused
from adapters.web.auth.origin_policy import OriginPolicy, is_number, name_of
from adapters.web.render import refusal
from adapters.web.requests import MOST_LINE
from bot.core.values import new_id
from bot.i18n.translate import speaking, text
from inference.images.validation import MOST_BYTES

log = logging.getLogger("easel.web")

#: Scripts, styles and all other content come from this server alone, and nothing is inlined into the page.
_POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Messages and results of a user are private: no cache keeps them unless a response allows it itself.
    "cache-control": "no-store",
}

_SAFE = frozenset({"GET", "HEAD"})


class GuardMiddleware:
    """An ASGI middleware. `sizes` are the bytes that may be sent to a path; for all other paths the limit is `usual`.

    `probed` paths are asked by machines, which may address this server by any number that it has, or send no host.
    """

    def __init__(self, app: ASGIApp, hosts: OriginPolicy, sizes: Mapping[str, int], usual: int, probed: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = hosts
        self._sizes = sizes
        self._usual = usual
        self._probed = probed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it, in the language that it asks for."""
        # There are no web sockets here; without an answer the server refuses them.
        if scope["type"] == "http":
            with speaking(wanted(Headers(scope=scope).get("accept-language", ""))):
                await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, answer.send)
            return
        try:
            await self._app(scope, _limited(scope, receive, self._sizes.get(scope["path"], self._usual)), answer.send)
        except ClientDisconnect:
            # A client that closes the page while sending receives no response, and that is no error here.
            log.info("web.left method=%s path=%s", scope["method"], scope["path"])
        except Exception:
            incident = new_id()
            log.exception("web.failed incident=%s method=%s path=%s", incident, scope["method"], scope["path"])
            if not answer.started:
                await refusal(scope, 500, text("fault-web", incident=incident))(scope, receive, answer.send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # A browser request from another site always sends a `Host`, so a request without it cannot come from a page.
        is_probe = scope["path"] in self._probed and (not host or is_number(name_of(host)))
        if not is_probe and not self._hosts.knows(host):
            return PlainTextResponse(text("web-host", host=host[:80]), 421)
        site, origin, mode = (headers.get(name) for name in ("sec-fetch-site", "origin", "sec-fetch-mode"))
        looks = scope["method"] in _SAFE
        is_welcome = self._hosts.may_look(site, mode) if looks else self._hosts.may_send(origin, site, host)
        return None if is_welcome else refusal(scope, 403, text("web-origin"))


class _Answer:
    """Sends the response: sets its headers, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass on a part of the response."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _limited(scope: Scope, receive: Receive, most: int) -> Receive:
    """Return a `receive` for a body of limited size; a longer body is refused before more of it is read."""
    declared = Headers(scope=scope).get("content-length", "")
    read = int(declared) if declared.isdigit() and int(declared) > most else 0

    async def limited() -> Message:
        nonlocal read
        message: Message = {} if read > most else await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise Refused(413, text("web-large", most=MOST_BYTES // 1_000_000, line=MOST_LINE))
        return message

    return limited

"""Identifies the visitor by the secret in the cookie, and limits how often an address may try tokens."""

import hashlib
import hmac
import re
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response

from adapters.web.accept_language import wanted
from adapters.web.auth.errors import Refused
from adapters.web.auth.origin_policy import is_loopback, is_reachable, needs_login
from bot.config import Web
from bot.core.values import MessageRef, UserRef
from bot.i18n.translate import text
from bot.store.store import Store
from bot.store.users.users import User

PLATFORM = "web"
COOKIE = "easel"
TOKEN_HEADER = "x-easel-token"

#: Headers with which proxies show that they forward a request.
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")

_YEAR = 365 * 24 * 3600
#: 192 random bits, as for tokens.
_SECRET_BYTES = 24
_SECRET = re.compile(r"[\w-]{32}", re.ASCII)

#: Wrong tokens from one address within a minute, after which it has to wait; and the number of addresses remembered.
_MOST_TRIES, _TRIES_SECONDS, _MOST_ADDRESSES = 10, 60.0, 10_000


@dataclass(frozen=True)
class Visitor:
    """A user with a page open; `secret` is the content of their cookie."""

    caller: UserRef
    secret: str = field(repr=False)

    @property
    def address(self) -> MessageRef:
        """Return the address of their own channel."""
        return MessageRef(PLATFORM, self.caller.id)

    @property
    def token(self) -> str:
        """Return the token that their own page sends and no other page can know. It needs no secret of ours, so it outlives restarts."""
        return hmac.new(self.secret.encode(), b"easel page", hashlib.sha256).hexdigest()


def is_link(request: Request) -> bool:
    """Return whether the visitor may have followed a link from another site: their browser then withholds the cookie.

    Once the page itself asks again, the browser sends the cookie, if there is one. Otherwise each link would create a new user.
    """
    return COOKIE not in request.cookies and request.headers.get("sec-fetch-site") == "cross-site"


class Access:
    """Tells visitors apart. Without login every cookie is a user; with login the cookie carries a token."""

    def __init__(self, store: Store, web: Web) -> None:
        self.needs_login = needs_login(web)
        self._store = store
        self._is_reachable = is_reachable(web)
        self._is_secure = web.public_url.lower().startswith("https:")

    async def visitor(self, request: Request) -> Visitor | None:
        """Return the visitor, or `None` if the cookie is missing or not valid (any more)."""
        secret = request.cookies.get(COOKIE, "")
        return await self.holder(secret, wanted(request.headers.get("accept-language", ""))) if _SECRET.fullmatch(secret) else None

    async def holder(self, secret: str, language: str = "") -> Visitor | None:
        """Return the visitor for a secret; with login the store is asked every time, so revoking a token takes effect at once.

        `language` is the language that their browser asks for.
        """
        if not self.needs_login:
            return Visitor(UserRef(PLATFORM, hashlib.sha256(secret.encode()).hexdigest()[:32], language=language), secret)
        user = await self._store.tokens.holder(secret)
        if user is None:
            return None
        caller = UserRef(PLATFORM, user.id, user.name, language=language)
        await self._store.people.introduce(caller, user)
        return Visitor(caller, secret)

    async def bearer(self, request: Request) -> User | None:
        """Return the visitor for the token of an `Authorization: Bearer` header, or `None`."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        return await self._store.tokens.holder(secret.strip()) if kind.lower() == "bearer" and secret.strip() else None

    def is_at_home(self, request: Request) -> bool:
        """Return whether a request certainly comes from this computer: the page is served only there, and no proxy forwarded it."""
        peer = request.client.host if request.client else ""
        return not self._is_reachable and is_loopback(peer) and not any(name in request.headers for name in _FORWARDED)

    async def welcomed(self, request: Request) -> Visitor | None:
        """Return the visitor who opens the page; without login a new visitor gets a secret of their own."""
        known = await self.visitor(request)
        return known if known is not None or self.needs_login else await self.holder(secrets.token_urlsafe(_SECRET_BYTES))

    async def admitted(self, request: Request) -> Visitor:
        """Return the visitor; raises `Refused` if there is none."""
        visitor = await self.visitor(request)
        if visitor is None:
            raise Refused(401, text("web-login") if self.needs_login else text("web-reload"))
        return visitor

    async def sender(self, request: Request, token: str | None = None) -> Visitor:
        """Return the visitor who sends something from their own page; raises `Refused`. A plain form gives its `token` as a field."""
        visitor = await self.admitted(request)
        given = request.headers.get(TOKEN_HEADER, "") if token is None else token
        if not hmac.compare_digest(given.encode(), visitor.token.encode()):
            raise Refused(403, text("web-reload"))
        return visitor

    def remember(self, response: Response, visitor: Visitor) -> None:
        """Put a visitor's secret into the cookie, for another year."""
        response.set_cookie(COOKIE, visitor.secret, max_age=_YEAR, path="/", secure=self._is_secure, httponly=True, samesite="strict")

    def forget(self, response: Response) -> None:
        """Delete the cookie."""
        response.delete_cookie(COOKIE, path="/", secure=self._is_secure, httponly=True, samesite="strict")


class Tries:
    """Counts wrong tokens by address."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """Raise `Refused` if an address has tried too often."""
        times = self._wrong.get(address, deque())
        while times and times[0] < self._clock() - _TRIES_SECONDS:
            times.popleft()
        if len(times) >= _MOST_TRIES:
            raise Refused(429, text("web-tries"))

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        times = self._wrong.pop(address, deque(maxlen=_MOST_TRIES))
        times.append(self._clock())
        # Least recently used: the address that was silent for longest is dropped first.
        self._wrong[address] = times
        if len(self._wrong) > _MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

"""The life cycle of the web adapter: it listens, sends job views to the open pages, and closes them when it ends."""

import asyncio
import logging
from types import TracebackType
from typing import Self

import uvicorn

from adapters.base import Bot
from adapters.shared.http_connections import LimitedConnection, raise_file_limit
from adapters.shared.http_server import Server, listening
from adapters.web import render
from adapters.web.app import site
from adapters.web.auth.access import PLATFORM, Access
from adapters.web.auth.origin_policy import OriginPolicy
from adapters.web.services import Services
from adapters.web.sse import Hub
from bot.core.values import MessageRef
from bot.framework.reply import Reply
from bot.jobs.delivery import Outcome, OutgoingResult, Sent
from bot.store.database import now
from bot.views.job_card import JobView

log = logging.getLogger("easel.web")

#: How long responses in progress may take when the server ends; streams are closed before.
_GRACE_SECONDS = 3

#: Maximum number of connections and requests at a time; beyond that users are asked to come back, so that memory does not fill up.
_MOST_CONNECTIONS = 2_000


def open_adapter(bot: Bot) -> "WebAdapter":
    """Return the adapter: the web chat is always enabled. Raises `BadConfig`."""
    return WebAdapter(bot)


class WebAdapter:
    """The web chat. Entering it listens; raises `BadConfig` if that fails, for example because the port is in use."""

    platform = PLATFORM

    def __init__(self, bot: Bot) -> None:
        self._web = bot.config.web
        self._hub = Hub()
        desk = Services(bot, Access(bot.app.store, self._web), self._hub)
        # No access log: it would record who asked for which image. Without a lifespan the site has nothing to start or end.
        config = uvicorn.Config(
            site(desk, OriginPolicy.of(self._web)),
            http=LimitedConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=min(_MOST_CONNECTIONS, raise_file_limit() // 2),
            # Anybody on this computer could name any address; only behind a proxy that the operator configured is it believed.
            proxy_headers=bool(self._web.public_url),
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = Server(config)
        self._serving: asyncio.Task[None] | None = None
        self.port = self._web.port

    @property
    def address(self) -> str:
        """Return the address of the page."""
        if self._web.public_url:
            return self._web.public_url
        host = f"[{self._web.host}]" if ":" in self._web.host else self._web.host
        return f"http://{host}:{self.port}/"

    async def __aenter__(self) -> Self:
        bound = listening(self._web.host, self._web.port)
        self.port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve([bound]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait([self._serving, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._serving.done():
            self._serving.result()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Streams first: they last as long as their readers, which is too long.
        self._hub.close()
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.gather(self._serving, return_exceptions=True)

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Send a job view to the open pages of its channel."""
        self._hub.publish(card, address.channel)

    def is_mirrored(self, platform: str) -> bool:
        """Return True: an open page receives events only from the process that it is connected to."""
        return platform == PLATFORM

    async def settle(self, job: str, address: MessageRef) -> None:
        """Do nothing: a page receives a view at once."""

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended. A page that is not open now finds it in the channel: the entry there is its only message."""
        self._hub.publish(outgoing.card, outgoing.address.channel)
        return Sent(outgoing.card.job)

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Show an unsolicited message. A page that is not open now finds it in the channel, under the same key."""
        self._hub.say(render.said(reply, key, now()), address.channel)
        return Sent(key)

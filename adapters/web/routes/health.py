"""Health routes for operators: whether the process is alive, whether it is ready, and its metrics."""

import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.web.auth.access import Tries
from adapters.web.auth.errors import Refused
from adapters.web.services import Services
from bot.i18n.translate import text

log = logging.getLogger("easel.web")

#: Paths that a load balancer asks, under any host name: nothing in the answers is confidential.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})

#: The text format of Prometheus, which every collector reads.
_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class HealthRoutes:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, desk: Services) -> None:
        self._operation = desk.bot.operation
        self._access = desk.access
        self._tries = Tries()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/healthz", self.lives), Route("/readyz", self.ready), Route("/metrics", self.metrics)]

    async def lives(self, _: Request) -> Response:
        """Report that the process is alive."""
        return PlainTextResponse("ok")

    async def ready(self, _: Request) -> Response:
        """Report whether users get images now, and if not the reasons, a word in each line."""
        reasons = await self._operation.ready() if self._operation is not None else ()
        return PlainTextResponse("\n".join(reasons), 503) if reasons else PlainTextResponse("ready")

    async def metrics(self, request: Request) -> Response:
        """Return the metrics to this computer, or to a client with a token."""
        if not self._access.is_at_home(request):
            await self._check(request)
        if self._operation is None:
            raise Refused(404, text("web-nothing"))
        try:
            return Response(await self._operation.metrics(), headers={"content-type": _FORMAT})
        except Exception as error:
            # Collectors ask repeatedly: an unavailable store is logged as one line each time, and no more.
            log.error("web.metrics_failed reason=%s", type(error).__name__)
            return PlainTextResponse("store", 503)

    async def _check(self, request: Request) -> None:
        address = request.client.host if request.client else ""
        self._tries.check(address)
        if await self._access.bearer(request) is None:
            self._tries.wrong(address)
            raise Refused(401, text("web-metrics"), {"www-authenticate": "Bearer"})

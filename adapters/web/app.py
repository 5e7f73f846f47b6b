"""Assembles the site: all routes, the middleware around them, and the error responses."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from adapters.web import render
from adapters.web.auth.errors import Refused
from adapters.web.auth.origin_policy import OriginPolicy
from adapters.web.auth.routes import SignIn
from adapters.web.middleware import GuardMiddleware
from adapters.web.routes.chat import Chat
from adapters.web.routes.gallery import Gallery
from adapters.web.routes.health import OPEN_PATHS, HealthRoutes
from adapters.web.routes.pages import Pages
from adapters.web.services import Services
from bot.core.errors import BadStore, BotError
from bot.i18n.translate import tell, text
from inference.contract.errors import InferenceError
from inference.images.validation import MOST_BYTES

_STATIC = Path(__file__).parent / "static"

#: Maximum bytes of a body: the line or the fields sent with images, or the few fields of every other form.
_BESIDE, _USUAL = 200_000, 16_384


class _Static(StaticFiles):
    """The static files of the page. A browser asks each time whether its copy is current, so a new version is seen at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Return a file, or a response that it has not changed."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        response.headers["cache-control"] = "no-cache"
        return response


def site(desk: Services, hosts: OriginPolicy) -> ASGIApp:
    """Return the whole site as an ASGI application."""
    routes = [
        *Pages(desk).routes(),
        *Gallery(desk).routes(),
        *Chat(desk).routes(),
        *SignIn(desk).routes(),
        *HealthRoutes(desk).routes(),
        Mount("/static", GZipMiddleware(_Static(directory=_STATIC))),
    ]
    failures = {BotError: _told, InferenceError: _told, Refused: _refused, HTTPException: _not_there}
    most = max((len(one.attachments) for one in desk.bot.app.commands.values()), default=0)
    sizes = dict.fromkeys(("/say", "/press"), max(1, most) * MOST_BYTES + _BESIDE)
    guard = Middleware(GuardMiddleware, hosts=hosts, sizes=sizes, usual=_USUAL, probed=OPEN_PATHS)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=failures)


async def _told(request: Request, error: Exception) -> Response:
    """Return the response for a mistake of the user, for a missing resource, or for a database that is away."""
    assert isinstance(error, BotError | InferenceError)
    return render.refusal(request.scope, 503 if isinstance(error, BadStore) else 422, tell(error.problem))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    response = render.refusal(request.scope, error.status, error.sentence)
    response.headers.update(error.headers)
    return response


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = render.refusal(request.scope, error.status_code, text("web-nothing"))
    response.headers.update(error.headers or {})
    return response

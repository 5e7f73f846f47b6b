"""The site: all routes, what goes around them, and how a failure is said."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from adapters.web import outbound
from adapters.web.desk import Desk
from adapters.web.door import Door
from adapters.web.guard import Guard
from adapters.web.hosts import Hosts
from adapters.web.pages import Pages
from adapters.web.refusals import Refused
from adapters.web.talk import Talk
from bot.errors import BotError
from bot.texts import tell, text
from inference.errors import InferenceError
from inference.headers import MOST_BYTES

_STATIC = Path(__file__).parent / "static"

#: Bytes of a body: a picture and the line beside it, or the few fields of every other form.
_SIZES, _USUAL = {"/say": MOST_BYTES + 200_000}, 16_384


class _Static(StaticFiles):
    """The files of the page. A browser asks each time whether its copy is still true, so a new version is seen at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        response.headers["cache-control"] = "no-cache"
        return response


def site(desk: Desk, hosts: Hosts) -> ASGIApp:
    """Return the whole site as an ASGI application."""
    routes = [
        *Pages(desk).routes(),
        *Talk(desk).routes(),
        *Door(desk).routes(),
        Route("/healthz", _health),
        Mount("/static", _Static(directory=_STATIC)),
    ]
    failures = {BotError: _told, InferenceError: _told, Refused: _refused, HTTPException: _not_there}
    guard = Middleware(Guard, hosts=hosts, sizes=_SIZES, usual=_USUAL)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=failures)


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _told(request: Request, error: Exception) -> Response:
    """Return what a person did wrong, or what cannot be had."""
    assert isinstance(error, BotError | InferenceError)
    return outbound.refusal(request.scope, 422, tell(error.problem))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return outbound.refusal(request.scope, error.status, error.sentence)


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = outbound.refusal(request.scope, error.status_code, text("web-nothing"))
    response.headers.update(error.headers or {})
    return response

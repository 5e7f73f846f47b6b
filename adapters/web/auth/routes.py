"""Routes for login and logout, if tokens are required."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapters.web import render, requests
from adapters.web.auth.access import Tries, is_link
from adapters.web.auth.errors import Refused
from adapters.web.services import Services
from bot.i18n.translate import text


class SignIn:
    """`/login` and `/logout`."""

    def __init__(self, desk: Services) -> None:
        self._access = desk.access
        self._tries = Tries()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/login", self.ask),
            Route("/login", self.enter, methods=["POST"]),
            Route("/logout", self.leave, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """Ask for a token; a visitor who is already logged in goes on."""
        if is_link(request):
            return render.html(render.render("hop.html", path="/login"))
        if not self._access.needs_login or await self._access.visitor(request) is not None:
            return RedirectResponse("/", 303)
        return render.html(render.render("login.html", problem=""))

    async def enter(self, request: Request) -> Response:
        """Log a user in with a token."""
        address = request.client.host if request.client else ""
        try:
            self._tries.check(address)
        except Refused as refused:
            return render.html(render.render("login.html", problem=refused.sentence), refused.status)
        secret = (await requests.field(request, "token")).strip()
        visitor = await self._access.holder(secret) if self._access.needs_login and secret else None
        if visitor is None:
            self._tries.wrong(address)
            return render.html(render.render("login.html", problem=text("web-token")), 401)
        response = RedirectResponse("/", 303)
        self._access.remember(response, visitor)
        return response

    async def leave(self, request: Request) -> Response:
        """Log the visitor out. Without login they could not come back as the same user, so the cookie stays."""
        if not self._access.needs_login:
            return RedirectResponse("/", 303)
        # A plain form sends the page's token as a field: it has no way to set a header.
        await self._access.sender(request, await requests.field(request, "easel_token"))
        response = RedirectResponse("/login", 303)
        self._access.forget(response)
        return response

"""The gallery: the boards of the groups that a visitor belongs to, as a page of images."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapters.web import render
from adapters.web.auth.access import Visitor
from adapters.web.services import Services
from bot.framework.reply import Shown
from bot.store.images.images import StoredImage
from bot.store.sharing.boards import Order, Shared
from bot.views import job_card

#: Images on a page.
PAGE = 24

_ORDERS: Mapping[str, Order] = {"new": "new", "used": "used", "liked": "liked"}


class Tile(msgspec.Struct, frozen=True):
    """An item on a board, with its image if it has one."""

    shared: Shared
    picture: Shown | None


class Gallery:
    """Shows boards."""

    def __init__(self, desk: Services) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/gallery", self.show)]

    async def show(self, request: Request) -> Response:
        """Show a page of the items shared in the visitor's groups."""
        visitor = await self._desk.access.welcomed(request)
        if visitor is None:
            return RedirectResponse("/login", 303)
        await self._desk.speak(visitor)
        order, asked = _ORDERS.get(request.query_params.get("order", ""), "new"), request.query_params.get("page", "1")
        page = max(int(asked), 1) if asked.isdecimal() and len(asked) <= _LONGEST_PAGE else 1
        found = await self._found(visitor, order, page)
        covered = await self._desk.store.settings.covered({one.board for one in found}, visitor.address)
        kept = await self._desk.store.pictures.some([one.picture for one in found if one.picture is not None])
        tiles = tuple(_tile(one, kept, covered=one.board in covered) for one in found[:PAGE])
        html = render.render("gallery.html", tiles=tiles, orders=tuple(_ORDERS), order=order, page=page, more=len(found) > PAGE)
        response = render.html(html)
        self._desk.access.remember(response, visitor)
        return response

    async def _found(self, visitor: Visitor, order: Order, page: int) -> tuple[Shared, ...]:
        user = await self._desk.store.people.find(visitor.caller)
        if user is None:
            return ()
        boards = await self._desk.store.boards.looked_at(user.id, visitor.address)
        return await self._desk.store.boards.page(boards, order, (page - 1) * PAGE, PAGE + 1)


def _tile(one: Shared, kept: Mapping[str, StoredImage], *, covered: bool) -> Tile:
    picture = kept.get(one.picture or "")
    return Tile(one, job_card.shown(picture, covered=covered) if picture is not None else None)


#: No visitor turns so many pages that a page number is longer.
_LONGEST_PAGE = 4

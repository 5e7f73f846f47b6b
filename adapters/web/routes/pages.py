"""Read-only routes: the page itself, its parts, and the images."""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapters.web import command_schema, render, requests
from adapters.web.auth.access import Visitor, is_link
from adapters.web.auth.errors import Refused
from adapters.web.file_stream import FileStream
from adapters.web.services import Services
from bot.core.errors import NotAllowed
from bot.i18n.translate import text
from bot.store.jobs.job import Job
from bot.views import board_digest
from bot.views.job_card import JobView
from inference.images.validation import MOST_BYTES

#: Number of entries of a channel shown at once.
_PAGE = 30

_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}

#: A file's key names its content, so its content never changes.
_FOR_EVER = "private, max-age=31536000, immutable"

#: Number of characters of the prompt in the name of a downloaded image.
_LONGEST_NAME = 48


class Pages:
    """The read-only routes."""

    def __init__(self, desk: Services) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.chat),
            Route("/earlier", self.earlier),
            Route("/history", self.history),
            Route("/queue", self.queue),
            Route("/commands", self.commands),
            Route("/suggest", self.suggest),
            Route("/files/{key}", self.file),
        ]

    async def chat(self, request: Request) -> Response:
        """Show the channel; a new visitor gets a cookie, or is asked for a token."""
        if is_link(request):
            return render.html(render.render("hop.html", path="/"))
        visitor = await self._desk.access.welcomed(request)
        if visitor is None:
            return RedirectResponse("/login", 303)
        await self._desk.speak(visitor)
        cards, more = await self._conversation(visitor)
        said, position = await self._said(visitor, cards, more)
        page = render.render(
            "chat.html",
            cards=cards,
            said=said,
            position=position,
            more=more,
            examples=(text("example-1"), text("example-2"), text("example-3")),
            commands=await command_schema.commands(self._desk.bot.app, visitor),
            token=visitor.token,
            name=visitor.caller.name,
            login=self._desk.access.needs_login,
            queue=await self._desk.queue(visitor),
            most_bytes=MOST_BYTES,
        )
        response = render.html(page)
        self._desk.access.remember(response, visitor)
        return response

    async def earlier(self, request: Request) -> Response:
        """Return the entries before a given entry; raises `NotAllowed` for an entry of another channel."""
        visitor = await self._desk.access.admitted(request)
        job = await self._desk.store.jobs.get(request.query_params.get("before", ""))
        if job is None or (job.address.platform, job.address.channel) != (visitor.address.platform, visitor.address.channel):
            raise NotAllowed("denied-job")
        await self._desk.speak(visitor)
        cards, more = await self._conversation(visitor, job)
        return render.json(render.Earlier(tuple([render.entry(card).html for card in cards]), more))

    async def _conversation(self, visitor: Visitor, before: Job | None = None) -> tuple[tuple[JobView, ...], bool]:
        """Return the latest job views, oldest first, and whether there are earlier ones."""
        jobs = await self._desk.store.jobs.of_channel(visitor.address, _PAGE + 1, before.created if before else None)
        return await self._desk.cards(jobs[-_PAGE:]), len(jobs) > _PAGE

    async def _said(self, visitor: Visitor, cards: tuple[JobView, ...], more: bool) -> tuple[str, int]:
        """Return the entry of the last digest and the view that it precedes; `None` if it belongs to earlier entries."""
        one = await self._desk.store.digests.of(visitor.address)
        position = sum(card.created is not None and one is not None and card.created <= one.told for card in cards)
        if one is None or one.told == one.since or (more and not position):
            return "", 0
        reply = await board_digest.told(self._desk.store, one)
        return ("", 0) if reply is None else (render.said(reply, one.key, one.told).html, position)

    async def history(self, request: Request) -> Response:
        """Return a page of the user's images, as the command `history` finds them."""
        visitor = await self._desk.access.admitted(request)
        given = {name: request.query_params.get(name, "") for name in ("words", "page")}
        reply = await self._desk.bot.app.handle(requests.asked("history", given, visitor))
        return render.html(render.render("history.html", reply=reply, words=given["words"]))

    async def queue(self, request: Request) -> Response:
        """Return the user's queued jobs."""
        visitor = await self._desk.access.admitted(request)
        await self._desk.speak(visitor)
        return render.html(render.render("queue.html", queue=await self._desk.queue(visitor)))

    async def commands(self, request: Request) -> Response:
        """Return the commands that can be typed."""
        visitor = await self._desk.access.admitted(request)
        await self._desk.speak(visitor)
        return render.json(await command_schema.commands(self._desk.bot.app, visitor))

    async def suggest(self, request: Request) -> Response:
        """Return suggestions for a parameter while it is typed."""
        visitor = await self._desk.access.admitted(request)
        command, param, typed = (request.query_params.get(name, "") for name in ("command", "param", "typed"))
        return render.json(await command_schema.suggestions(self._desk.bot.app, command, param, typed, visitor))

    async def file(self, request: Request) -> Response:
        """Return an image to the users who may see it; for all others it does not exist."""
        visitor = await self._desk.access.admitted(request)
        key = request.path_params["key"]
        name = await self._name(visitor, key)
        if name is None:
            raise Refused(404, text("web-file"))
        try:
            size = await self._desk.store.files.size(key)
        except FileNotFoundError:
            raise Refused(404, text("web-file")) from None
        suffix = key.rpartition(".")[2]
        headers = {"cache-control": _FOR_EVER}
        if "download" in request.query_params:
            headers["content-disposition"] = f'attachment; filename="{name}.{suffix}"'
        return FileStream(self._desk.store.files.pieces(key), size, _TYPES[suffix], headers)

    async def _name(self, visitor: Visitor, key: str) -> str | None:
        """Return the download name of a file, or `None` if it is not this visitor's."""
        user = await self._desk.store.people.find(visitor.caller)
        if user is None:
            return None
        own = next((one for one in await self._desk.store.pictures.holder(key) if one.user == user.id), None)
        if own is not None:
            return f"{_slug(own.words)}-{own.seed}"
        reader = await self._desk.store.presets.reader(user.id, visitor.address)
        # One after the other, until a source knows the file.
        is_seen = (
            await self._desk.store.boards.show(reader.boards, key)
            or await self._desk.store.presets.picture(reader, key)
            or await self._desk.store.jobs.starts_from(user.id, key)
        )
        return "picture" if is_seen else None


def _slug(words: str) -> str:
    """Return a text as a file name that every system accepts."""
    return "-".join(re.findall(r"[a-z0-9]+", words.lower()))[:_LONGEST_NAME].strip("-") or "picture"

"""Chat routes: send a line, press a button, and follow the stream of changes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.web import render, requests
from adapters.web.auth.access import Visitor
from adapters.web.services import Services
from adapters.web.sse import Hub, News, Stream
from adapters.web.uploads import Uploads
from bot.framework.reply import Reply, command_of
from bot.store.database import now
from bot.store.jobs.job import WAITING
from bot.views.job_card import JobView

#: A page that connects knows or does not miss jobs that ended before that.
_LATELY = timedelta(minutes=10)

#: Maximum number of jobs checked when a page connects.
_MOST_JOBS = 50

#: The retry delay of a browser after a lost connection, in milliseconds.
_AGAIN = b"retry: 2000\n\n"

#: A keep-alive comment; browsers ignore it.
_ALIVE = b": \n\n"


class Chat:
    """`POST /say`, `POST /press` and `GET /events`."""

    def __init__(self, desk: Services) -> None:
        self._desk = desk
        self._uploads = Uploads()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/say", self.say, methods=["POST"]),
            Route("/press", self.press, methods=["POST"]),
            Route("/events", self.events),
        ]

    async def say(self, request: Request) -> Response:
        """Run the line that the user typed."""
        visitor = await self._desk.access.sender(request)
        async with self._uploads.room(visitor.caller.id, request):
            line = await requests.said(request)
            return await self._answer(await self._desk.bot.app.handle(requests.invocation(line, visitor)), visitor)

    async def press(self, request: Request) -> Response:
        """Run the command of a button, or of a submitted form."""
        visitor = await self._desk.access.sender(request)
        async with self._uploads.room(visitor.caller.id, request):
            button = await requests.pressed(request)
            # The page shows the command that they could have typed as the user's words.
            line = f"/{command_of(button.wire)}"
            who_and_where = (visitor.caller, visitor.address)
            reply = await self._desk.bot.app.pressed(button.wire, *who_and_where, filled=button.filled, line=line, key=button.key)
            return await self._answer(reply, visitor)

    async def _answer(self, reply: Reply, visitor: Visitor) -> Response:
        jobs = [await self._desk.store.jobs.get(job_id) for job_id in reply.jobs]
        cards = await self._desk.cards(tuple([job for job in jobs if job is not None]))
        for card in cards:
            # Other pages of the same user follow the channel too.
            self._desk.hub.begin(card, visitor.address.channel)
        for job_id in reply.refresh:
            await self._desk.bot.refresh(job_id)
        return render.json(render.Answer(render.told(reply), tuple(map(render.entry, cards)), render.form(reply)))

    async def events(self, request: Request) -> Response:
        """Follow a channel: open jobs, then every change."""
        visitor = await self._desk.access.admitted(request)
        await self._desk.speak(visitor)
        return _Events(self._desk.hub, visitor.address.channel, partial(self._follow, visitor))

    async def _follow(self, visitor: Visitor, stream: Stream) -> AsyncIterator[bytes]:
        yield _AGAIN
        for card in await self._lately(visitor):
            stream.begin(card)
        async for batch in stream.follow():
            for news in batch:
                yield render.event(news)
            if batch and not any(isinstance(news, News) and news.whole for news in batch):
                continue
            # Between whole views and in silence: often enough that a revoked token stops the stream before it sees much more.
            if await self._desk.access.holder(visitor.secret) is None:
                return
            yield await self._queue(visitor, stream) if batch or stream.is_waiting else _ALIVE

    async def _queue(self, visitor: Visitor, stream: Stream) -> bytes:
        cards = await self._desk.queue(visitor)
        stream.renew(tuple([card for card in cards if card.state == WAITING]))
        return render.queue_event(cards)

    async def _lately(self, visitor: Visitor) -> tuple[JobView, ...]:
        since = now() - _LATELY
        jobs = await self._desk.store.jobs.of_channel(visitor.address, _MOST_JOBS)
        return await self._desk.cards(tuple([job for job in jobs if job.ended is None or job.ended > since]))


class _Events(Response):
    """A response that lasts until its stream ends. When the reader disconnects the stream is closed, and no query to
    the store is cancelled halfway, as it would be by starlette's own streaming response.
    """

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, channel: str, pieces: Callable[[Stream], AsyncIterator[bytes]]) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._place = channel
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces as they come."""
        with self._hub.open(self._place) as stream:
            leaving = asyncio.create_task(_close_when_left(receive, stream))
            try:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                if scope["method"] != "HEAD":
                    async for piece in self._pieces(stream):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            finally:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)


async def _close_when_left(receive: Receive, stream: Stream) -> None:
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        # If a request cannot be read to its end, no task would notice that its reader has disconnected.
        stream.close()

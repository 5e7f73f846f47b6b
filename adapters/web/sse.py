"""Streams events to open pages. Only the latest view of each job is buffered, so a slow reader delays no other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import msgspec

from bot.store.jobs.job import RUNNING, WAITING
from bot.views.job_card import JobView

#: Seconds without news after which a page receives a keep-alive; proxies would close the connection otherwise.
KEEP_ALIVE_SECONDS = 15.0

#: Seconds between two steps of one job: eight a second look like motion.
STEP_SECONDS = 0.125

#: Seconds between two checks of queue positions: every job that ends changes all positions.
LOOK_SECONDS = 1.0

#: Maximum open pages of one visitor. A further page replaces the oldest, whose reader most likely disconnected unnoticed.
MOST_STREAMS = 8

#: Maximum jobs buffered for one reader; a slower reader is disconnected and starts again with the current state.
_MOST_WAITING = 200

#: Number of ended jobs remembered, so that a late step does not open them again.
_MOST_ENDED = 1_000


class News(msgspec.Struct, frozen=True):
    """A view to send. `whole`: its entry has changed, and not just the progress; `preview` is set if it is new."""

    card: JobView
    whole: bool
    preview: bytes | None = None


class Sentence(msgspec.Struct, frozen=True):
    """An unsolicited message: its entry, identified by its id."""

    id: str
    html: str


class _Told(msgspec.Struct, frozen=True):
    """The last state of an open job that a page received."""

    state: str
    status: str
    preview: bytes | None
    at: float


class Stream:
    """One open page. It receives batches: news, or an empty batch after a long silence."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.is_closed = False
        self._waiting: dict[str, JobView] = {}
        self._said: dict[str, Sentence] = {}
        self._told: dict[str, _Told] = {}
        self._woken = asyncio.Event()
        self._is_stale = False
        self._next_look = 0.0

    @property
    def is_waiting(self) -> bool:
        """Return whether the page shows a queued job."""
        return any(told.state == WAITING for told in self._told.values())

    def offer(self, card: JobView) -> None:
        """Take a view to send; it replaces an earlier view of its job."""
        self._waiting[card.job] = card
        if len(self._waiting) > _MOST_WAITING:
            self.close()
        self._woken.set()

    def say(self, said: Sentence) -> None:
        """Take a message to send that is not a job view."""
        self._said[said.id] = said
        self._woken.set()

    def begin(self, card: JobView) -> None:
        """Take the view of a job that is new to the page; a view that it already has is newer."""
        if card.job not in self._waiting and card.job not in self._told:
            self.offer(card)

    def look_again(self) -> None:
        """Note that a job elsewhere has ended: queue positions may have changed."""
        if self.is_waiting:
            self._is_stale = True
            self._woken.set()

    def renew(self, cards: tuple[JobView, ...]) -> None:
        """Take new views of queued jobs; views already sent are left out."""
        for card in cards:
            told = self._told.get(card.job)
            if told is not None and told.state == card.state == WAITING and told.status != card.status and card.job not in self._waiting:
                self.offer(card)

    def close(self) -> None:
        """End the stream: its reader is done after the current batch."""
        self.is_closed = True
        self._woken.set()

    async def follow(self) -> AsyncIterator[tuple[News | Sentence, ...]]:
        """Yield news as they come; an empty batch after a long silence, or when queue positions are to be checked again."""
        while not self.is_closed:
            self._woken.clear()
            if batch := tuple(self._due()):
                yield batch
                continue
            if self._is_stale and monotonic() >= self._next_look:
                self._is_stale, self._next_look = False, monotonic() + LOOK_SECONDS
                yield ()
                continue
            try:
                # Throttled steps wake no reader: they are checked again by themselves.
                await asyncio.wait_for(self._woken.wait(), STEP_SECONDS if self._waiting or self._is_stale else KEEP_ALIVE_SECONDS)
            except TimeoutError:
                if not (self._waiting or self._is_stale):
                    yield ()

    def _due(self) -> Iterator[News | Sentence]:
        now = monotonic()
        while self._said:
            yield self._said.pop(next(iter(self._said)))
        for job, card in list(self._waiting.items()):
            told = self._told.get(job)
            is_step = told is not None and told.state == card.state == RUNNING and card.progress is not None
            if is_step and told is not None and now - told.at < STEP_SECONDS:
                continue
            del self._waiting[job]
            preview = card.progress.preview if card.progress else None
            yield News(card, not is_step, preview if told is None or preview != told.preview else None)
            if card.is_open:
                self._told[job] = _Told(card.state, card.status, preview, now)
            else:
                self._told.pop(job, None)


class Hub:
    """All open pages."""

    def __init__(self) -> None:
        self._streams: dict[str, list[Stream]] = {}
        self._ended: dict[str, None] = {}
        self._is_closed = False

    def begin(self, card: JobView, channel: str) -> None:
        """Tell the open pages of a channel about a job that may be new to them."""
        if card.job not in self._ended:
            for stream in self._streams.get(channel, ()):
                stream.begin(card)

    def publish(self, card: JobView, channel: str) -> None:
        """Send a view to every open page of a channel."""
        if card.is_open and card.job in self._ended:
            return
        for stream in self._streams.get(channel, ()):
            stream.offer(card)
        if not card.is_open and card.job not in self._ended:
            self._ended[card.job] = None
            if len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]
            self._each(Stream.look_again)

    def say(self, said: Sentence, channel: str) -> None:
        """Send a message that is not a job view to every open page of a channel."""
        for stream in self._streams.get(channel, ()):
            stream.say(said)

    @contextmanager
    def open(self, channel: str) -> Iterator[Stream]:
        """Open a stream of a channel's news."""
        streams = self._streams.setdefault(channel, [])
        stream = Stream(channel)
        streams.append(stream)
        for oldest in streams[:-MOST_STREAMS]:
            oldest.close()
        if self._is_closed:
            stream.close()
        try:
            yield stream
        finally:
            streams.remove(stream)
            if not streams:
                self._streams.pop(channel, None)

    def close(self) -> None:
        """End all streams, including future streams."""
        self._is_closed = True
        self._each(Stream.close)

    def _each(self, do: Callable[[Stream], None]) -> None:
        for streams in list(self._streams.values()):
            for stream in list(streams):
                do(stream)

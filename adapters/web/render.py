"""Renders job views and replies for a browser: HTML from the templates, JSON around it, and server-sent events."""

import base64
import contextlib
import functools
import mimetypes
from datetime import datetime
from typing import Any

import jinja2
import msgspec
from jinja2.bccache import Bucket
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from adapters.shared import cache
from adapters.web.sse import News, Sentence
from bot.framework.help import help_with
from bot.framework.reply import Attachment, Reply
from bot.i18n.translate import ENGLISH, number, speaking, spoken, text
from bot.views import job_card
from bot.views.job_card import JobView

# `Any` and dicts are for the templates: their values have no type of ours.


class Entry(msgspec.Struct, frozen=True):
    """The entry of a job in the channel."""

    id: str
    html: str


class Answer(msgspec.Struct, frozen=True):
    """The immediate response: the bot's message, the entries of the accepted jobs, and the form with which it asks for more."""

    reply: str
    jobs: tuple[Entry, ...]
    form: str = ""


class Earlier(msgspec.Struct, frozen=True):
    """Older entries, oldest first, and whether there are older entries still."""

    cards: tuple[str, ...]
    more: bool


class Error(msgspec.Struct, frozen=True):
    """An error as one sentence."""

    error: str


class CardEvent(msgspec.Struct, frozen=True):
    """A changed entry."""

    id: str
    state: str
    html: str


class ProgressEvent(msgspec.Struct, frozen=True):
    """The progress of a job; `preview` is set if it is new."""

    id: str
    n: int
    of: int
    status: str
    preview: str | None = None


class QueueEvent(msgspec.Struct, frozen=True):
    """A changed list of queued jobs."""

    html: str


def render(template: str, **context: Any) -> str:
    """Return a rendered template; all its values are escaped."""
    return _templates().get_template(template).render(**context)


def entry(card: JobView) -> Entry:
    """Return the entry of a job view."""
    return Entry(card.job, render("entry.html", card=card))


def told(reply: Reply) -> str:
    """Return the text of a reply, or an empty string if it only names jobs."""
    said = reply.text or reply.facts or reply.pictures or reply.buttons or reply.files
    return render("reply.html", reply=reply) if said else ""


def form(reply: Reply) -> str:
    """Return the form with which a reply asks for more, or an empty string."""
    return render("form.html", form=reply.form) if reply.form is not None else ""


def said(reply: Reply, key: str, at: datetime) -> Sentence:
    """Return the entry of an unsolicited message sent at a given time; `key` identifies it."""
    return Sentence(f"said-{key}", render("said.html", reply=reply, key=key, at=at))


def event(news: News | Sentence) -> bytes:
    """Return the event for a changed job view, a step, or an unsolicited message."""
    if isinstance(news, Sentence):
        return sent("said", news)
    card, progress = news.card, news.card.progress
    if news.whole or progress is None:
        return sent("card", CardEvent(card.job, card.state, entry(card).html))
    preview = data_url(news.preview) if news.preview else None
    return sent("progress", ProgressEvent(card.job, progress.n, progress.of, card.status, preview))


def queue_event(cards: tuple[JobView, ...]) -> bytes:
    """Return the event for a list of queued jobs."""
    return sent("queue", QueueEvent(render("queue.html", queue=cards)))


def sent(name: str, data: msgspec.Struct) -> bytes:
    """Return a server-sent event. JSON contains no line breaks, so it is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def json(data: object, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(data), status, media_type="application/json")


def html(content: str, status: int = 200) -> Response:
    """Return a page, or a part of one."""
    return HTMLResponse(content, status)


def refusal(scope: Scope, status: int, sentence: str) -> Response:
    """Return an error sentence in the requested form: a page for a user, JSON for a script."""
    if scope["method"] in ("GET", "HEAD") and "text/html" in Headers(scope=scope).get("accept", ""):
        return html(render("error.html", problem=sentence), status)
    return json(Error(sentence), status)


def digits(amount: float) -> str:
    """Return a number in the notation of browsers, whatever the language."""
    with speaking(ENGLISH):
        return number(amount)


def data_url(jpeg: bytes) -> str:
    """Return a small image as a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def file_url(file: Attachment) -> str:
    """Return a file as a data URL: it is handed over once, and nothing of it is stored here."""
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(file.data).decode()}"


class _Compiled(jinja2.FileSystemBytecodeCache):
    """A cache of compiled templates that survives restarts, keyed by their source's digest. A template that is not stored is recompiled."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read a template; a file damaged by a power failure counts as missing."""
        try:
            super().load_bytecode(bucket)
        except Exception:
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Store a template, unless the disk is full or may not be written to."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


@functools.cache
def _templates() -> jinja2.Environment:
    compiled = cache.own(f"templates-{jinja2.__version__}")
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("adapters.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Compiling takes as long as everything else that a first page needs.
        bytecode_cache=_Compiled(str(compiled)) if compiled else None,
    )
    templates.globals.update(text=text, number=number, digits=digits, spoken=spoken, help_with=help_with)
    templates.filters.update(data_url=data_url, file_url=file_url, in_order=job_card.in_order)
    return templates

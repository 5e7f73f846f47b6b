"""From cards and replies to what a browser shows: HTML from the templates, JSON around it, and server-sent events."""

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
from bot.views import buttons
from bot.views.job_card import JobView

# `Any` and dicts are the templates': what they are given has no type of ours.


class Entry(msgspec.Struct, frozen=True):
    """The entry of a job in the conversation."""

    id: str
    html: str


class Answer(msgspec.Struct, frozen=True):
    """What comes back at once: what the bot says, the entries of what it accepted, and the form with which it asks for more."""

    reply: str
    jobs: tuple[Entry, ...]
    form: str = ""


class Earlier(msgspec.Struct, frozen=True):
    """Older entries, oldest first, and whether there are older ones still."""

    cards: tuple[str, ...]
    more: bool


class Error(msgspec.Struct, frozen=True):
    """What was wrong, as one sentence."""

    error: str


class CardEvent(msgspec.Struct, frozen=True):
    """An entry that has changed."""

    id: str
    state: str
    html: str


class ProgressEvent(msgspec.Struct, frozen=True):
    """How far a job is; `preview` is there where it is a new one."""

    id: str
    n: int
    of: int
    status: str
    preview: str | None = None


class QueueEvent(msgspec.Struct, frozen=True):
    """The list of what waits, which has changed."""

    html: str


def render(template: str, **context: Any) -> str:
    """Return a template filled in; everything in it is escaped."""
    return _templates().get_template(template).render(**context)


def entry(card: JobView) -> Entry:
    """Return the entry of a card."""
    return Entry(card.job, render("entry.html", card=card))


def told(reply: Reply) -> str:
    """Return what a reply says, or nothing where it only names jobs."""
    said = reply.text or reply.facts or reply.pictures or reply.buttons or reply.files
    return render("reply.html", reply=reply) if said else ""


def form(reply: Reply) -> str:
    """Return the form with which a reply asks for more, or nothing."""
    return render("form.html", form=reply.form) if reply.form is not None else ""


def said(reply: Reply, key: str, at: datetime) -> Sentence:
    """Return the entry of something that was said, at a moment, though nobody asked; `key` is what it is known by."""
    return Sentence(f"said-{key}", render("said.html", reply=reply, key=key, at=at))


def event(news: News | Sentence) -> bytes:
    """Return the event of a card that has changed, of a step, or of something that was said."""
    if isinstance(news, Sentence):
        return sent("said", news)
    card, progress = news.card, news.card.progress
    if news.whole or progress is None:
        return sent("card", CardEvent(card.job, card.state, entry(card).html))
    preview = data_url(news.preview) if news.preview else None
    return sent("progress", ProgressEvent(card.job, progress.n, progress.of, card.status, preview))


def queue_event(cards: tuple[JobView, ...]) -> bytes:
    """Return the event of a list of what waits."""
    return sent("queue", QueueEvent(render("queue.html", queue=cards)))


def sent(name: str, data: msgspec.Struct) -> bytes:
    """Return a server-sent event. JSON has no line ends of its own, so it is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def json(data: object, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(data), status, media_type="application/json")


def html(content: str, status: int = 200) -> Response:
    """Return a page, or a part of one."""
    return HTMLResponse(content, status)


def refusal(scope: Scope, status: int, sentence: str) -> Response:
    """Return a sentence in the form that was asked for: a page where somebody looks at it, JSON where a script does."""
    if scope["method"] in ("GET", "HEAD") and "text/html" in Headers(scope=scope).get("accept", ""):
        return html(render("error.html", problem=sentence), status)
    return json(Error(sentence), status)


def digits(amount: float) -> str:
    """Return a number as browsers reckon with it, whatever the language."""
    with speaking(ENGLISH):
        return number(amount)


def data_url(jpeg: bytes) -> str:
    """Return a small picture as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def file_url(file: Attachment) -> str:
    """Return a file as an address that holds it: it is handed over once, and nothing of it is kept here."""
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(file.data).decode()}"


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Compiled templates, from one start to the next; each with the digest of its source. One that cannot be kept is made again."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read a template; a file that a power failure broke is as good as none."""
        try:
            super().load_bytecode(bucket)
        except Exception:
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, unless the disk is full or may not be written to."""
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
    templates.filters.update(data_url=data_url, file_url=file_url, in_order=buttons.in_order)
    return templates

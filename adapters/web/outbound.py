"""From cards and replies to what a browser shows: HTML from the templates, JSON around it, and server-sent events."""

import base64
from functools import cache
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from adapters.web.streams import News
from bot.cards import Card
from bot.reply import Reply
from bot.texts import text

# `Any` and dicts are the templates': what they are given has no type of ours.


class Entry(msgspec.Struct, frozen=True):
    """The entry of a job in the conversation."""

    id: str
    html: str


class Answer(msgspec.Struct, frozen=True):
    """What comes back at once: what the bot says, and the entries of what it accepted."""

    reply: str
    jobs: tuple[Entry, ...]


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


def entry(card: Card) -> Entry:
    """Return the entry of a card."""
    return Entry(card.job, render("entry.html", card=card))


def told(reply: Reply) -> str:
    """Return what a reply says, or nothing where it only names jobs."""
    said = reply.text or reply.facts or reply.pictures or reply.buttons
    return render("reply.html", reply=reply) if said else ""


def event(news: News) -> bytes:
    """Return the event of a card that has changed, or of a step."""
    card, progress = news.card, news.card.progress
    if news.whole or progress is None:
        return sent("card", CardEvent(card.job, card.state, entry(card).html))
    preview = data_url(news.preview) if news.preview else None
    return sent("progress", ProgressEvent(card.job, progress.n, progress.of, card.status, preview))


def queue_event(cards: tuple[Card, ...]) -> bytes:
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


def data_url(jpeg: bytes) -> str:
    """Return a small picture as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("adapters.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals["text"] = text
    templates.filters["data_url"] = data_url
    return templates

"""Finished pictures: what is known of one, taking one away, and looking for them."""

import logging

from bot import cards
from bot.app import Context
from bot.reply import MOST_WIRE, Button, Fact, Reply
from bot.spec import Params, command
from bot.store.jobs import Job
from bot.store.pictures import KeptPicture
from bot.texts import duration, moment, number, size, text
from bot.vocabulary import Page, PictureId, Words

log = logging.getLogger("easel.pictures")

#: Pictures on a page of history: three rows of four, or four of three.
PAGE = 12


class Info(Params):
    """Which picture to tell about."""

    picture: PictureId


class Delete(Params):
    """Which picture to take away."""

    picture: PictureId


class History(Params):
    """Which of the pictures to show."""

    words: Words = None
    page: Page = None


@command
async def info(ctx: Context, want: Info) -> Reply:
    """Tell all settings of a picture."""
    picture, job = await ctx.picture(want.picture)
    told = {name: said for name, said in _settings(picture, job).items() if said}
    facts = tuple(Fact(text(f"fact-{name}"), said) for name, said in told.items())
    return Reply(facts=facts, pictures=(cards.shown(picture),))


def _settings(picture: KeptPicture, job: Job) -> dict[str, str]:
    """Return what is known of a picture by the name of the fact; what does not apply is empty."""
    request = job.request
    return {
        "prompt": request.prompt.text,
        "negative": request.negative.text,
        "model": request.model,
        "size": size(picture.width, picture.height),
        "seed": str(picture.seed),
        "steps": number(request.steps),
        "guidance": number(request.guidance),
        "scheduler": request.scheduler,
        "strength": number(request.strength) if job.source is not None else "",
        "painted": moment(picture.created),
        "seconds": duration((job.ended - job.started).total_seconds()) if job.ended and job.started else "",
        "id": picture.id,
    }


@command
async def delete(ctx: Context, want: Delete) -> Reply:
    """Delete a picture of yours for good."""
    picture = await ctx.own_picture(want.picture)
    # The row first: should the rest fail, a file is left that nobody sees, and never a picture without its file.
    for file in await ctx.store.pictures.delete(picture.id):
        try:
            await ctx.store.files.delete(file)
        except OSError:
            log.exception("file.delete_failed file=%s", file)
    return Reply(text=text("delete-done", words=picture.words or text("paint-no-words")), refresh=(picture.job,))


@command
async def history(ctx: Context, want: History) -> Reply:
    """Show your pictures, newest first."""
    words, page = (want.words or "").strip(), want.page or 1
    count = await ctx.store.pictures.count(ctx.person.id, words)
    found = await ctx.store.pictures.search(ctx.person.id, words, page, PAGE)
    if not found:
        return Reply(text=text("history-none", words=words) if not count else text("history-end", page=page, count=count))
    first = (page - 1) * PAGE + 1
    last = first + len(found) - 1
    told = text("history-page", first=first, last=last, count=count, words=words)
    more = _more(words, page + 1) if last < count else ()
    if last < count and not more:
        told = f"{told} {text('history-next', words=words, page=page + 1)}"
    return Reply(text=told, pictures=tuple(cards.shown(one) for one in found), buttons=more)


def _more(words: str, page: int) -> tuple[Button, ...]:
    """Return the button to a page; none where the words are too long for one."""
    wire = history.wire(words=words, page=page)
    return (history.button("button-more", words=words, page=page),) if len(wire.encode()) <= MOST_WIRE else ()

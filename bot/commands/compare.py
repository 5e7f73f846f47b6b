"""The command that shows two pictures side by side, with the settings that differ."""

import asyncio

from bot.commands.context import Context
from bot.commands.images import settings_of
from bot.core.errors import BadInput
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Attachment, Fact, Reply
from bot.generation.fields import label
from bot.generation.param_types import Pair
from bot.i18n.translate import number, text
from bot.store.images.images import StoredImage
from bot.store.images.search import SearchQuery
from bot.store.jobs.job import Job
from bot.views import job_card, side_by_side

#: Facts that differ between any two pictures and do not affect their look.
_ALWAYS = ("id", "painted", "seconds")


class Compare(Params):
    """Two pictures to compare, or one that is compared with the user's previous picture."""

    pictures: Pair


@command
async def compare(ctx: Context, want: Compare) -> Reply:
    """Show two pictures side by side, with the settings that differ."""
    ids = want.pictures.replace(",", " ").split()
    if not 1 <= len(ids) <= 2 or len(set(ids)) < len(ids):
        raise BadInput("input-compare")
    second, its_job = await ctx.picture(ids[-1])
    other = ids[0] if len(ids) > 1 else await _earlier(ctx, second)
    if other is None:
        return Reply(text=text("compare-first"))
    first, job = await ctx.picture(other)
    facts = _differences(settings_of(first, job), settings_of(second, its_job))
    told = "" if facts else text("compare-same")
    made = await _composed(ctx, (first, second), (_caption(first, job), _caption(second, its_job)))
    return Reply(text=told, facts=facts, pictures=(job_card.shown(first), job_card.shown(second)), files=made)


async def _earlier(ctx: Context, picture: StoredImage) -> str | None:
    """Return the user's previous picture, of those that are visible here."""
    sought = SearchQuery(user=ctx.user.id, people=(picture.user,), here=ctx.address, before=picture.created)
    found = (await ctx.store.finding.pictures(sought, 1, 1)).pictures
    return found[0].id if found else None


async def _composed(ctx: Context, pictures: tuple[StoredImage, StoredImage], captions: tuple[str, str]) -> tuple[Attachment, ...]:
    """Return both as one picture, which is not stored; None if one was deleted in the meantime."""
    try:
        first, second = [await ctx.store.files.get(one.file) for one in pictures]
    except FileNotFoundError:
        return ()
    return (Attachment("compare.jpg", await asyncio.to_thread(side_by_side.side_by_side, (first, second), captions)),)


def _caption(picture: StoredImage, job: Job) -> str:
    return text("compare-caption", seed=str(picture.seed), steps=number(job.request.steps), model=job.request.model)


def _differences(first: dict[str, str], second: dict[str, str]) -> tuple[Fact, ...]:
    names = [name for name in dict.fromkeys((*first, *second)) if name not in _ALWAYS and first.get(name, "") != second.get(name, "")]
    nothing = text("compare-nothing")
    return tuple(
        Fact(label(name), text("compare-differs", first=first.get(name) or nothing, second=second.get(name) or nothing)) for name in names
    )

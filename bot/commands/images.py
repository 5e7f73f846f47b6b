"""The commands for one finished picture: show its settings, send the file, delete it. `history` searches pictures."""

import logging

from bot.commands.context import Context
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.fields import FIELDS, label
from bot.generation.param_types import PictureId
from bot.i18n.translate import duration, moment, size, text
from bot.store.images.images import StoredImage
from bot.store.jobs.job import Job
from bot.views import job_card
from inference.contract.inputs import Role

log = logging.getLogger("easel.pictures")


class Info(Params):
    """The picture to describe."""

    picture: PictureId


class Original(Params):
    """The picture to send."""

    picture: PictureId


class Delete(Params):
    """The picture to delete."""

    picture: PictureId


@command
async def info(ctx: Context, want: Info) -> Reply:
    """Show all settings of a picture."""
    picture, job = await ctx.picture(want.picture)
    told = {name: said for name, said in settings_of(picture, job).items() if said}
    facts = tuple(Fact(label(name), said) for name, said in told.items())
    is_marked = await ctx.store.favourites.folder(ctx.user.id, picture.id) is not None
    deeds = job_card.info_buttons(picture.id, is_marked=is_marked, is_own=picture.user == ctx.user.id)
    return Reply(facts=facts, pictures=(job_card.shown(picture),), buttons=deeds)


def settings_of(picture: StoredImage, job: Job) -> dict[str, str]:
    """Return the facts about a picture by name; those that do not apply are empty."""
    shown = [one for one in FIELDS.values() if one.row.fact and one.row.of_picture and (job.files(Role.INIT) or not one.row.of_image)]
    return {
        **{one.name: one.told(job.request) for one in shown},
        "size": size(picture.width, picture.height),
        "seed": str(picture.seed),
        "painted": moment(picture.created),
        "seconds": duration((job.ended - job.started).total_seconds()) if job.ended and job.started else "",
        **(job_card.provenance_facts(job.evidence.painted) if job.evidence.painted is not None else {}),
        "compared": job_card.verdict(job.evidence),
        "id": picture.id,
    }


@command
async def original(ctx: Context, want: Original) -> Reply:
    """Get a picture as its original file."""
    picture, _ = await ctx.picture(want.picture)
    return Reply(pictures=(job_card.shown(picture),), whole=True)


@command
async def delete(ctx: Context, want: Delete) -> Reply:
    """Delete one of your pictures permanently."""
    picture = await ctx.own_picture(want.picture)
    # The row first: if the rest fails, an invisible file remains, and never a picture without its file.
    for file in await ctx.store.pictures.delete(picture.id):
        try:
            await ctx.store.files.delete(file)
        except OSError:
            log.exception("file.delete_failed file=%s", file)
    return Reply(text=text("delete-done", words=picture.words or text("paint-no-words")), refresh=(picture.job,))

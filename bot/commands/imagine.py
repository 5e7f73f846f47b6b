"""Painting: from words, again, and as a variation."""

import math

from bot import words
from bot.app import Context
from bot.reply import Reply
from bot.spec import Params, command
from bot.vocabulary import JobId, PictureId, Same, Strength
from bot.wish import Wish

#: How much of a picture a variation paints anew: the composition stays, the details change.
VARY_STRENGTH = 0.55


class Imagine(Wish):
    """What to paint, and how."""


class Again(Params):
    """Which request to paint once more."""

    job: JobId
    same: Same = None


class Vary(Params):
    """Which picture to vary, and how much."""

    picture: PictureId
    strength: Strength = None


@command
async def imagine(ctx: Context, want: Imagine) -> Reply:
    """Paint a picture from words."""
    return await _painted(ctx, want)


@command
async def again(ctx: Context, want: Again) -> Reply:
    """Paint a request once more, with a new seed."""
    job = await ctx.job(want.job)
    wish = Wish.model_validate_json(job.wish)
    return await _painted(ctx, wish.model_copy(update={"seed": job.request.seed if want.same else None}))


@command
async def vary(ctx: Context, want: Vary) -> Reply:
    """Paint a variation of a picture."""
    picture, job = await ctx.picture(want.picture)
    request = job.request
    # With few steps a small strength would come to no step at all.
    usual = max(VARY_STRENGTH, math.ceil(100 / request.steps) / 100)
    # As it was read: a variation keeps what was drawn of alternatives.
    drawn = {"prompt": request.prompt.text, "negative": request.negative.text or None}
    changed = {
        "image": picture.file,
        "strength": usual if want.strength is None else want.strength,
        "seed": None,
        "count": None,
        "size": f"{picture.width}x{picture.height}",
    }
    return await _painted(ctx, Wish.model_validate_json(job.wish).model_copy(update=drawn | changed))


async def _painted(ctx: Context, wish: Wish) -> Reply:
    draft = await ctx.submit(wish)
    return Reply(text=words.unknown_words(draft.request, ctx.app.offer.passport(draft.request.model)), jobs=(draft.id,))

"""Painting: from words, again, changed, and as a variation."""

import math
from collections.abc import Collection, Iterable, Mapping

from bot.commands.context import Context
from bot.core.values import Given
from bot.framework import forms
from bot.framework.binding import bind
from bot.framework.command import painting_command, painting_form_command
from bot.framework.params import Params
from bot.framework.reply import Form, Reply
from bot.generation import resolve
from bot.generation.fields import CHANGEABLE, GenerationParams, taking
from bot.generation.param_types import JobId, OtherPrompt, PictureId, Same, Strength, Without
from bot.presets import template
from bot.prompting import grammar
from bot.store.images.images import StoredImage
from bot.store.jobs.job import NewJob
from inference.contract.request import PictureRequest

#: How much of a picture a variation paints anew: the composition stays, the details change.
VARY_STRENGTH = 0.55


class Imagine(GenerationParams):
    """What to paint, and how."""


class Again(Params):
    """Which request to paint once more."""

    job: JobId
    same: Same = None


@taking(CHANGEABLE)
class Edit(Params):
    """Which request to change, and how; nothing but the request asks for a form."""

    job: JobId
    prompt: OtherPrompt = None
    without: Without = None


@taking(CHANGEABLE)
class Branch(Params):
    """Which picture to paint on from, and what to change; nothing but the picture asks for a form."""

    picture: PictureId
    prompt: OtherPrompt = None
    without: Without = None


class Vary(Params):
    """Which picture to vary, and how much."""

    picture: PictureId
    strength: Strength = None


@painting_command
async def imagine(ctx: Context, want: Imagine) -> Reply:
    """Paint a picture from a description."""
    return await _painted(ctx, want)


@painting_command
async def again(ctx: Context, want: Again) -> Reply:
    """Repeat a job with a new seed."""
    job = await ctx.job(want.job)
    if want.same:
        return _answer(ctx, await ctx.repeat(job))
    return await _painted(ctx, (await ctx.wish_of(job)).model_copy(update={"seed": None}), job.request.mode)


@painting_form_command
async def edit(ctx: Context, want: Edit) -> Reply:
    """Change a job and paint it again."""
    job = await ctx.job(want.job)
    params = (await ctx.wish_of(job)).model_dump(exclude_none=True)
    changes = want.model_dump(exclude_none=True, exclude={"job", "without"})
    if not changes and want.without is None:
        return Reply(form=_form(ctx, job.id, params))
    left = forms.emptied(want.without, tuple(GenerationParams.model_fields))
    await _keep(ctx, params, changes, left)
    return await _all(ctx, _changed(params, changes, left), job.request.mode)


async def _all(ctx: Context, params_list: Iterable[Mapping[str, Given]], mode: str) -> Reply:
    """Return the answer to several wishes at once, which are painted in the mode of what they change."""
    replies = [await _painted(ctx, bind(imagine, one), mode) for one in params_list]
    said = dict.fromkeys(one.text for one in replies if one.text)
    return Reply(text="\n".join(said), jobs=tuple(job for one in replies for job in one.jobs))


async def _keep(ctx: Context, params: Mapping[str, Given], changes: Mapping[str, Given], left: Collection[str]) -> None:
    """Raise `BadInput` where a change is not in the sense of the preset that a wish is painted with; without it all can be changed."""
    preset = None if "preset" in left else await ctx.store.presets.referred(str(params.get("preset") or ""))
    if preset is not None:
        # A form brings back all that stood in it.
        new = {name: value for name, value in changes.items() if value != params.get(name)}
        template.keep(preset.use, new | {name: "" for name in left if name in params})


def _changed(params: Mapping[str, Given], changes: Mapping[str, Given], left: Collection[str]) -> list[dict[str, Given]]:
    """Return a wish with its changes, without what is left to the model; as in a line a prompt may be cut into several."""
    whole = {name: value for name, value in {**params, **changes}.items() if name not in left}
    several = [{**whole, "prompt": one} for one in grammar.split(str(whole.get("prompt", "")))]
    for one in several:
        if "image" not in changes and _link(one) != _link(params):
            # The picture that was kept is the one behind the old link.
            one.pop("image", None)
    return several


def _link(params: Mapping[str, Given]) -> str:
    """Return the link in a prompt to the picture that it starts from, or nothing; raises `BadInput`."""
    return grammar.read(str(params["prompt"])).image or ""


def _form(ctx: Context, job_id: str, params: Mapping[str, Given]) -> Form:
    """Return the form that changes a request: what people change most."""
    values = {name: params.get(name) for name in ("prompt", "negative", "size", "steps", "image")}
    sizes = ctx.app.suggestions(edit.param("size"), "")
    return forms.form(edit, "form-edit", edit.wire(job=job_id), values, {"size": sizes})


@painting_form_command
async def branch(ctx: Context, want: Branch) -> Reply:
    """Continue from a picture: its settings and seed stay, except what you change."""
    picture, job = await ctx.picture(want.picture)
    exact = resolve.pinned(await ctx.wish_of(job), job.request).model_copy(update=_as_painted(picture, job.request))
    params = exact.model_copy(update={"seed": picture.seed, "count": None}).model_dump(exclude_none=True)
    changes = want.model_dump(exclude_none=True, exclude={"picture", "without"})
    if not changes and want.without is None:
        values = {name: params.get(name) for name in ("prompt", "negative", "size", "steps", "seed")}
        sizes = ctx.app.suggestions(branch.param("size"), "")
        return Reply(form=forms.form(branch, "form-branch", branch.wire(picture=picture.id), values, {"size": sizes}))
    left = forms.emptied(want.without, tuple(GenerationParams.model_fields))
    await _keep(ctx, params, changes, left)
    return await _all(ctx, _changed(params, changes, left), job.request.mode)


@painting_command
async def vary(ctx: Context, want: Vary) -> Reply:
    """Paint a variation of a picture."""
    picture, job = await ctx.picture(want.picture)
    request = job.request
    # With few steps a small strength would come to no step at all.
    usual = max(VARY_STRENGTH, math.ceil(100 / request.steps) / 100)
    strength = usual if want.strength is None else want.strength
    changed = {"image": picture.file, "strength": strength, "seed": None, "count": None}
    return await _painted(ctx, (await ctx.wish_of(job)).model_copy(update=_as_painted(picture, request) | changed))


def _as_painted(picture: StoredImage, request: PictureRequest) -> dict[str, str | None]:
    """Return what a picture was painted of, as it was read: what was drawn of alternatives stays."""
    words = {"prompt": request.prompt.text, "negative": request.negative.text or None}
    return {**words, "size": f"{picture.width}x{picture.height}"}


async def _painted(ctx: Context, params: GenerationParams, mode: str = "") -> Reply:
    return _answer(ctx, await ctx.submit(params, mode))


def _answer(ctx: Context, draft: NewJob) -> Reply:
    return Reply(text=resolve.unknown_words(draft.request, ctx.app.offer.model_info(draft.request.model)), jobs=(draft.id,))

"""The commands that save, edit and show presets."""

from collections.abc import Mapping

from bot.commands.context import Context
from bot.commands.generate import imagine
from bot.core import limits
from bot.core.errors import BadInput, NotAllowed
from bot.framework import forms
from bot.framework.binding import bind
from bot.framework.command import command, form_command
from bot.framework.params import Params
from bot.framework.reply import Button, Fact, Reply
from bot.generation.fields import FIELDS, LOCKABLE, PRESET_SETTINGS, WHOLE, label, named, taking
from bot.generation.param_types import Ceilings, Locked, NewPreset, OtherName, PictureId, PresetNamed, SomePicture, Tags, Template, Unset
from bot.i18n.translate import number, text
from bot.presets import template as presets
from bot.presets.template import WORDS, Body
from bot.store.jobs.job import Job
from bot.store.sharing.presets import Preset
from bot.views import job_card
from bot.views.job_card import button, preset_wire
from inference.contract.inputs import Role

#: The maximum number of presets on a page, and of tags of a preset.
PAGE, _MOST_TAGS = 20, 8

#: The fields of a request that a preset stores.
_KEPT = named(lambda row: row.preset)


class PresetParts(Params):
    """A preset's name, and its values that are not settings of a picture."""

    name: NewPreset
    prompt: Template = None
    picture: SomePicture = None
    lock: Locked = None
    most: Ceilings = None
    tags: Tags = None


@taking(_KEPT)
class PresetSave(PresetParts):
    """Parameters of saving a preset: a name, and a picture's settings or the given values."""


@taking(_KEPT)
class PresetEdit(PresetParts):
    """Parameters of editing a preset; everything else stays."""

    without: Unset = None


class PresetKeep(Params):
    """A picture whose settings are saved, and the preset's name."""

    picture: PictureId
    name: OtherName = None
    tags: Tags = None


class PresetOne(Params):
    """The preset."""

    preset: PresetNamed


@command
async def preset_save(ctx: Context, want: PresetSave) -> Reply:
    """Save a prompt, or a picture's settings, as a preset."""
    name, template = _named(want)
    body, picture = Body(), None
    if want.picture is not None:
        kept = await ctx.own_picture(want.picture)
        job = await ctx.own_job(kept.job)
        body, picture = _of_job(job), kept.id
    return await _kept(ctx, name, _changed(body, want, template), want, picture)


@form_command
async def preset_keep(ctx: Context, want: PresetKeep) -> Reply:
    """Save a picture's settings as a preset, with a form for its name."""
    kept = await ctx.own_picture(want.picture)
    if want.name is None:
        return Reply(
            form=forms.form(preset_keep, "form-preset", preset_keep.wire(picture=kept.id), {"name": "", "tags": ""}, {}, "form-keep")
        )
    found = await ctx.store.presets.own(ctx.user.id, want.name)
    if found is not None and not found.archived:
        raise BadInput("input-preset-taken", name=found.name)
    body = _of_job(await ctx.own_job(kept.job))
    return await _kept(ctx, want.name, body, want, kept.id)


@command
async def preset_edit(ctx: Context, want: PresetEdit) -> Reply:
    """Change one of your presets; existing pictures keep their version."""
    name, template = _named(want)
    found = await own(ctx, name)
    body = _changed(found.body, want, template)
    without = forms.emptied(want.without, (*LOCKABLE, "lock", "most", "tags"))
    left = {one: value for one, value in body.settings.items() if one not in without}
    body = Body(
        prompt="" if WORDS in without else body.prompt,
        negative="" if "negative" in without else body.negative,
        settings=left,
        locked=() if "lock" in without else body.locked,
        most={} if "most" in without else body.most,
    )
    picture = (await ctx.own_picture(want.picture)).id if want.picture is not None else None
    return await _kept(ctx, found.name, body, want, picture, tags=() if "tags" in without else None)


@command
async def preset_show(ctx: Context, want: PresetOne) -> Reply:
    """Show a preset; name@2 shows version 2 of it."""
    return await _shown(ctx, await seen(ctx, want.preset))


async def seen(ctx: Context, said: str) -> Preset:
    """Return a preset that this user may see; raises `BadInput` for any other, whether it exists or not."""
    reader = await ctx.store.presets.reader(ctx.user.id, ctx.address)
    found = await ctx.store.presets.find(said.strip(), reader)
    if found is None:
        raise BadInput("input-preset-unknown", given=said[:_LONGEST_SHOWN], nearest="")
    return found


_LONGEST_SHOWN = 40


async def own(ctx: Context, name: str) -> Preset:
    """Return a preset of this user; raises `NotAllowed` for any other, whether it exists or not."""
    found = await ctx.store.presets.own(ctx.user.id, name.strip())
    if found is None or found.archived:
        raise NotAllowed("denied-preset")
    return found


async def copied(ctx: Context, name: str, body: Body, source: Preset | None = None, *, maker: str) -> Reply:
    """Save another user's work as a preset of this user, with credit; raises `BadInput` if they already have one of that name."""
    known = await ctx.store.presets.own(ctx.user.id, name)
    if known is not None and not known.archived:
        raise BadInput("input-preset-taken", name=known.name)
    # Shipped presets are not in the database.
    forked_from, tags = (source.id or None, source.tags) if source is not None else (None, ())
    made = await ctx.store.presets.save(ctx.user.id, name, body, tags=tags, forked_from=forked_from)
    return Reply(text=text("preset-forked", name=made.name, maker=maker or text("somebody")))


def _named(want: PresetParts) -> tuple[str, str | None]:
    """Return the name, and the prompt that follows it or was given by name; raises `BadInput`."""
    name, rest = presets.split(want.name)
    name = presets.named(name)
    if rest and want.prompt:
        raise BadInput("input-twice", name="prompt")
    return name, rest or want.prompt


def _changed(body: Body, want: PresetParts, template: str | None) -> Body:
    """Return a body changed by the given values."""
    given = want.model_dump(exclude_none=True, include=set(_KEPT))
    negative = given.pop("negative", body.negative)
    return Body(
        prompt=body.prompt if template is None else template,
        negative=negative,
        settings={**body.settings, **given},
        locked=body.locked if want.lock is None else listed(want.lock),
        most=body.most if want.most is None else limits.read(want.most, WHOLE),
    )


def listed(said: str) -> tuple[str, ...]:
    """Return words separated by commas, without duplicates."""
    return tuple(dict.fromkeys(filter(None, (one.strip().casefold() for one in said.split(",")))))


def _of_job(job: Job) -> Body:
    """Return the settings of a finished request, with the alternatives in its prompt as they were chosen."""
    request = job.request
    kept = [FIELDS[name] for name in PRESET_SETTINGS]
    values = {one.name: one.value(request) for one in kept if one.row.of_picture and (job.files(Role.INIT) or not one.row.of_image)}
    settings = {name: value for name, value in values.items() if isinstance(value, str | int | float)}
    return Body(prompt=request.prompt.text, negative=request.negative.text, settings=settings)


async def _kept(
    ctx: Context, name: str, body: Body, want: PresetParts | PresetKeep, picture: str | None, *, tags: tuple[str, ...] | None = None
) -> Reply:
    """Save a body as the newest version of a preset of this user, after checking that it can be painted."""
    await tried(ctx, name, body)
    said = tags if want.tags is None else tuple(filter(None, map(presets.tag, want.tags.split(","))))[:_MOST_TAGS]
    made = await ctx.store.presets.save(ctx.user.id, name, body, tags=said, picture=picture)
    told = await _shown(ctx, made)
    first = text("preset-kept", name=made.name) if made.version == 1 else text("preset-changed", name=made.name, version=made.version)
    return Reply(text=first, facts=told.facts, pictures=told.pictures, buttons=told.buttons)


async def tried(ctx: Context, name: str, body: Body) -> None:
    """Check that a preset can be painted. Raises what `Context.read` raises, and `BadInput`."""
    presets.checked(body)
    use = presets.Use("", name, 1, body)
    words = " ".join(f'{slot}:"{slot}"' for slot in body.slots if slot != WORDS)
    sample = presets.filled(use, words) or name
    values = {one: value for one, value in body.settings.items() if not FIELDS[one].row.of_image}
    await ctx.read(bind(imagine, {**values, "prompt": sample, **({"negative": body.negative} if body.negative else {})}))
    bind(imagine, {**body.settings, "prompt": sample})


async def _shown(ctx: Context, found: Preset) -> Reply:
    picture = await ctx.store.pictures.get(found.picture) if found.picture else None
    covered = found.shelf in await ctx.store.settings.covered({found.shelf}, ctx.address)
    facts = tuple(Fact(label(name), said) for name, said in (await _told(ctx, found)).items() if said)
    return Reply(
        text=text("preset-shown", name=found.name, version=found.version, maker=found.maker or text("somebody")),
        facts=facts,
        pictures=(job_card.shown(picture, covered=covered),) if picture is not None else (),
        buttons=_buttons(ctx, found),
    )


def _buttons(ctx: Context, found: Preset) -> tuple[Button, ...]:
    reference = f"#{found.id}" if found.id else found.name
    use = (Button("button-use", preset_wire(found)),)
    if found.user == ctx.user.id:
        return (*use, button("button-archive", "preset_delete", preset=reference, careful=True))
    return (*use, button("button-fork", "preset_fork", preset=reference))


async def _told(ctx: Context, found: Preset) -> Mapping[str, str]:
    """Return the facts about a preset by name; those that do not apply are empty."""
    body = found.body
    slots = ", ".join(name if usual is None else f"{name}={usual}" for name, usual in body.slots.items() if name != WORDS)
    return {
        "prompt": body.prompt,
        "negative": body.negative,
        **{name: str(body.settings.get(name, "")) for name in PRESET_SETTINGS},
        "slots": slots,
        "locked": ", ".join(body.locked),
        "most": limits.told(body.most),
        "tags": ", ".join(found.tags),
        "after": await _credit(ctx, found),
        "revisions": number(found.head) if found.head > 1 else "",
        "uses": number(found.uses) if found.uses else "",
    }


async def _credit(ctx: Context, found: Preset) -> str:
    """Return the preset that this one was copied from, if this user may see it."""
    if found.forked_from is None:
        return ""
    reader = await ctx.store.presets.reader(ctx.user.id, ctx.address)
    first = await ctx.store.presets.find(f"#{found.forked_from}", reader)
    return "" if first is None else text("preset-after", name=first.name, maker=first.maker)

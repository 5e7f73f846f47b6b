"""The commands that paint with a preset, and the forms that ask for the preset and for its slots."""

import dataclasses
from collections.abc import Mapping, Sequence
from string import ascii_lowercase

from bot.commands.context import Context
from bot.commands.generate import imagine
from bot.commands.preset_edit import seen
from bot.commands.shared_items import get_shared, preset_of, used, wish_of
from bot.core.errors import BadInput, NotAllowed
from bot.core.values import Given
from bot.framework.command import painting_command, painting_form_command
from bot.framework.forms import MOST_FIELDS, MOST_FORM_WIRE
from bot.framework.help import help_with
from bot.framework.params import Params
from bot.framework.reply import Asked, Button, Form, Reply
from bot.generation.fields import CARRIED, CHANGEABLE, taking
from bot.generation.param_types import (
    PresetName,
    PresetRest,
    PresetVersion,
    PresetWords,
    SharedCode,
    SlotLetters,
    SlotValue,
    SlotWords,
    Unset,
)
from bot.i18n.translate import text
from bot.presets import template
from bot.presets.template import WORDS, Body
from bot.store.sharing.presets import Preset
from bot.views.job_card import preset_reference, preset_wire

#: The number of presets that are offered if none is named.
_MOST_OFFERED = 20

#: Problems of an empty slot, which a form solves.
EMPTY = "input-preset-slot"


@taking(CHANGEABLE)
class PresetUse(Params):
    """The preset, the prompt, and values that replace those of the preset."""

    preset: PresetWords = None
    words: PresetRest = None


@taking(CARRIED)
class Fill(Params):
    """The preset or shared item and its version; the requested slots, a letter for each, and their values."""

    preset: PresetName = None
    code: SharedCode = None
    version: PresetVersion = None
    asks: SlotLetters = None
    slot_1: SlotValue = None
    slot_2: SlotValue = None
    slot_3: SlotValue = None
    slot_4: SlotValue = None
    slot_5: SlotValue = None
    words: SlotWords = None
    without: Unset = None


@painting_command
async def preset_use(ctx: Context, want: PresetUse) -> Reply:
    """Paint with a preset: its name, then your prompt."""
    given: dict[str, Given] = want.model_dump(exclude_none=True, exclude={"preset"})
    if want.preset is None:
        if given:
            param = preset_use.param("preset")
            raise BadInput("input-missing", command=preset_use.name, name=param.name, help=help_with(param))
        return await _offered(ctx)
    name, rest = template.split(want.preset)
    said = " ".join(filter(None, (rest, str(given.pop("words", "")))))
    try:
        params, _ = await ctx.bound(imagine, {**given, "preset": name, WORDS: said})
    except BadInput as error:
        if error.problem.key != EMPTY:
            raise
        found = await seen(ctx, name)
        return instead(error, found, said, given, preset=preset_reference(found, name))
    return Reply(jobs=((await ctx.submit(params)).id,))


async def _offered(ctx: Context) -> Reply:
    """Offer presets to choose from: in a group only those that everybody there may see."""
    is_private = await ctx.store.boards.is_private(ctx.user.id, ctx.address)
    reader = await ctx.store.presets.reader(ctx.user.id if is_private else "", ctx.address)
    found = await ctx.store.presets.listed(reader, "", 0, _MOST_OFFERED)
    buttons = tuple(Button("button-use", preset_wire(one), name=one.name) for one in found)
    return Reply(text=text("preset-which" if is_private else "preset-which-here"), buttons=buttons)


def instead(error: BadInput, found: Preset, said: str, given: Mapping[str, Given], **source: str) -> Reply:
    """Return a form that asks for the empty slots and contains all given values.

    Raises the error if a form is too small for them, or if there are several prompts.
    """
    values, rest = template.taken(found.body, said)
    values |= {WORDS: rest}
    asked = _asked(found.body, values)
    if "||" in said or len(asked) > MOST_FIELDS or not given.keys() <= set(CARRIED):
        raise error
    form = _form(found, asked, values, given, source)
    if len(form.wire.encode()) > MOST_FORM_WIRE:
        raise error
    return Reply(form=form)


@painting_form_command
async def fill(ctx: Context, want: Fill) -> Reply:
    """Paint with a preset, filling in its slots in a form."""
    # A command that is closed in the channel is closed as a form too.
    if (line := "use" if want.code else preset_use.name) in ctx.wanted.closed and not ctx.may_moderate:
        raise NotAllowed("denied-closed", name=line.replace("_", " "))
    shared = await get_shared(ctx, want.code) if want.code else None
    found = await preset_of(ctx, shared) if shared is not None else await seen(ctx, want.preset or "")
    if want.version not in (None, found.version):
        raise BadInput("input-preset-other", name=found.name)
    asked = _named(found.body, want.asks) if want.asks else _asked(found.body, {})
    given: dict[str, Given] = want.model_dump(exclude_none=True, include=set(CARRIED))
    slots = {name: getattr(want, f"slot_{number}", None) or "" for number, name in enumerate(asked, 1) if name != WORDS}
    words = want.words or ""
    if not (any(slots.values()) or words or want.without) and len(asked) <= MOST_FIELDS:
        source = {"code": shared.id} if shared is not None else {"preset": preset_reference(found, want.preset or "")}
        return Reply(form=_form(found, asked, {}, given, source))
    if shared is not None:
        return await used(ctx, shared, await wish_of(ctx, found, words, slots))
    params, _ = await ctx.bound(imagine, {**given, "preset": want.preset or "", WORDS: words}, slots)
    return Reply(jobs=((await ctx.submit(params)).id,))


def _form(found: Preset, asked: Sequence[str], values: Mapping[str, str], given: Mapping[str, Given], source: Mapping[str, str]) -> Form:
    """Return the form that asks for slots of a preset. Fields are numbered, because users choose the names of slots."""
    names = _slots(found.body)
    letters = "".join(ascii_lowercase[names.index(name)] for name in asked)
    wire = fill.wire(**source, version=found.version, asks=letters, **{name: str(value) for name, value in given.items()})
    fields = []
    for number, name in enumerate(asked, 1):
        usual = found.body.slots.get(name)
        param = fill.param("words" if name == WORDS else f"slot_{number}")
        needed = dataclasses.replace(param, required=usual is None and name != WORDS)
        fields.append(Asked(param=needed, value=values.get(name) or usual or "", label=name))
    return Form(found.name, wire, tuple(fields), "form-paint")


def _slots(body: Body) -> list[str]:
    """Return the slots that a form can ask for, as many as there are letters; `{prompt}` comes last."""
    words = [] if WORDS in body.locked else [WORDS]
    return [name for name in body.slots if name != WORDS][: len(ascii_lowercase) - 1] + words


def _asked(body: Body, values: Mapping[str, str]) -> list[str]:
    """Return the slots that must be asked for, the given ones, and as many others as there is room for."""
    names = _slots(body)
    kept = [name for name in names if values.get(name) or (name != WORDS and body.slots[name] is None)]
    more = [name for name in names if name not in kept and name in body.slots][: max(0, MOST_FIELDS - len(kept))]
    return [name for name in names if name in (*kept, *more)]


def _named(body: Body, letters: str) -> list[str]:
    """Return the slots of a form by their letters; raises `BadInput` for invalid letters."""
    names = dict(zip(ascii_lowercase, _slots(body), strict=False))
    if len(letters) > MOST_FIELDS or not set(letters) <= names.keys():
        raise BadInput("input-button")
    return [names[letter] for letter in letters]

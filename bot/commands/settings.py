"""The commands that show and change the default options of a user, or of a channel that they moderate."""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from bot.commands.context import Context, Read
from bot.commands.explain import settings as settings_facts
from bot.commands.explain import told_by
from bot.commands.generate import imagine
from bot.commands.inputs import NO_PRESET
from bot.core.errors import BadInput, BotError, NotAllowed
from bot.core.values import Given
from bot.framework import forms
from bot.framework.binding import bind
from bot.framework.command import command, form_command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation import resolve
from bot.generation.fields import SETTABLE, GenerationParams, label, taking
from bot.generation.param_types import Here, Language, Unset
from bot.generation.resolve import LANGUAGE, Origin, SavedDefaults
from bot.i18n.translate import speak, speaking, spoken, tell, text
from inference.contract.errors import InferenceError

#: The prompt with which new settings are tried.
_SAMPLE = "settings"

#: The settings in the form.
_FIELDS = ("steps", "guidance", "size", "count", "model")


@taking(SETTABLE)
class Settings(Params):
    """The settings to change; without any, they are shown."""

    here: Here = None
    language: Language = None
    without: Unset = None


class Settle(Settings):
    """The settings in a form."""


@command
async def settings(ctx: Context, want: Settings) -> Reply:
    """Show or change your default options."""
    return await _settled(ctx, want)


@form_command
async def settle(ctx: Context, want: Settle) -> Reply:
    """Change your settings in a form."""
    if any(value is not None for value in want.model_dump().values()):
        return await _settled(ctx, want)
    mine = (await ctx.store.settings.of(ctx.user.id, ctx.address)).user
    offered = {name: ctx.app.suggestions(settle.param(name), "") for name in ("size", "model")}
    return Reply(form=forms.form(settle, "form-settings", settle.wire(), {name: mine.get(name) for name in _FIELDS}, offered, "form-keep"))


async def _settled(ctx: Context, want: Settings) -> Reply:
    """Change settings, and show the result."""
    changes: dict[str, Given] = want.model_dump(exclude_none=True, include=set(SETTABLE))
    without = forms.emptied(want.without, (*SETTABLE, LANGUAGE))
    if want.here and not ctx.may_moderate:
        raise NotAllowed("denied-moderators")
    if want.here and want.language:
        changes[LANGUAGE] = want.language
    if changes or without - (set() if want.here else {LANGUAGE}):
        await _change(ctx, changes, without, here=bool(want.here))
    user = ctx.user
    if not want.here and (want.language or LANGUAGE in without):
        user = msgspec.structs.replace(user, language=want.language or "")
        await ctx.store.people.address_in(user.id, user.language)
    wanted = await ctx.store.settings.of(user.id, ctx.address)
    if want.language or LANGUAGE in without:
        speak(user.speaks(wanted.language))
    return await _shown(ctx, wanted, user.language, here=bool(want.here), changed=bool(changes or without or want.language))


async def _change(ctx: Context, changes: Mapping[str, Given], without: Collection[str], *, here: bool) -> None:
    wanted = await ctx.store.settings.of(ctx.user.id, ctx.address)
    settled = (wanted.channel if here else wanted.user).items()
    # A model that no longer exists does not prevent changes.
    known = {name: value for name, value in settled if name in SETTABLE and (name != "model" or value in ctx.app.offer.model_infos)}
    if (preset := str(changes.get("preset", NO_PRESET))) != NO_PRESET:
        # Everybody in the channel must be able to see its preset.
        reader = await ctx.store.presets.reader("" if here else ctx.user.id, ctx.address)
        if (found := await ctx.store.presets.find(preset, reader)) is None:
            raise BadInput("input-preset-unknown", given=preset, nearest="")
        # The reference names this preset, not another one of the same name that is shared later.
        changes = {**changes, "preset": found.use.standing}
    left = {name: value for name, value in {**known, **changes}.items() if name not in (*without, LANGUAGE)}
    if {*changes, *without} & set(SETTABLE):
        # Settings that cannot be painted are refused now, and not with every later request.
        await ctx.read(bind(imagine, {**left, "prompt": _SAMPLE}))
    await ctx.store.settings.change(ctx.address if here else ctx.user.id, changes, without)
    if here:
        await ctx.audit("settings", names=", ".join(sorted({*changes, *without})))


async def _shown(ctx: Context, wanted: SavedDefaults, chosen: str, *, here: bool, changed: bool) -> Reply:
    """Return the present settings and their origins; settings of a channel are changed by flags, by its moderators."""
    known = resolve.layers(wanted, tuple(ctx.app.offer.model_infos))
    if here:
        known = tuple(one for one in known if one.origin == "place")
    try:
        want = bind(imagine, {"prompt": _SAMPLE}, *(one.values for one in known))
        read = await ctx.read(want)
    except (BotError, InferenceError) as error:
        # The offer has changed since the setting was saved.
        return Reply(text=tell(error.problem), facts=tuple(Fact(one, str(value)) for layer in known for one, value in layer.values.items()))
    decided = resolve.origins({}, known)
    facts = [Fact(label(name), said) for name, said in _settings(want, read, decided)]
    facts += _spoken(wanted.language, "" if here else chosen, here=here)
    said = [text("settings-kept") if changed else "", text("settings-here" if here else "settings-yours")]
    buttons = () if here else (settle.button("button-settings"),)
    return Reply(text="\n".join(filter(None, said)), facts=tuple(facts), buttons=buttons)


def _settings(want: GenerationParams, read: Read, decided: Mapping[str, Origin]) -> Iterator[tuple[str, str]]:
    """Yield the value of every setting, by name."""
    of_request = dict(settings_facts(want, read, decided))
    for name in SETTABLE:
        if name in of_request:
            yield name, of_request[name]
        elif value := getattr(want, name):
            # Presets are shown by their names.
            yield name, told_by(value.partition("#")[0] if name == "preset" else value, decided.get(name, "model"))


def _spoken(of_channel: str, chosen: str, *, here: bool) -> list[Fact]:
    """Return the language and its origin; the platform's language has no origin."""
    origin: Origin | None = "settings" if chosen else "place" if of_channel else None
    if here and origin is None:
        return []
    with speaking(chosen or of_channel or spoken()):
        name = text("language-name")
    return [Fact(text("fact-language"), told_by(name, origin) if origin else name)]

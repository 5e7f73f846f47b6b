"""Items that were shared on a board, found by their code and used: a prompt, or a preset with slots."""

from collections.abc import Mapping

from bot.commands.context import Context
from bot.commands.generate import imagine
from bot.core.errors import NotAllowed
from bot.core.values import Given
from bot.framework.reply import Reply
from bot.generation.fields import GenerationParams
from bot.presets import template
from bot.presets.template import WORDS
from bot.store.sharing.boards import Shared
from bot.store.sharing.presets import Preset


async def get_shared(ctx: Context, code: str) -> Shared:
    """Return what was shared under a code; raises `NotAllowed` for none: whoever has no code has to be given one."""
    found = await ctx.store.boards.get(code.strip())
    if found is None:
        raise NotAllowed("denied-share")
    return found


async def used(ctx: Context, shared: Shared, params: GenerationParams) -> Reply:
    """Paint what was shared, as somebody wants it; that counts as a use when it is accepted."""
    draft = await ctx.submit(params)
    ctx.uses[draft.id] = shared.id
    return Reply(jobs=(draft.id,))


async def preset_of(ctx: Context, shared: Shared) -> Preset:
    """Return the preset that was shared; raises `NotAllowed` where it is there for others no more."""
    found = await ctx.store.presets.get(shared.preset or "")
    is_private = found is not None and found.shelf == found.user != ctx.user.id
    if found is None or found.archived or is_private:
        raise NotAllowed("denied-share")
    return found


async def wish_of(ctx: Context, found: Preset, words: str, slots: Mapping[str, str] | None = None) -> GenerationParams:
    """Return a preset that was shared as a wish of this person's; raises `BadInput` where it wants other words."""
    # Who was given the code was given the preset.
    given: dict[str, Given] = {WORDS: words}
    changed, layer = template.applied(found.use, given, slots)
    values = {name: value for name, value in layer.values.items() if name != "preset"}
    bound, _ = await ctx.bound(imagine, {**values, **changed})
    return bound.model_copy(update={"preset": found.use.reference})

"""The commands that copy, share, list, archive, export and import presets."""

import asyncio

from bot.commands.context import Context
from bot.commands.preset_edit import PresetOne, copied, own, seen, tried
from bot.core.errors import BadInput, BotError, NotAllowed
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import MOST_WIRE, Attachment, Button, Fact, Reply
from bot.generation.param_types import Everybody, FileFormat, Off, OtherName, Page, PresetFile, PresetName, PresetText, Words
from bot.i18n.translate import tell, text
from bot.presets import interchange, template
from bot.presets.interchange import Carried
from bot.store.sharing.preset import New
from bot.store.sharing.presets import Preset, shipped
from bot.store.users.users import OPERATOR
from inference.contract.errors import InferenceError

#: The maximum number of presets on a page, of a prompt's characters in a line, and of refused presets that are listed one by one.
PAGE, _LONGEST_LINE, _MOST_TOLD = 20, 80, 10


class PresetFork(PresetOne):
    """The preset to copy, and the name of the copy."""

    name: OtherName = None


class PresetShare(PresetOne):
    """The preset to share, and with whom."""

    everybody: Everybody = None
    off: Off = None


class PresetList(Params):
    """Which presets to list."""

    words: Words = None
    page: Page = None


class PresetExport(Params):
    """The preset to export (all of one's own by default), and for which program."""

    preset: PresetName = None
    format: FileFormat = None


class PresetImport(Params):
    """The file to import."""

    text: PresetText = None
    file: PresetFile = None


@command
async def preset_fork(ctx: Context, want: PresetFork) -> Reply:
    """Copy a preset, so that you can change it."""
    found = await seen(ctx, want.preset)
    return await copied(ctx, want.name or found.name, found.body, found, maker=found.maker)


@command
async def preset_share(ctx: Context, want: PresetShare) -> Reply:
    """Share one of your presets with this chat, or with everyone."""
    found = await own(ctx, want.preset)
    if want.off:
        await ctx.store.presets.hide(found.id)
        return Reply(text=text("preset-unshared", name=found.name))
    if want.everybody and not ctx.user.moderates:
        raise NotAllowed("denied-moderators")
    if want.everybody and template.key_of(found.name) in shipped():
        raise BadInput("input-preset-taken-there", name=found.name)
    await ctx.store.presets.show(found, None if want.everybody else ctx.address)
    return Reply(text=text("preset-shared-everybody" if want.everybody else "preset-shared", name=found.name))


@command
async def preset_list(ctx: Context, want: PresetList) -> Reply:
    """List the presets that you can use, most used first."""
    page = want.page or 1
    reader = await ctx.store.presets.reader(ctx.user.id, ctx.address)
    found = await ctx.store.presets.listed(reader, want.words or "", (page - 1) * PAGE, PAGE + 1)
    if not found:
        return Reply(text=text("preset-end", page=page) if page > 1 else text("preset-none", words=want.words or ""))
    facts = tuple(Fact(one.name, _line(one)) for one in found[:PAGE])
    told, buttons = _more(want.words or "", page + 1) if len(found) > PAGE else ("", ())
    return Reply(text=f"{text('preset-list')} {told}".strip(), facts=facts, buttons=buttons)


def _more(words: str, page: int) -> tuple[str, tuple[Button, ...]]:
    """Return a button to a page, or a sentence if the search text is too long for a button."""
    if len(preset_list.wire(words=words, page=page).encode()) > MOST_WIRE:
        return text("preset-next", words=words, page=page), ()
    return "", (preset_list.button("button-more", words=words, page=page),)


@command
async def preset_delete(ctx: Context, want: PresetOne) -> Reply:
    """Archive a preset; pictures made with it stay as they are."""
    found = await seen(ctx, want.preset)
    is_ours = found.user == ctx.user.id or ctx.user.role == OPERATOR
    moderates_here = ctx.may_moderate and found.shelf == await ctx.store.boards.of(ctx.address)
    if not found.id or not (is_ours or moderates_here):
        raise NotAllowed("denied-preset")
    await ctx.store.presets.archive(found.id)
    if found.user != ctx.user.id:
        await ctx.audit("preset", user=found.user, preset=found.id)
        return Reply(text=text("preset-removed", name=found.name))
    return Reply(text=text("preset-archived", name=found.name))


@command
async def preset_export(ctx: Context, want: PresetExport) -> Reply:
    """Export all your presets, or a single preset, as a file."""
    found = (await seen(ctx, want.preset),) if want.preset else await ctx.store.presets.of_person(ctx.user.id)
    if not found:
        return Reply(text=text("preset-none", words=""))
    files = interchange.files([Carried(one.name, one.body, one.tags) for one in found], want.format or "easel")
    return Reply(text=text("preset-exported", count=len(found)), files=tuple(Attachment(*one) for one in files))


@command
async def preset_import(ctx: Context, want: PresetImport) -> Reply:
    """Import presets from an Easel, A1111, Fooocus or InvokeAI file."""
    if (want.file is None) == (want.text is None):
        raise BadInput("input-presets-nothing")
    # In a thread: a file of thousands of rows takes tenths of a second.
    read = await asyncio.to_thread(interchange.read, want.file if want.file is not None else (want.text or "").encode())
    refused = [(name, tell(error.problem)) for name, error in read.refused]
    taken: list[New] = []
    for one in read.presets:
        try:
            await tried(ctx, one.name, one.body)
        except (BotError, InferenceError) as error:
            refused.append((one.name, tell(error.problem)))
        else:
            taken.append(New(name=one.name, body=one.body, tags=one.tags))
    await ctx.store.presets.save_all(ctx.user.id, taken)
    told = text("preset-imported", count=len(taken), refused=len(refused))
    return Reply(text=told, facts=tuple(Fact(name or text("preset-nameless"), said) for name, said in refused[:_MOST_TOLD]))


def _line(one: Preset) -> str:
    """Return a preset as one line of a list."""
    about = one.body.prompt or one.body.negative or ", ".join(f"{name} {value}" for name, value in one.body.settings.items())
    told = text("preset-line", words=about[:_LONGEST_LINE], maker=one.maker or text("somebody"), uses=one.uses)
    return f"{told} · {', '.join(one.tags)}" if one.tags else told

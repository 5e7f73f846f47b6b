"""Presets of others: copying them, showing one's own, listing and archiving them, and handing them on as files."""

from bot import exchange, presets
from bot.commands.presets import PresetOne, own, seen, tried
from bot.context import Context
from bot.errors import BadInput, BotError, NotAllowed
from bot.exchange import Carried
from bot.reply import Attachment, Fact, Reply
from bot.spec import Params, command
from bot.store.people import OPERATOR
from bot.store.presets import PUBLIC, Preset, shipped
from bot.texts import tell, text
from bot.vocabulary import Everybody, FileFormat, Off, OtherName, Page, PresetFile, PresetName, PresetText, Words
from inference.errors import InferenceError

#: Presets on a page, of a prompt so much in a line of it, and so many refused ones that are told one by one.
PAGE, _LONGEST_LINE, _MOST_TOLD = 20, 80, 10


class PresetFork(PresetOne):
    """Which preset to take a copy of, and what to call the copy."""

    name: OtherName = None


class PresetShare(PresetOne):
    """Which preset to show to whom."""

    everybody: Everybody = None
    off: Off = None


class PresetList(Params):
    """Which presets to list."""

    words: Words = None
    page: Page = None


class PresetExport(Params):
    """Which preset to hand over, or all of one's own, and for which program."""

    preset: PresetName = None
    format: FileFormat = None


class PresetImport(Params):
    """What to take in."""

    text: PresetText = None
    file: PresetFile = None


@command
async def preset_fork(ctx: Context, want: PresetFork) -> Reply:
    """Take a copy of a preset, to change it as you like."""
    found = await seen(ctx, want.preset)
    name = want.name or found.name
    known = await ctx.store.presets.own(ctx.person.id, name)
    if known is not None and not known.archived:
        raise BadInput("input-preset-taken", name=known.name)
    made = await ctx.store.presets.save(ctx.person.id, name, found.body, tags=found.tags, forked_from=found.id or None)
    return Reply(text=text("preset-forked", name=made.name, maker=found.maker))


@command
async def preset_share(ctx: Context, want: PresetShare) -> Reply:
    """Show a preset of yours to this place, or to everybody."""
    found = await own(ctx, want.preset)
    if want.off:
        await ctx.store.boards.take_back(found.id)
        if not await ctx.store.presets.place(found.id, ctx.person.id, None):
            raise BadInput("input-preset-taken", name=found.name)
        return Reply(text=text("preset-unshared", name=found.name))
    if want.everybody and not ctx.person.moderates:
        raise NotAllowed("denied-moderators")
    board = None if want.everybody else await ctx.store.boards.opened(ctx.address)
    shelf = board or PUBLIC
    is_taken = shelf == PUBLIC and presets.key_of(found.name) in shipped()
    if is_taken or not await ctx.store.presets.place(found.id, shelf, board):
        raise BadInput("input-preset-taken-there", name=found.name)
    if board is not None:
        words = found.body.prompt or found.name
        await ctx.store.boards.share(ctx.address, ctx.person.id, words, "{}", preset=found.id)
    return Reply(text=text("preset-shared-everybody" if want.everybody else "preset-shared", name=found.name))


@command
async def preset_list(ctx: Context, want: PresetList) -> Reply:
    """List the presets that you can paint with, the most used first."""
    page = want.page or 1
    reader = await ctx.store.presets.reader(ctx.person.id, ctx.address)
    found = await ctx.store.presets.listed(reader, want.words or "", (page - 1) * PAGE, PAGE + 1)
    if not found:
        return Reply(text=text("preset-none", words=want.words or ""))
    facts = tuple(Fact(one.name, _line(one)) for one in found[:PAGE])
    more = (preset_list.button("button-more", words=want.words or "", page=page + 1),) if len(found) > PAGE and not want.words else ()
    return Reply(text=text("preset-list"), facts=facts, buttons=more)


@command
async def preset_delete(ctx: Context, want: PresetOne) -> Reply:
    """Take a preset out of all lists; pictures made with it stay as they are."""
    found = await seen(ctx, want.preset)
    is_ours = found.person == ctx.person.id or ctx.person.role == OPERATOR
    looks_after = ctx.may_moderate and found.shelf == await ctx.store.boards.of(ctx.address)
    if not found.id or not (is_ours or looks_after):
        raise NotAllowed("denied-preset")
    await ctx.store.presets.archive(found.id)
    if found.person != ctx.person.id:
        await ctx.audit("preset", person=found.person, name=found.name)
    return Reply(text=text("preset-archived", name=found.name))


@command
async def preset_export(ctx: Context, want: PresetExport) -> Reply:
    """Get your presets, or one that you can see, as a file."""
    found = (await seen(ctx, want.preset),) if want.preset else await ctx.store.presets.of_person(ctx.person.id)
    if not found:
        return Reply(text=text("preset-none", words=""))
    name, data = exchange.written([Carried(one.name, one.body, one.tags) for one in found], want.format or "easel")
    return Reply(text=text("preset-exported", count=len(found)), files=(Attachment(name, data),))


@command
async def preset_import(ctx: Context, want: PresetImport) -> Reply:
    """Take in presets from a file of Easel, A1111, Fooocus or InvokeAI."""
    if (want.file is None) == (want.text is None):
        raise BadInput("input-presets-nothing")
    read = exchange.read(want.file if want.file is not None else (want.text or "").encode())
    refused = [(name, tell(error.problem)) for name, error in read.refused]
    kept = 0
    for one in read.presets:
        try:
            await tried(ctx, one.name, one.body)
        except (BotError, InferenceError) as error:
            refused.append((one.name, tell(error.problem)))
        else:
            await ctx.store.presets.save(ctx.person.id, await _free(ctx, one), one.body, tags=one.tags)
            kept += 1
    told = text("preset-imported", count=kept, refused=len(refused))
    return Reply(text=told, facts=tuple(Fact(name or text("preset-nameless"), said) for name, said in refused[:_MOST_TOLD]))


async def _free(ctx: Context, one: Carried) -> str:
    """Return a name for what comes in: its own, or with a number where something else of this person's has that; a repeat finds itself."""
    name, number = one.name, 2
    while (known := await ctx.store.presets.own(ctx.person.id, name)) is not None and not known.archived and known.body != one.body:
        name, number = f"{one.name[:28]}-{number}", number + 1
    return name


def _line(one: Preset) -> str:
    """Return a preset in one line of a list."""
    about = one.body.prompt or one.body.negative or ", ".join(f"{name} {value}" for name, value in one.body.settings.items())
    told = text("preset-line", words=about[:_LONGEST_LINE], maker=one.maker or text("somebody"), uses=one.uses)
    return f"{told} · {', '.join(one.tags)}" if one.tags else told

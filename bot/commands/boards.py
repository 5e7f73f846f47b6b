"""Boards: what a group shows its members, and what they make of it. What is shared has a code, which brings it to any other chat."""

from bot.commands.context import Context
from bot.commands.preset_edit import copied
from bot.commands.preset_use import EMPTY, instead
from bot.commands.shared_items import get_shared, preset_of, used, wish_of
from bot.core.errors import BadInput, NotAllowed
from bot.framework.command import command, painting_command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.fields import KEPT_BACK, PRESET_SETTINGS, GenerationParams, named, read_params, taking
from bot.generation.param_types import Code, CodeAndWords, Off, Order, OtherName, Page, SharedPicture, SharedWords
from bot.i18n.translate import text
from bot.presets import template
from bot.presets.template import Body
from bot.store.images.images import StoredImage
from bot.store.sharing.boards import Shared
from bot.views import job_card
from bot.views.board_post import pinned, shown

#: The posts on one page of a board.
PAGE = 6


@taking(named(lambda row: row.shared))
class Share(Params):
    """What to share: a picture with its prompt, or a prompt alone."""

    prompt: SharedWords = None
    picture: SharedPicture = None


class Board(Params):
    """What of the board to show first, and which page."""

    order: Order = None
    page: Page = None


class Use(Params):
    """What to paint anew, by its code, and with which words."""

    code: CodeAndWords


class One(Params):
    """What was shared, by its code."""

    code: Code


class Pin(One):
    """What stays on top of the board."""

    off: Off = None


class Fork(One):
    """What to keep as a preset of one's own, and under which name."""

    name: OtherName = None


@command
async def share(ctx: Context, want: Share) -> Reply:
    """Share one of your pictures, or a prompt, on this chat's board."""
    if (want.picture is None) == (want.prompt is None):
        raise BadInput("input-share")
    if (picture := await _picture(ctx, want)) is not None:
        job = await ctx.own_job(picture.job)
        params = _without(read_params(job.params))
        made = await ctx.store.boards.share(ctx.address, ctx.user.id, picture.words, params, picture=picture.id)
    else:
        wanted = GenerationParams.model_validate(want.model_dump(exclude_none=True, exclude={"picture"}))
        await ctx.read(wanted)
        made = await ctx.store.boards.share(ctx.address, ctx.user.id, wanted.prompt, _without(wanted))
    return Reply(text=text("share-done", code=made.id), buttons=job_card.post_buttons(made.id))


async def _picture(ctx: Context, want: Share) -> StoredImage | None:
    """Return the picture to share, or None for a prompt; a text that is the id of one of the user's pictures means that picture."""
    if want.picture is not None:
        return await ctx.own_picture(want.picture)
    named = await ctx.store.pictures.get((want.prompt or "").strip())
    return named if named is not None and named.user == ctx.user.id else None


def _without(params: GenerationParams) -> str:
    """Return what is handed on of a wish: its picture is not, and its seed would paint the same."""
    return params.model_copy(update=dict.fromkeys(KEPT_BACK)).model_dump_json(exclude_none=True)


@command
async def board(ctx: Context, want: Board) -> Reply:
    """Show this chat's board: newest, most used or most liked first."""
    page, order = want.page or 1, want.order or "new"
    boards = await ctx.store.boards.looked_at(ctx.user.id, ctx.address)
    count = await ctx.store.boards.count(boards)
    found = await ctx.store.boards.page(boards, order, (page - 1) * PAGE, PAGE)
    if not found:
        return Reply(text=text("board-none") if not count else text("board-end", page=page))
    first = (page - 1) * PAGE + 1
    kept = await ctx.store.pictures.some([one.picture for one in found if one.picture is not None])
    covered = await ctx.store.settings.covered({one.board for one in found}, ctx.address)
    pictures = [(one, kept.get(one.picture or ""), number) for number, one in enumerate(found, first)]
    more = (board.button("button-more", order=order, page=page + 1),) if first + len(found) <= count else ()
    return Reply(
        text=text("board-page", first=first, last=first + len(found) - 1, count=count),
        facts=tuple(Fact(str(number), pinned(one)) for number, one in enumerate(found, first)),
        pictures=tuple(shown(one, of, number, covered=one.board in covered) for one, of, number in pictures if of is not None),
        buttons=(*(button for one in found if one.picture is None for button in job_card.post_buttons(one.id)[:1]), *more),
    )


@painting_command
async def use(ctx: Context, want: Use) -> Reply:
    """Paint a shared item with a new seed; you can add words after its code."""
    code, words = template.split(want.code)
    shared = await get_shared(ctx, code)
    if shared.preset is None:
        params = read_params(shared.params)
        return await used(ctx, shared, params.model_copy(update={"prompt": f"{params.prompt}, {words}"}) if words else params)
    found = await preset_of(ctx, shared)
    try:
        return await used(ctx, shared, await wish_of(ctx, found, words))
    except BadInput as error:
        if error.problem.key != EMPTY:
            raise
        return instead(error, found, words, {}, code=shared.id)


@command
async def like(ctx: Context, want: One) -> Reply:
    """Like a shared item; use it again to remove your like."""
    votes = await ctx.store.boards.vote((await get_shared(ctx, want.code)).id, ctx.user.id)
    return Reply(text=text("like-done", count=votes or 0))


@command
async def keep(ctx: Context, want: Fork) -> Reply:
    """Save a shared item as one of your presets."""
    shared = await get_shared(ctx, want.code)
    preset = await preset_of(ctx, shared) if shared.preset else None
    name = want.name or (preset.name if preset is not None else f"from-{shared.id[:6].strip('-_')}")
    body = preset.body if preset is not None else _body(read_params(shared.params))
    return await copied(ctx, name, body, preset, maker=shared.maker)


def _body(params: GenerationParams) -> Body:
    values = params.model_dump(exclude_none=True, include=set(PRESET_SETTINGS) - set(KEPT_BACK))
    return Body(prompt=params.prompt, negative=params.negative or "", settings=values)


@command
async def pin(ctx: Context, want: Pin) -> Reply:
    """Pin an item to the top of this chat's board, or unpin it with --off."""
    shared = await own_board(ctx, want.code)
    await ctx.store.boards.change(shared.id, pinned=not want.off)
    await ctx.audit("unpin" if want.off else "pin", user=shared.user)
    return Reply(text=text("unpin-done" if want.off else "pin-done"))


@command
async def remove(ctx: Context, want: One) -> Reply:
    """Remove an item from the board: your own, or any item as a moderator."""
    shared = await get_shared(ctx, want.code)
    if shared.user != ctx.user.id:
        await own_board(ctx, want.code)
        await ctx.audit("remove", user=shared.user)
    await ctx.store.boards.change(shared.id, removed=True)
    return Reply(text=text("remove-done"))


async def looked_after(ctx: Context) -> str:
    """Return the board of this place for who looks after it; raises `NotAllowed` for anybody else."""
    here = await ctx.store.boards.of(ctx.address)
    if not ctx.may_moderate:
        raise NotAllowed("denied-moderators")
    if here is None:
        raise BadInput("input-board-none")
    return here


async def own_board(ctx: Context, code: str) -> Shared:
    """Return what was shared on a board that this person looks after; raises `NotAllowed` for anything else."""
    shared = await get_shared(ctx, code)
    if not ctx.user.moderates and shared.board != await looked_after(ctx):
        raise NotAllowed("denied-moderators")
    return shared

"""Moderation: members report shared items, moderators decide about them, and can pause jobs."""

from collections.abc import Sequence

from bot.commands.boards import Board, One, looked_after, own_board
from bot.commands.context import Context
from bot.commands.shared_items import get_shared
from bot.core.errors import NotAllowed
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.param_types import Reason, SomebodyOrHere
from bot.i18n.translate import text
from bot.store.sharing.boards import Shared
from bot.store.users.users import OPERATOR
from bot.views.board_post import pinned

#: The maximum number of reported items on a page, and of reasons for each.
_MOST_REPORTED, _MOST_REASONS = 10, 3


class Report(One):
    """A shared item, and the reason of the report."""

    reason: Reason = None


@command
async def report(ctx: Context, want: Report) -> Reply:
    """Report a shared item to the moderators."""
    shared = await get_shared(ctx, want.code)
    await ctx.store.boards.report(shared.id, ctx.user.id, want.reason or "")
    return Reply(text=text("report-done"))


@command
async def reports(ctx: Context, want: Board) -> Reply:
    """Show the reported items on this chat's board."""
    del want
    here = await looked_after(ctx)
    found = await ctx.store.boards.reported(here, _MOST_REPORTED)
    return Reply(text=text("reports" if found else "reports-none"), facts=tuple(Fact(one.id, _reported(one, why)) for one, why in found))


def _reported(one: Shared, why: Sequence[str]) -> str:
    """Return a reported item as one line of a list, with the reasons but without the users who gave them."""
    told = text("report-line", count=len(why), line=pinned(one))
    reasons = tuple(dict.fromkeys(filter(None, (" ".join(reason.split()) for reason in why))))
    return text("report-reasons", line=told, reasons="; ".join(reasons[:_MOST_REASONS])) if reasons else told


@command
async def dismiss(ctx: Context, want: One) -> Reply:
    """Keep a reported item on the board and dismiss its reports."""
    shared = await own_board(ctx, want.code)
    count = await ctx.store.boards.dismiss(shared.id)
    await ctx.audit("dismiss", user=shared.user)
    return Reply(text=text("dismiss-done", count=count))


class Pause(Params):
    """The user whose jobs are paused; without one, all jobs of this channel."""

    person: SomebodyOrHere = None


class Resume(Params):
    """The user whose jobs are resumed; without one, all jobs of this channel."""

    person: SomebodyOrHere = None


@command
async def pause(ctx: Context, want: Pause) -> Reply:
    """Pause the jobs of this chat, or of a user."""
    return await _changed(ctx, want.person, paused=True)


@command
async def resume(ctx: Context, want: Resume) -> Reply:
    """Resume the jobs of this chat, or of a user."""
    return await _changed(ctx, want.person, paused=False)


async def _changed(ctx: Context, reference: str | None, *, paused: bool) -> Reply:
    act, line = "pause" if paused else "resume", ctx.store.line
    if not ctx.may_moderate:
        raise NotAllowed("denied-moderators")
    if reference is None:
        jobs = await line.pause_place(ctx.address.platform, ctx.address.channel, paused=paused)
        await ctx.audit(act, jobs=len(jobs))
        return Reply(text=text(f"{act}-place", count=len(jobs)), refresh=jobs)
    user = await ctx.store.people.one(reference)
    if user.role == OPERATOR != ctx.user.role:
        raise NotAllowed("denied-operators")
    if ctx.user.moderates:
        jobs = await line.pause_person(user.id, paused=paused)
    else:
        # A moderator of one channel decides nothing about others.
        jobs = await line.pause_member(user.id, ctx.address, paused=paused)
    await ctx.audit(act, user=user.id, jobs=len(jobs))
    return Reply(text=text(f"{act}-person", name=user.told, count=len(jobs)), refresh=jobs)

"""What does not belong on a board: members tell, and who looks after the place decides."""

from collections.abc import Sequence

from bot.commands.boards import Board, One, get_shared, looked_after, own_board, pinned
from bot.context import Context
from bot.reply import Fact, Reply
from bot.spec import command
from bot.store.boards import Shared
from bot.texts import text
from bot.vocabulary import Reason

#: So much is shown of what was reported, and of the reasons for one of it.
_MOST_REPORTED, _MOST_REASONS = 10, 3


class Report(One):
    """What does not belong, and why."""

    reason: Reason = None


@command
async def report(ctx: Context, want: Report) -> Reply:
    """Tell those who look after this place that something does not belong on its board."""
    shared = await get_shared(ctx, want.code)
    await ctx.store.boards.report(shared.id, ctx.person.id, want.reason or "")
    return Reply(text=text("report-done"))


@command
async def reports(ctx: Context, want: Board) -> Reply:
    """Show what was reported on the board of this place."""
    del want
    here = await looked_after(ctx)
    found = await ctx.store.boards.reported(here, _MOST_REPORTED)
    return Reply(text=text("reports" if found else "reports-none"), facts=tuple(Fact(one.id, _reported(one, why)) for one, why in found))


def _reported(one: Shared, why: Sequence[str]) -> str:
    """Return what was reported in one line of a list, with the reasons that were given; who gave them is not told."""
    told = text("report-line", count=len(why), line=pinned(one))
    reasons = tuple(dict.fromkeys(filter(None, (" ".join(reason.split()) for reason in why))))
    return text("report-reasons", line=told, reasons="; ".join(reasons[:_MOST_REASONS])) if reasons else told


@command
async def dismiss(ctx: Context, want: One) -> Reply:
    """Let something that was reported stay: its reports are forgotten."""
    shared = await own_board(ctx, want.code)
    count = await ctx.store.boards.dismiss(shared.id)
    await ctx.audit("dismiss", person=shared.person)
    return Reply(text=text("dismiss-done", count=count))

"""What waits and what is being painted: looking at it, and taking it back."""

from bot import cards
from bot.app import Context
from bot.commands.imagine import again
from bot.reply import Fact, Reply
from bot.spec import Params, command
from bot.store.jobs import RUNNING, Job
from bot.texts import text
from bot.vocabulary import JobId


class Queue(Params):
    """Nothing has to be said."""


class Cancel(Params):
    """Which request to take back."""

    job: JobId


@command
async def queue(ctx: Context, want: Queue) -> Reply:
    """Show what of yours waits or is being painted."""
    del want
    jobs = await ctx.store.jobs.open_of(ctx.person.id)
    if not jobs:
        return Reply(text=text("queue-empty"))
    return Reply(
        text=text("queue-open", count=len(jobs)),
        facts=tuple([Fact(cards.words_of(job), await _state(ctx, job)) for job in jobs]),
        buttons=tuple(button for job in jobs for button in cards.card(job).buttons),
    )


async def _state(ctx: Context, job: Job) -> str:
    if job.state == RUNNING:
        return text("queue-running")
    return cards.waiting_line(await ctx.store.jobs.ahead(job))


@command
async def cancel(ctx: Context, want: Cancel) -> Reply:
    """Take back a request that waits or is being painted."""
    job = await ctx.own_job(want.job)
    if not await ctx.store.jobs.cancel(job.id):
        return Reply(text=text("cancel-late"), buttons=(again.button("button-again", job=job.id),), refresh=(job.id,))
    return Reply(text=text("cancel-done", words=cards.words_of(job)), refresh=(job.id,))

"""What waits and what is being painted: looking at it, and taking it back."""

from collections.abc import Sequence

from bot.commands.context import Context
from bot.commands.generate import again
from bot.core.errors import NotAllowed
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Button, Fact, Reply
from bot.generation.param_types import JobId, Way
from bot.i18n.translate import text
from bot.store.jobs.job import PAUSED, RUNNING, WAITING, Job
from bot.views import job_card


class Queue(Params):
    """Nothing has to be said."""


class Move(Params):
    """Which request to move, and where to."""

    job: JobId
    way: Way = None


class Retry(Params):
    """Which failed request to try once more."""

    job: JobId


class Resend(Params):
    """Which request's pictures to send once more."""

    job: JobId


class Cancel(Params):
    """Which request to take back."""

    job: JobId


@command
async def queue(ctx: Context, want: Queue) -> Reply:
    """Show your queued and running jobs."""
    del want
    jobs = await ctx.store.jobs.open_of(ctx.user.id)
    if not jobs:
        return Reply(text=text("queue-empty"))
    return Reply(
        text=text("queue-open", count=len(jobs)),
        facts=tuple([Fact(job_card.words_of(job), await _state(ctx, job)) for job in jobs]),
        buttons=tuple(button for number, job in enumerate(jobs) for button in _buttons(jobs, number, job)),
    )


def _buttons(jobs: Sequence[Job], number: int, job: Job) -> tuple[Button, ...]:
    """Return what can be done with a job in its person's line: what is not first yet can be."""
    sooner = job.state == WAITING and number and jobs[number - 1].state == WAITING
    first = (move.button("button-first", job=job.id),) if sooner else ()
    return (*first, *job_card.job_view(job).buttons)


async def _state(ctx: Context, job: Job) -> str:
    if job.state == RUNNING:
        return text("queue-running")
    if job.state == PAUSED:
        return text("card-paused")
    return job_card.waiting_line(await ctx.app.foresee(job))


@command
async def cancel(ctx: Context, want: Cancel) -> Reply:
    """Cancel a queued or running job."""
    job = await ctx.own_job(want.job)
    if not await ctx.store.jobs.cancel(job.id):
        return Reply(text=text("cancel-late"), buttons=(again.button("button-again", job=job.id),), refresh=(job.id,))
    await _noted(ctx, "cancel", job)
    return Reply(text=text("cancel-done", words=job_card.words_of(job)), refresh=(job.id,))


async def _noted(ctx: Context, act: str, job: Job) -> None:
    """Write down what was done to somebody else's request."""
    if job.user != ctx.user.id:
        await ctx.audit(act, user=job.user, channel=job.address, job=job.id)


@command
async def move(ctx: Context, want: Move) -> Reply:
    """Move a job within your own queue."""
    job = await ctx.own_job(want.job)
    if not await ctx.store.line.move(job, want.way or "first"):
        return Reply(text=text("move-not"), refresh=(job.id,))
    await _noted(ctx, "move", job)
    return Reply(text=text("move-done", words=job_card.words_of(job)), refresh=(job.id,))


@command
async def retry(ctx: Context, want: Retry) -> Reply:
    """Retry a failed job unchanged."""
    job = await ctx.own_job(want.job)
    if job.user != ctx.user.id:
        # Their credits would be spent.
        raise NotAllowed("denied-job")
    if not await ctx.store.files.room(ctx.app.least_free):
        raise NotAllowed("denied-disk")
    if not await ctx.store.jobs.retry(job.id):
        return Reply(text=text("retry-not"), buttons=(again.button("button-again", job=job.id),), refresh=(job.id,))
    return Reply(text=text("retry-done", words=job_card.words_of(job)), refresh=(job.id,))


@command
async def resend(ctx: Context, want: Resend) -> Reply:
    """Send the pictures of a job again if they did not arrive."""
    job = await ctx.own_job(want.job)
    if job.is_open or not await ctx.store.outbox.again(job.id):
        return Reply(text=text("resend-not"), refresh=(job.id,))
    await _noted(ctx, "resend", job)
    return Reply(text=text("resend-done", words=job_card.words_of(job)), refresh=(job.id,))

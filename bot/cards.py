"""The card of a job: what people see of a request from the moment it is accepted until long after. Neutral and frozen."""

from datetime import datetime

import msgspec

from bot import buttons
from bot.reply import Button, Shown
from bot.store.jobs import CANCELLED, FAILED, RUNNING, WAITING, Job
from bot.store.pictures import KeptPicture
from bot.texts import duration, ordinal, tell, text
from inference.errors import Fact


class Progress(msgspec.Struct, frozen=True):
    """How far a running job is: step `n` of `of`, seconds that are left (where there is something to reckon with), and a preview (JPEG)."""

    n: int
    of: int
    left: float | None = None
    preview: bytes | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform shows of a job. `status` is one line; `line` is what the person typed; `owner` is their person id."""

    job: str
    owner: str
    state: str
    line: str
    words: str
    status: str
    width: int
    height: int
    count: int
    created: datetime | None = None
    progress: Progress | None = None
    pictures: tuple[Shown, ...] = ()
    buttons: tuple[Button, ...] = ()

    @property
    def is_open(self) -> bool:
        """Return whether more is to come."""
        return self.state in (WAITING, RUNNING)


def card(job: Job, pictures: tuple[KeptPicture, ...] = (), progress: Progress | None = None, ahead: int = 0) -> Card:
    """Return the card of a job as it is now. `ahead` is how many jobs are before it while it waits."""
    request = job.request
    return Card(
        job=job.id,
        owner=job.person,
        state=job.state,
        line=job.line,
        words=words_of(job),
        status=_status(job, pictures, progress, ahead),
        width=request.width,
        height=request.height,
        count=request.count,
        created=job.created,
        progress=progress if job.state == RUNNING else None,
        pictures=tuple(shown(one) for one in pictures),
        buttons=buttons.of_job(job.id, is_open=job.is_open),
    )


def words_of(job: Job) -> str:
    """Return what a job paints, in the person's words."""
    return job.request.prompt.text.strip() or text("paint-no-words")


def shown(picture: KeptPicture) -> Shown:
    """Return a kept picture as it is shown."""
    return Shown(
        id=picture.id,
        index=picture.index,
        seed=picture.seed,
        width=picture.width,
        height=picture.height,
        file=picture.file,
        thumbnail=picture.thumbnail,
        words=picture.words,
        buttons=buttons.of_picture(picture.id),
    )


def _status(job: Job, pictures: tuple[KeptPicture, ...], progress: Progress | None, ahead: int) -> str:
    if job.state == WAITING:
        return waiting_line(ahead)
    if job.state == RUNNING:
        return progress_line(progress)
    if job.state == CANCELLED:
        return text("card-cancelled")
    if job.state == FAILED:
        return tell(job.problem) if job.problem is not None else text("card-failed")
    return text("card-deleted") if not pictures else summary(job)


def waiting_line(ahead: int) -> str:
    """Return `3rd in line`, for a job that has so many before it."""
    return text("card-waiting", place=ordinal(ahead + 1)) if ahead else text("card-next")


def progress_line(progress: Progress | None) -> str:
    """Return `step 12 of 20, about 4 s`; the time is there once there is something to reckon with."""
    if progress is None:
        # It may wait for its model or for room in a batch; which of the two nobody outside the engine knows.
        return text("card-starting")
    done = text("paint-step", n=progress.n, of=progress.of)
    return done if progress.left is None else text("paint-step-left", done=done, left=duration(progress.left))


def summary(job: Job) -> str:
    """Return the line that says what was painted: `red circle on blue · 20 steps · seed 7 · 4.1 s`."""
    request = job.request
    # A seed is a name, not an amount: as text nobody rounds or groups it.
    facts: dict[str, Fact] = {"steps": request.steps, "seed": str(request.seed), "seconds": round(_seconds(job), 1)}
    said = words_of(job)
    if request.count > 1:
        return text("paint-result-several", prompt=said, count=request.count, last=str(request.seed + request.count - 1), **facts)
    return text("paint-result", prompt=said, **facts)


def _seconds(job: Job) -> float:
    return (job.ended - job.started).total_seconds() if job.ended and job.started else 0.0

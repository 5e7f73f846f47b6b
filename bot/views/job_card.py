"""The card of a job: what people see of a request from the moment it is accepted until long after. Neutral and frozen."""

from datetime import datetime

import msgspec

from bot.core.fair_queue import Forecast
from bot.framework.reply import Button, Shown
from bot.i18n.translate import duration, ordinal, spoken, tell, text
from bot.store.images.images import StoredImage
from bot.store.jobs.job import CANCELLED, FAILED, OPEN, PAUSED, RUNNING, WAITING, Job
from bot.views import buttons, reproducibility
from inference.contract.errors import Fact


class Progress(msgspec.Struct, frozen=True):
    """How far a running job is: step `n` of `of`, seconds that are left (where there is something to reckon with), and a preview (JPEG)."""

    n: int
    of: int
    left: float | None = None
    preview: bytes | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform shows of a job. `status` is one line; `line` is what the person typed; `owner` is their person id.

    `language` is what the card is in, and what is said beside it. `covered`: nobody sees its preview, or its pictures, before they
    press on them.
    """

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
    language: str = ""
    covered: bool = False

    @property
    def is_open(self) -> bool:
        """Return whether more is to come."""
        return self.state in OPEN


def job_view(
    job: Job,
    pictures: tuple[StoredImage, ...] = (),
    progress: Progress | None = None,
    forecast: Forecast | None = None,
    *,
    covered: bool = False,
) -> JobView:
    """Return the card of a job as it is now, in the language that is spoken. `forecast` says when it will be painted while it waits."""
    request = job.request
    return JobView(
        job=job.id,
        owner=job.user,
        state=job.state,
        line=job.line,
        words=words_of(job),
        status=_status(job, pictures, progress, forecast),
        width=request.width,
        height=request.height,
        count=request.count,
        created=job.created,
        progress=progress if job.state == RUNNING else None,
        pictures=tuple(shown(one, covered=covered) for one in pictures),
        buttons=buttons.of_job(job.id, job.state),
        language=spoken(),
        covered=covered,
    )


def words_of(job: Job) -> str:
    """Return what a job paints, in the person's words."""
    return job.request.prompt.text.strip() or text("paint-no-words")


def shown(picture: StoredImage, *, covered: bool = False) -> Shown:
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
        covered=covered,
    )


def _status(job: Job, pictures: tuple[StoredImage, ...], progress: Progress | None, forecast: Forecast | None) -> str:
    if job.state == WAITING:
        return waiting_line(forecast)
    if job.state == PAUSED:
        return text("card-paused")
    if job.state == RUNNING:
        return progress_line(progress)
    if job.state == CANCELLED:
        return text("card-cancelled")
    if job.state == FAILED:
        return tell(job.problem) if job.problem is not None else text("card-failed")
    if not pictures:
        return text("card-deleted")
    compared = reproducibility.verdict(job.evidence)
    return text("card-compared", status=summary(job), verdict=compared) if compared else summary(job)


def waiting_line(forecast: Forecast | None) -> str:
    """Return `3rd in line, about 40 s`; the time is there where somebody can say it."""
    ahead = forecast.ahead if forecast is not None else 0
    position = text("card-waiting", place=ordinal(ahead + 1)) if ahead else text("card-next")
    if forecast is None or forecast.seconds is None:
        return position
    return text("card-waiting-time", place=position, time=duration(forecast.seconds))


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

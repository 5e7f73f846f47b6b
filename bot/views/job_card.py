"""The view of a job from its acceptance on: status, pictures, buttons and reproducibility, independent of any platform.

A button names its command instead of importing it, because commands show views. `tests/bot/views/test_buttons.py` binds each of
these buttons to the declaration of its command.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from bot.core.scheduling import Forecast
from bot.core.values import JobProvenance
from bot.framework import reply
from bot.framework.reply import Button, Shown
from bot.i18n.translate import duration, ordinal, spoken, tell, text
from bot.presets.template import WORDS
from bot.store.images.images import StoredImage
from bot.store.jobs.job import CANCELLED, FAILED, OPEN, PAUSED, RUNNING, WAITING, Job
from bot.store.sharing.presets import Preset
from inference.contract.errors import Fact
from inference.contract.provenance import Provenance


class Progress(msgspec.Struct, frozen=True):
    """The progress of a running job: step `n` of `of`, the remaining seconds if they can be estimated, and a preview (JPEG)."""

    n: int
    of: int
    left: float | None = None
    preview: bytes | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform shows of a job. `status` is one line; `line` is the text that the user typed; `owner` is their id.

    `language` is the language of the view and its messages. `covered`: its preview and pictures are hidden until a user reveals them.
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
        """Return whether the job has not ended."""
        return self.state in OPEN


def job_view(
    job: Job,
    pictures: tuple[StoredImage, ...] = (),
    progress: Progress | None = None,
    forecast: Forecast | None = None,
    *,
    covered: bool = False,
) -> JobView:
    """Return the present view of a job in the current language. `forecast` is that of a queued job."""
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
        buttons=job_buttons(job.id, job.state),
        language=spoken(),
        covered=covered,
    )


def words_of(job: Job) -> str:
    """Return the prompt of a job as the user wrote it."""
    return job.request.prompt.text.strip() or text("paint-no-words")


def shown(picture: StoredImage, *, covered: bool = False) -> Shown:
    """Return a stored picture for display."""
    return Shown(
        id=picture.id,
        index=picture.index,
        seed=picture.seed,
        width=picture.width,
        height=picture.height,
        file=picture.file,
        thumbnail=picture.thumbnail,
        words=picture.words,
        buttons=picture_buttons(picture.id),
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
    compared = verdict(job.evidence)
    return text("card-compared", status=summary(job), verdict=compared) if compared else summary(job)


def waiting_line(forecast: Forecast | None) -> str:
    """Return `3rd in line, about 40 s`, or without the time if it cannot be estimated."""
    ahead = forecast.ahead if forecast is not None else 0
    position = text("card-waiting", place=ordinal(ahead + 1)) if ahead else text("card-next")
    if forecast is None or forecast.seconds is None:
        return position
    return text("card-waiting-time", place=position, time=duration(forecast.seconds))


def progress_line(progress: Progress | None) -> str:
    """Return `step 12 of 20, about 4 s`, or without the time if it cannot be estimated."""
    if progress is None:
        # It waits for its model or for room in a batch; only the engine knows which.
        return text("card-starting")
    done = text("paint-step", n=progress.n, of=progress.of)
    return done if progress.left is None else text("paint-step-left", done=done, left=duration(progress.left))


def summary(job: Job) -> str:
    """Return the summary of a finished job: `red circle on blue · 20 steps · seed 7 · 4.1 s`."""
    request = job.request
    # A seed is an identifier, not an amount: as text it is neither rounded nor grouped.
    facts: dict[str, Fact] = {"steps": request.steps, "seed": str(request.seed), "seconds": round(_seconds(job), 1)}
    said = words_of(job)
    if request.count > 1:
        return text("paint-result-several", prompt=said, count=request.count, last=str(request.seed_of(request.count - 1)), **facts)
    return text("paint-result", prompt=said, **facts)


def _seconds(job: Job) -> float:
    return (job.ended - job.started).total_seconds() if job.ended and job.started else 0.0


#: The buttons that come first; all others follow in their own order.
_FIRST = ("button-retry", "button-again", "button-vary", "button-edit")


def in_order(buttons: Iterable[Button]) -> tuple[Button, ...]:
    """Return the buttons of a request and of its picture in their usual order."""
    positions = {label: position for position, label in enumerate(_FIRST)}
    return tuple(sorted(buttons, key=lambda one: positions.get(one.label, len(positions))))


def button(label: str, command: str, *, careful: bool = False, **values: str | int) -> Button:
    """Return a button that runs a command with these values, by parameter name."""
    return Button(label, reply.write_wire(command, {name: name for name in values}, values), careful)


def job_buttons(job_id: str, state: str) -> tuple[Button, ...]:
    """Return the buttons of a whole request."""
    if state in OPEN:
        return (button("button-cancel", "cancel", job=job_id, careful=True),)
    ended = (button("button-again", "again", job=job_id), button("button-edit", "edit", job=job_id))
    return (button("button-retry", "retry", job=job_id), *ended) if state == FAILED else ended


def picture_buttons(picture_id: str) -> tuple[Button, ...]:
    """Return the buttons of one picture."""
    return (
        button("button-vary", "vary", picture=picture_id),
        button("button-info", "info", picture=picture_id),
        button("button-delete", "delete", picture=picture_id, careful=True),
    )


def info_buttons(picture_id: str, *, is_marked: bool, is_own: bool) -> tuple[Button, ...]:
    """Return the buttons on the info view of a picture; its owner can also share it and save its settings."""
    own = (button("button-preset", "preset_keep", picture=picture_id), button("button-share", "share", picture=picture_id))
    return (
        *(own if is_own else ()),
        button("button-unfavourite" if is_marked else "button-favourite", "favourite", picture=picture_id),
        button("button-branch", "branch", picture=picture_id),
        button("button-compare", "compare", pictures=picture_id),
    )


def post_buttons(code: str) -> tuple[Button, ...]:
    """Return the buttons of a post on a board."""
    return button("button-use", "use", code=code), button("button-like", "like", code=code), button("button-fork", "keep", code=code)


def preset_reference(found: Preset, said: str) -> str:
    """Return the reference of a preset in the version that was found; `said` is the typed name."""
    return f"#{found.id}" if found.id and found.version == found.head else said


def preset_wire(found: Preset) -> str:
    """Return the wire of a button that paints with a preset, or first asks for its slots."""
    is_whole = all(usual is not None for name, usual in found.body.slots.items() if name != WORDS)
    return reply.write_wire("preset_use" if is_whole else "fill", {}, {"preset": preset_reference(found, found.name)})


#: The number of changed files that are named; beyond that only their number is shown.
_MOST_NAMED = 3

#: The number of digits of a model's hash that are shown, as in other programs.
HASH_DIGITS = 10


def verdict(evidence: JobProvenance) -> str:
    """Return the sentence that compares a repeat with the first job; None if it repeats nothing, or is not painted yet."""
    painted, first = evidence.painted, evidence.first
    if painted is None or first is None:
        return ""
    if first.proof is None:
        return text("compared-unknown")
    changes = ", ".join(dict.fromkeys((*(text("compared-asked", name=name) for name in first.changed), *_changes(first.proof, painted))))
    if _digests(painted) == _digests(first.proof):
        return text("compared-same", changes=changes)
    return text("compared-other", changes=changes)


def provenance_facts(proof: Provenance) -> Mapping[str, str]:
    """Return the provenance of a picture as facts by name."""
    return {
        "hash": proof.model[:HASH_DIGITS],
        "versions": ", ".join(f"{name} {version}" for name, version in proof.versions.items()),
        "device": text("device", device=proof.device, dtype=proof.dtype) if proof.device else "",
    }


def _digests(proof: Provenance) -> list[str]:
    return [picture.digest for picture in proof.pictures]


def _changes(one: Provenance, other: Provenance) -> Iterator[str]:
    """Yield the differences to another provenance in words, the most important first."""
    yield from _changed_model(one, other)
    if one.scheduler != other.scheduler:
        yield text("compared-is-now", before=one.scheduler, now=other.scheduler)
    elif one.schedule != other.schedule:
        yield text("compared-schedule")
    for name in {**one.versions, **other.versions}:
        if (before := one.versions.get(name, "")) != (now := other.versions.get(name, "")):
            yield text("compared-version", name=name, before=before, now=now)
    for before, now in ((one.device, other.device), (one.dtype, other.dtype)):
        if before != now:
            yield text("compared-is-now", before=before, now=now)
    if one.compiled != other.compiled:
        yield text("compared-compiled", now=int(other.compiled))
    if one.eased != other.eased:
        yield text("compared-memory")
    elif _seats(one) != _seats(other):
        yield text("compared-batch")


def _seats(proof: Provenance) -> list[str]:
    return [picture.seats for picture in proof.pictures]


def _changed_model(one: Provenance, other: Provenance) -> Iterator[str]:
    """Yield the files of a model that were changed, added or removed."""
    names = [name for name in sorted({**one.files, **other.files}) if one.files.get(name) != other.files.get(name)]
    if not names and one.model != other.model:
        yield text("compared-model")
    # Changed weights explain more than a changed setting.
    names.sort(key=lambda name: not name.endswith(".safetensors"))
    for name in names[:_MOST_NAMED]:
        yield text("compared-file", name=name)
    if more := len(names[_MOST_NAMED:]):
        yield text("compared-files", count=more)

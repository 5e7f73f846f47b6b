"""The buttons of jobs and pictures, in the order that is the same everywhere."""

from collections.abc import Iterable

from bot.framework.reply import Button
from bot.store.jobs.job import FAILED, OPEN

#: What comes first, whatever it is about; all else stands behind it, in its own order.
_FIRST = ("button-retry", "button-again", "button-vary", "button-edit")


def in_order(buttons: Iterable[Button]) -> tuple[Button, ...]:
    """Return the buttons of a request and of its picture in the order that is the same everywhere."""
    positions = {label: position for position, label in enumerate(_FIRST)}
    return tuple(sorted(buttons, key=lambda one: positions.get(one.label, len(positions))))


def of_job(job_id: str, state: str) -> tuple[Button, ...]:
    """Return what can be done with a whole request."""
    # Here and not above: these commands show cards, and cards carry these buttons.
    from bot.commands.generate import again, edit
    from bot.commands.queue import cancel, retry

    if state in OPEN:
        return (cancel.button("button-cancel", job=job_id, careful=True),)
    ended = (again.button("button-again", job=job_id), edit.button("button-edit", job=job_id))
    return (retry.button("button-retry", job=job_id), *ended) if state == FAILED else ended


def of_picture(picture_id: str) -> tuple[Button, ...]:
    """Return what can be done with one picture."""
    from bot.commands.generate import vary
    from bot.commands.images import delete, info

    return (
        vary.button("button-vary", picture=picture_id),
        info.button("button-info", picture=picture_id),
        delete.button("button-delete", picture=picture_id, careful=True),
    )


def of_info(picture_id: str, *, is_marked: bool, is_own: bool) -> tuple[Button, ...]:
    """Return what can be done with a picture that somebody looks at closely; their own they can share and keep the settings of."""
    from bot.commands.boards import share
    from bot.commands.compare import compare
    from bot.commands.generate import branch
    from bot.commands.history import favourite
    from bot.commands.preset_edit import preset_keep

    own = (preset_keep.button("button-preset", picture=picture_id), share.button("button-share", picture=picture_id))
    return (
        *(own if is_own else ()),
        favourite.button("button-unfavourite" if is_marked else "button-favourite", picture=picture_id),
        branch.button("button-branch", picture=picture_id),
        compare.button("button-compare", pictures=picture_id),
    )

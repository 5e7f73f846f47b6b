"""The buttons of jobs, pictures, presets and board posts, in an order that is the same everywhere.

A button names its command instead of importing it, because commands show views. `tests/bot/views/test_buttons.py` binds each of
these buttons to the declaration of its command.
"""

from collections.abc import Iterable

from bot.framework import wires
from bot.framework.reply import Button
from bot.presets.template import WORDS
from bot.store.jobs.job import FAILED, OPEN
from bot.store.sharing.presets import Preset

#: The buttons that come first; all others follow in their own order.
_FIRST = ("button-retry", "button-again", "button-vary", "button-edit")


def in_order(buttons: Iterable[Button]) -> tuple[Button, ...]:
    """Return the buttons of a request and of its picture in the order that is the same everywhere."""
    positions = {label: position for position, label in enumerate(_FIRST)}
    return tuple(sorted(buttons, key=lambda one: positions.get(one.label, len(positions))))


def button(label: str, command: str, *, careful: bool = False, **values: str | int) -> Button:
    """Return a button that runs a command, by its name, with these values by the names of its parameters."""
    return Button(label, wires.write(command, {name: name for name in values}, values), careful)


def of_job(job_id: str, state: str) -> tuple[Button, ...]:
    """Return what can be done with a whole request."""
    if state in OPEN:
        return (button("button-cancel", "cancel", job=job_id, careful=True),)
    ended = (button("button-again", "again", job=job_id), button("button-edit", "edit", job=job_id))
    return (button("button-retry", "retry", job=job_id), *ended) if state == FAILED else ended


def of_picture(picture_id: str) -> tuple[Button, ...]:
    """Return what can be done with one picture."""
    return (
        button("button-vary", "vary", picture=picture_id),
        button("button-info", "info", picture=picture_id),
        button("button-delete", "delete", picture=picture_id, careful=True),
    )


def of_info(picture_id: str, *, is_marked: bool, is_own: bool) -> tuple[Button, ...]:
    """Return what can be done with a picture on its info view; owners can also share it and keep its settings."""
    own = (button("button-preset", "preset_keep", picture=picture_id), button("button-share", "share", picture=picture_id))
    return (
        *(own if is_own else ()),
        button("button-unfavourite" if is_marked else "button-favourite", "favourite", picture=picture_id),
        button("button-branch", "branch", picture=picture_id),
        button("button-compare", "compare", pictures=picture_id),
    )


def of_post(code: str) -> tuple[Button, ...]:
    """Return what can be done with a post on a board."""
    return button("button-use", "use", code=code), button("button-like", "like", code=code), button("button-fork", "keep", code=code)


def preset_reference(found: Preset, said: str) -> str:
    """Return how a preset is found again, in the version that it was found in; `said` is the name that was typed."""
    return f"#{found.id}" if found.id and found.version == found.head else said


def preset_wire(found: Preset) -> str:
    """Return what a button carries that paints with a preset, or asks first for what it needs."""
    is_whole = all(usual is not None for name, usual in found.body.slots.items() if name != WORDS)
    return wires.write("preset_use" if is_whole else "fill", {}, {"preset": preset_reference(found, found.name)})

"""The buttons of jobs and pictures, in the order that is the same everywhere."""

from bot.reply import Button


def of_job(job_id: str, *, is_open: bool) -> tuple[Button, ...]:
    """Return what can be done with a whole request."""
    # Here and not above: these commands show cards, and cards carry these buttons.
    from bot.commands.imagine import again
    from bot.commands.waiting import cancel

    if is_open:
        return (cancel.button("button-cancel", job=job_id, careful=True),)
    return (again.button("button-again", job=job_id),)


def of_picture(picture_id: str) -> tuple[Button, ...]:
    """Return what can be done with one picture."""
    from bot.commands.imagine import vary
    from bot.commands.pictures import delete, info

    return (
        vary.button("button-vary", picture=picture_id),
        info.button("button-info", picture=picture_id),
        delete.button("button-delete", picture=picture_id, careful=True),
    )

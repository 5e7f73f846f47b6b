"""What the lines of the log are about: the job in whose task they are written, and its person. Whoever writes the log puts them in."""

from contextvars import ContextVar

#: The fields of what is written from here on; none where it is about nothing in particular.
LOG_CONTEXT: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("about", default=())


def log_context(job: str, user: str = "") -> None:
    """Say that the rest of this task is about a job, and whose it is where that is known yet."""
    LOG_CONTEXT.set((("job", job), ("person", user)) if user else (("job", job),))

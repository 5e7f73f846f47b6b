"""Exit codes of the command line."""

from inference.contract.errors import Problem

FAILED = 1
BAD_INPUT = 2
BAD_MODEL = 3
BAD_STORE = 4
#: The exit code that shells report for a program stopped by Ctrl-C: 128 plus the signal's number.
INTERRUPTED = 130

_OF_KIND = {
    "config": BAD_INPUT,
    "db": BAD_STORE,
    "input": BAD_INPUT,
    "output": BAD_INPUT,
    "picture": BAD_INPUT,
    "range": BAD_INPUT,
    "unknown": BAD_INPUT,
    "model": BAD_MODEL,
}


def code_of(problem: Problem) -> int:
    """Return the exit code for a problem: it depends on who has to fix it."""
    return _OF_KIND.get(problem.key.split("-")[0], FAILED)

"""The known word that somebody most likely meant."""

import difflib
from collections.abc import Iterable


def nearest(given: str, known: Iterable[str]) -> str:
    """Return the known word that is most like the given one, or nothing."""
    return next(iter(difflib.get_close_matches(given.lower(), list(known), n=1, cutoff=0.5)), "")

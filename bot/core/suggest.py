"""Finds the known word that a mistyped word most likely means."""

import difflib
from collections.abc import Iterable


def nearest(given: str, known: Iterable[str]) -> str:
    """Return the known word that is most similar to the given one, or an empty text."""
    return next(iter(difflib.get_close_matches(given.lower(), list(known), n=1, cutoff=0.5)), "")

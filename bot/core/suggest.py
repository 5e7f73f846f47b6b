"""Finds the known word that a mistyped word most likely means."""

import difflib
from collections.abc import Iterable

#: The least similarity, as `difflib` measures it: `/upscale` is no slip of `/use` (0.6), but `dmeo` is one of `demo` (0.75).
_SIMILAR = 0.7


def nearest(given: str, known: Iterable[str]) -> str:
    """Return the known word that is most similar to the given one, or an empty text if none is similar enough to be a slip."""
    return next(iter(difflib.get_close_matches(given.lower(), list(known), n=1, cutoff=_SIMILAR)), "")

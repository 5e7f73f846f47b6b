"""Words that a model knows, offered to somebody who used others."""

import difflib

#: As many as one reads at a glance.
_MOST = 8

#: Shorter words are mostly articles and prepositions, which help nobody.
_SHORTEST = 4


def suggestions(unknown: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return a few known words: those most like the unknown ones first, then some from all over the vocabulary."""
    telling = [word for word in known if len(word) >= _SHORTEST] or list(known)
    near = [like for word in unknown for like in difflib.get_close_matches(word, telling, n=1, cutoff=0.6)]
    spread = telling[:: max(1, len(telling) // _MOST)]
    return tuple(dict.fromkeys([*near, *spread]))[:_MOST]

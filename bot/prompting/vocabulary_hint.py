"""Words that a model knows, offered to somebody who used others."""

import difflib

from bot.i18n.translate import text
from inference.contract.model_info import ModelInfo
from inference.contract.request import PictureRequest

#: As many as one reads at a glance.
_MOST = 8

#: Shorter words are mostly articles and prepositions, which help nobody.
_SHORTEST = 4


def unknown_words(request: PictureRequest, model_info: ModelInfo) -> str:
    """Return a sentence about the words of a request that the model was not taught; nothing where it knows them all."""
    unknown = tuple(dict.fromkeys([*model_info.unknown_words(request.prompt), *model_info.unknown_words(request.negative)]))
    if not unknown:
        return ""
    known = ", ".join(suggestions(unknown, model_info.words))
    return text("words-unknown", count=len(unknown), words=", ".join(unknown), model=model_info.name, known=known)


def suggestions(unknown: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return a few known words: those most like the unknown ones first, then some from all over the vocabulary."""
    telling = [word for word in known if len(word) >= _SHORTEST] or list(known)
    near = [like for word in unknown for like in difflib.get_close_matches(word, telling, n=1, cutoff=0.6)]
    spread = telling[:: max(1, len(telling) // _MOST)]
    return tuple(dict.fromkeys([*near, *spread]))[:_MOST]

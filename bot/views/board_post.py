"""A post on a board as one line of a list, and as a picture with its buttons."""

import msgspec

from bot.framework.reply import Shown
from bot.i18n.translate import text
from bot.store.images.images import StoredImage
from bot.store.sharing.boards import Shared
from bot.views import job_card

#: The most characters of a prompt in one line.
_LONGEST_LINE = 120


def pinned(one: Shared) -> str:
    """Return what was shared in one line of a list, which says where it is pinned."""
    return f"{text('board-pinned')} {line(one)}" if one.pinned else line(one)


def line(one: Shared) -> str:
    """Return what was shared in one line of a list."""
    words = one.words if len(one.words) <= _LONGEST_LINE else f"{one.words[: _LONGEST_LINE - 1].rstrip()}…"
    return text("board-line", words=words, maker=one.maker or text("somebody"), votes=one.votes, uses=one.uses, code=one.id)


def shown(one: Shared, picture: StoredImage, number: int, *, covered: bool) -> Shown:
    """Return the picture of what was shared, with what can be done with it; `number` is that of its line in the list."""
    return msgspec.structs.replace(job_card.shown(picture, covered=covered), index=number - 1, buttons=job_card.post_buttons(one.id))

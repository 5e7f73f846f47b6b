"""The view of a digest: how much is new on the boards of a channel, and the best of it, in the recipient's language."""

from datetime import timedelta

from bot.framework.reply import Fact, Reply, Shown
from bot.i18n.translate import moment, text
from bot.store.sharing.boards import Shared
from bot.store.sharing.digests import WEEK, Digest
from bot.store.store import Store
from bot.views.board_post import line, shown
from bot.views.job_card import button

#: The maximum number of items and of pictures in a digest.
MOST, MOST_PICTURES = 5, 4

#: Transactions that began before a digest can be committed after it: items of this period belong to the next digest.
SETTLING = timedelta(minutes=1)

#: A digest of a longer period was delayed, and does not mention a week.
_LONG_WEEK = WEEK + timedelta(days=1)


async def told(store: Store, one: Digest) -> Reply | None:
    """Return the last digest of a channel in the current language, or None if there is nothing to report.

    It shows the boards as they are now: items that were removed since are left out.
    """
    if one.user is not None:
        boards = await store.boards.looked_at(one.user, one.address)
    else:
        boards = tuple(filter(None, [await store.boards.of(one.address)]))
    count, best = await store.boards.news(boards, one.since - SETTLING, one.told - SETTLING, MOST)
    if not count:
        return None
    is_long = one.told - one.since > _LONG_WEEK
    news = text("digest-news-since", count=count, since=moment(one.since)) if is_long else text("digest-news", count=count)
    said = [news, text("digest-best", count=len(best)) if count > len(best) else ""]
    return Reply(
        text=" ".join(filter(None, [*said, text("digest-end") if one.user is not None else ""])),
        facts=tuple(Fact(str(number), line(share)) for number, share in enumerate(best, 1)),
        pictures=await _pictures(store, one, best),
        buttons=(button("button-board", "board", order="new"),),
    )


async def _pictures(store: Store, one: Digest, best: tuple[Shared, ...]) -> tuple[Shown, ...]:
    """Return the pictures; they are covered if that is set for the recipient, or for a channel whose board they are on."""
    covered = await store.settings.covered({share.board for share in best}, one.address)
    kept = [(number, share, await store.pictures.get(share.picture or "")) for number, share in enumerate(best, 1)]
    pictures = (shown(share, picture, number, covered=share.board in covered) for number, share, picture in kept if picture is not None)
    return tuple(pictures)[:MOST_PICTURES]


async def language(store: Store, one: Digest) -> str:
    """Return the locale of a digest: that of the group, or of the user whose conversation it is; None if there is none."""
    here = (await store.settings.of("", one.address)).language
    people = await store.people.named(one.user) if one.user is not None else ()
    return people[0].speaks(here) if people else here

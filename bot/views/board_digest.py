"""What a digest tells: how much is new on the boards of a place, and the best of it, in the language of who is told."""

from datetime import timedelta

from bot.framework.reply import Fact, Reply, Shown
from bot.i18n.translate import moment, text
from bot.store.sharing.boards import Shared
from bot.store.sharing.digests import WEEK, Digest
from bot.store.store import Store
from bot.views.board_post import line, shown
from bot.views.job_card import button

#: What is told of a week: the best of it, and so many pictures of that.
MOST, MOST_PICTURES = 5, 4

#: What was begun before a digest was made may be on the board only after that: so long is left to the next one.
SETTLING = timedelta(minutes=1)

#: What was longer than this was not told in time, and is not called a week.
_LONG_WEEK = WEEK + timedelta(days=1)


async def told(store: Store, one: Digest) -> Reply | None:
    """Return what the last digest of a place tells, in the language that is spoken; nothing where there is nothing (any more).

    It is made of what is on the boards now: what was removed since is told no more.
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
    """Return the pictures; covered are those that are so where they are told of, or in one of the places whose board they are on."""
    covered = await store.settings.covered({share.board for share in best}, one.address)
    kept = [(number, share, await store.pictures.get(share.picture or "")) for number, share in enumerate(best, 1)]
    pictures = (shown(share, picture, number, covered=share.board in covered) for number, share, picture in kept if picture is not None)
    return tuple(pictures)[:MOST_PICTURES]


async def language(store: Store, one: Digest) -> str:
    """Return the locale that a digest is told in, or nothing where nobody said one: a group's own, or that of whose conversation it is."""
    here = (await store.settings.of("", one.address)).language
    people = await store.people.named(one.user) if one.user is not None else ()
    return people[0].speaks(here) if people else here

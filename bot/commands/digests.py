"""Digests: what is new on the boards, told once a week where somebody wants it: a group of its board, a person of all that are theirs."""

from bot.commands.boards import board, line, shown
from bot.context import Context
from bot.errors import NotAllowed
from bot.reply import Fact, Reply, Shown
from bot.spec import Params, command
from bot.store.boards import Shared
from bot.store.digests import Digest
from bot.store.store import Store
from bot.texts import moment, text
from bot.vocabulary import Switch

#: What is told of a week: the best of it, and so many pictures of that.
MOST, MOST_PICTURES = 5, 4


class Switched(Params):
    """Whether a digest is wanted; nothing shows whether it is."""

    switch: Switch = None


@command
async def digest(ctx: Context, want: Switched) -> Reply:
    """Have what is new on the board told here once a week, on or off; in private that of all your groups."""
    # Whoever speaks as a group, where a platform lets them, is called as it is: a conversation is nobody's to look after.
    is_private = not ctx.moderates and await ctx.store.boards.is_private(ctx.person.id, ctx.address)
    if want.switch is not None:
        if not is_private and not ctx.may_moderate:
            raise NotAllowed("denied-moderators")
        await _switch(ctx, on=want.switch == "on", is_private=is_private)
    known = await ctx.store.digests.of(ctx.address)
    if known is None:
        return Reply(text=text("digest-off-yours" if is_private else "digest-off"))
    return Reply(text=text("digest-on-yours" if is_private else "digest-on", next=moment(known.due)))


async def _switch(ctx: Context, *, on: bool, is_private: bool) -> None:
    if on:
        place = await ctx.store.people.place(ctx.address)
        await ctx.store.digests.want(place, ctx.address.message, ctx.person.id if is_private else None)
    else:
        await ctx.store.digests.end(ctx.address)
    if not is_private:
        await ctx.audit("digest", switch="on" if on else "off")


async def told(store: Store, one: Digest) -> Reply | None:
    """Return what the last digest of a place tells, in the language that is spoken; nothing where there is nothing (any more).

    It is made of what is on the boards now: what was removed since is told no more.
    """
    if one.person is not None:
        boards = await store.boards.looked_at(one.person, one.address)
    else:
        boards = tuple(filter(None, [await store.boards.of(one.address)]))
    count, best = await store.boards.news(boards, one.since, one.told, MOST)
    if not count:
        return None
    said = [text("digest-news", count=count), text("digest-best", count=len(best)) if count > len(best) else ""]
    return Reply(
        text=" ".join(filter(None, [*said, text("digest-end") if one.person is not None else ""])),
        facts=tuple(Fact(str(number), line(share)) for number, share in enumerate(best, 1)),
        pictures=await _pictures(store, one, best),
        buttons=(board.button("button-board", order="new"),),
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
    people = await store.people.named(one.person) if one.person is not None else ()
    return people[0].speaks(here) if people else here

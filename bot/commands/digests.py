"""Digests: where they are wanted, a group of its board, a person of all that are theirs; what they tell is in `bot.digesting`."""

from bot.context import Context
from bot.errors import NotAllowed
from bot.reply import Reply
from bot.spec import Params, command
from bot.texts import moment, text
from bot.vocabulary import Switch


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
        if want.switch == "on" and ctx.caller.carries:
            raise NotAllowed("denied-digest")
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

"""The commands for a whole channel: its rules, its digest, and one board for several groups."""

from collections.abc import Collection

from bot.commands.context import Context
from bot.core import limits
from bot.core.errors import BadInput, NotAllowed
from bot.core.values import Given
from bot.framework import forms
from bot.framework.command import Answer, command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.fields import LIMITED, WHOLE
from bot.generation.param_types import Closed, Cover, LinkCode, PlaceCredits, PlaceMost, Switch, Unset
from bot.generation.resolve import CLOSED, COVER, CREDITS, MOST
from bot.i18n.translate import moment, text

#: Commands that cannot be closed: help, and the users' own data.
_ALWAYS_OPEN = frozenset({"help", "rules", "me_export", "me_forget", "cancel", "delete"})

#: The rules that moderators set for all members.
_SETTLED = (CLOSED, MOST, CREDITS, COVER)


class GroupLink(Params):
    """The code of the other group; without one a new code is created."""

    code: LinkCode = None


class GroupUnlink(Params):
    """No parameters."""


class Rules(Params):
    """The rules to change; without any, they are shown."""

    closed: Closed = None
    most: PlaceMost = None
    credits: PlaceCredits = None
    cover: Cover = None
    without: Unset = None


@command
async def group_link(ctx: Context, want: GroupLink) -> Reply:
    """Share one board with another group, here or on another platform."""
    if not ctx.may_moderate:
        raise NotAllowed("denied-moderators")
    if want.code is None:
        return Reply(text=text("group-code", code=await ctx.store.joining.invite(ctx.address)))
    entered = await ctx.store.joining.enter(want.code, ctx.address)
    if entered is None:
        raise BadInput("input-group-code")
    if not entered.joined:
        return Reply(text=text("group-answer", code=entered.answer))
    await ctx.audit("group_link")
    return Reply(text=text("group-joined"))


@command
async def group_unlink(ctx: Context, want: GroupUnlink) -> Reply:
    """Stop sharing a board with the linked group. Existing posts stay on the shared board."""
    del want
    if not ctx.may_moderate:
        raise NotAllowed("denied-moderators")
    if not await ctx.store.boards.part(ctx.address):
        raise BadInput("input-group-alone")
    await ctx.audit("group_unlink")
    return Reply(text=text("group-parted"))


@command
async def rules(ctx: Context, want: Rules) -> Reply:
    """Show this chat's rules. Moderators can change them."""
    changes = _changes(ctx, want)
    without = forms.emptied(want.without, _SETTLED) | ({COVER} if want.cover == "off" else set())
    if changes or without:
        if not ctx.may_moderate:
            raise NotAllowed("denied-moderators")
        if COVER in without and ctx.store.settings.cover:
            raise NotAllowed("denied-cover")
        await ctx.store.settings.change(ctx.address, changes, without)
        await ctx.audit("rules", names=", ".join(sorted({*changes, *without})))
    facts = await _held(ctx)
    return Reply(text=text("rules" if facts else "rules-none"), facts=facts)


def _changes(ctx: Context, want: Rules) -> dict[str, Given]:
    """Return the changed rules of this channel; raises `BadInput`."""
    changes: dict[str, Given] = {}
    if want.closed is not None:
        changes[CLOSED] = ", ".join(_closable(ctx, want.closed))
    if want.most is not None:
        changes[MOST] = limits.told(_ceilings(want.most))
    if want.credits is not None:
        changes[CREDITS] = want.credits
    if want.cover == "on":
        changes[COVER] = True
    return changes


async def _held(ctx: Context) -> tuple[Fact, ...]:
    """Return the present rules of this channel."""
    now = await ctx.store.settings.of(ctx.user.id, ctx.address)
    facts = [Fact(text(f"fact-{name}"), str(now.channel[name])) for name in (CLOSED, MOST) if now.channel.get(name)]
    if painting := _still_painting(ctx, now.closed):
        facts.insert(1, Fact(text("fact-paints"), ", ".join(painting)))
    if now.credits is not None:
        facts.append(Fact(text("fact-credits"), text("rules-credits", credits=now.credits)))
    if now.cover or ctx.store.settings.cover:
        facts.append(Fact(text("fact-cover"), text("cover-everywhere" if ctx.store.settings.cover else "cover-here")))
    return tuple(facts)


def _still_painting(ctx: Context, closed: Collection[str]) -> list[str]:
    """Return the painting commands that stay open if some of them are closed: the moderator may have overlooked them."""
    known = [one.name for one in ctx.app.commands.values() if one.answer is Answer.PUBLIC and not one.hidden]
    left = [one.replace("_", " ") for one in known if one not in closed]
    return left if len(left) < len(known) else []


def _closable(ctx: Context, said: str) -> tuple[str, ...]:
    """Return the commands to close; raises `BadInput` for an unknown one, or one that cannot be closed."""
    named = dict.fromkeys(one.strip().removeprefix("/").casefold().replace(" ", "_") for one in said.split(","))
    for one in filter(None, named):
        if ctx.app.find(one).name in _ALWAYS_OPEN:
            raise BadInput("input-always-open", name=one)
    return tuple(filter(None, named))


def _ceilings(said: str) -> dict[str, float]:
    found = limits.read(said, WHOLE)
    if wrong := [name for name in found if name not in LIMITED]:
        raise BadInput("input-choice", name=MOST, given=wrong[0], offered=", ".join(LIMITED))
    return found


class Switched(Params):
    """Whether the digest is on; without a value, that is shown."""

    switch: Switch = None


@command
async def digest(ctx: Context, want: Switched) -> Reply:
    """Turn the weekly digest of this board on or off; in private chat, of all your groups."""
    # On platforms where a user can write as the group, they have the group's name; a private conversation has no moderators.
    is_private = not ctx.moderates and await ctx.store.boards.is_private(ctx.user.id, ctx.address)
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
        channel = await ctx.store.people.channel(ctx.address)
        await ctx.store.digests.want(channel, ctx.address.message, ctx.user.id if is_private else None)
    else:
        await ctx.store.digests.end(ctx.address)
    if not is_private:
        await ctx.audit("digest", switch="on" if on else "off")

"""Link accounts on several platforms to one user, and unlink them.

Entering a code only asks for a link. The account that created the code is shown who asks, and confirms.
"""

from bot.commands.context import Context
from bot.core.errors import BadInput, NotAllowed
from bot.core.values import UserRef
from bot.framework.command import button_command, command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.param_types import PersonCode, PersonId, PlatformName
from bot.i18n.translate import text
from bot.store.users.linking import LIFE, Asked

#: The pseudo-platform of tokens, which open the chat page.
_NO_PLATFORM = ("token",)

_MINUTES = round(LIFE.total_seconds() / 60)

#: Characters of wrong input that an error message repeats.
_LONGEST_SHOWN = 40


class Link(Params):
    """The code from the other platform; without one a new code is created."""

    code: PersonCode = None


class LinkCheck(Params):
    """Nothing has to be said."""


class LinkNo(Params):
    """Nothing has to be said."""


class LinkJoin(Params):
    """The account to link with."""

    person: PersonId


class Unlink(Params):
    """The account to unlink."""

    platform: PlatformName = None


@command
async def link(ctx: Context, want: Link) -> Reply:
    """Connect your accounts: get a code here, enter it on the other platform, confirm here."""
    if want.code is None:
        code = await ctx.store.linking.make(ctx.user.id)
        return Reply(text=text("link-code", code=code, minutes=_MINUTES), buttons=(link_check.button("button-check"),))
    if not await ctx.store.linking.ask(want.code, ctx.user.id):
        raise BadInput("input-link-code")
    return Reply(text=text("link-typed"))


@button_command
async def link_check(ctx: Context, want: LinkCheck) -> Reply:
    """Show which account entered your code."""
    del want
    try:
        asked = await ctx.store.linking.asked(ctx.user.id)
    except LookupError:
        raise NotAllowed("denied-link") from None
    if asked is None:
        return Reply(text=text("link-waits"), buttons=(link_check.button("button-check"),))
    buttons = (link_join.button("button-join", person=asked.user.id, careful=True), link_no.button("button-join-no"))
    return Reply(text=text("link-asks", role=ctx.user.role), facts=_who(asked), buttons=buttons)


def _who(asked: Asked) -> tuple[Fact, ...]:
    """Return the accounts that ask, each with the id of its platform, because anybody can choose any name."""
    name = asked.user.name or text("link-nameless")
    return (Fact(text("fact-name"), name), *(Fact(one.platform, one.id) for one in asked.known if one.platform not in _NO_PLATFORM))


@button_command
async def link_join(ctx: Context, want: LinkJoin) -> Reply:
    """Link the account that entered your code."""
    if want.person == ctx.user.id or not await ctx.store.linking.join(ctx.user.id, want.person):
        raise NotAllowed("denied-link")
    known = await ctx.store.people.identities(ctx.user.id)
    await ctx.audit("link", user=ctx.user.id, platforms=_told(known))
    return Reply(text=text("link-joined", platforms=_told(known)))


@button_command
async def link_no(ctx: Context, want: LinkNo) -> Reply:
    """Reject the link request and cancel your code."""
    del want
    await ctx.store.linking.refuse(ctx.user.id)
    return Reply(text=text("link-refused"))


@command
async def unlink(ctx: Context, want: Unlink) -> Reply:
    """Disconnect one platform; history and presets stay with your other accounts."""
    known = await ctx.store.people.identities(ctx.user.id)
    named = (want.platform or "").strip().casefold()
    leaving = [one for one in known if one.platform == named] if named else [one for one in known if _same(one, ctx.caller)]
    if named and not leaving:
        raise BadInput("input-unlink", given=named[:_LONGEST_SHOWN], offered=_told(known))
    new = await ctx.store.linking.part(ctx.user.id, leaving, ctx.caller.name if any(_same(one, ctx.caller) for one in leaving) else "")
    if new is None:
        raise NotAllowed("denied-unlink")
    left = await ctx.store.people.identities(ctx.user.id)
    await ctx.audit("unlink", user=ctx.user.id, platforms=_told(leaving))
    return Reply(text=text("unlink-done", gone=_told(leaving), left=_told(left)))


def _same(one: UserRef, other: UserRef) -> bool:
    return (one.platform, one.id) == (other.platform, other.id)


def _told(known: list[UserRef] | tuple[UserRef, ...]) -> str:
    """Return the platforms of accounts, without duplicates."""
    return ", ".join(sorted({one.platform for one in known if one.platform not in _NO_PLATFORM}))

"""The commands that show credits and grant more."""

from bot.commands.context import Context
from bot.core.errors import NotAllowed
from bot.core.limits import WHOLE
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.param_types import Credits, Somebody
from bot.i18n.translate import number, text
from bot.store.billing.ledger import Balance


class Quota(Params):
    """Nothing has to be said."""


class Grant(Params):
    """The user and the number of credits."""

    person: Somebody
    credits: Credits = None


@command
async def quota(ctx: Context, want: Quota) -> Reply:
    """Show how many credits you have left."""
    del want
    own = await ctx.store.ledger.balance(ctx.user.id)
    channel = await ctx.store.ledger.place_balance(ctx.address)
    here = await ctx.store.portions.left(ctx.user.id, ctx.address)
    facts = [*_told("fact-today", own), *_told("fact-here", here), *_told("fact-place", channel)]
    if own.extra:
        facts.append(Fact(text("fact-granted"), number(own.extra / WHOLE)))
    if own.allowance is None and here.allowance is None and channel.allowance is None:
        return Reply(text=text("quota-none"), facts=tuple(facts))
    return Reply(text=text("quota-some", zone=ctx.store.policy.zone), facts=tuple(facts))


def _told(key: str, balance: Balance) -> list[Fact]:
    if balance.allowance is None:
        return []
    return [Fact(text(key), text("quota-left", left=balance.left / WHOLE, most=balance.allowance / WHOLE))]


@command
async def grant(ctx: Context, want: Grant) -> Reply:
    """Give a user credits that don't expire; without a number, show what they have."""
    if not ctx.may_operate:
        raise NotAllowed("denied-operators")
    user = await ctx.store.people.one(want.person)
    # A repeated message grants only once.
    key = f"{ctx.user.id} {ctx.key}" if ctx.key else ""
    before = await ctx.store.ledger.balance(user.id)
    after = await ctx.store.ledger.grant(user.id, round((want.credits or 0.0) * WHOLE), key)
    if after.extra != before.extra:
        await ctx.audit("grant", user=user.id, credits=(after.extra - before.extra) / WHOLE)
    return Reply(text=text("grant-done", name=user.told, extra=after.extra / WHOLE))

"""Holding jobs back, and letting them go on: for those who look after a place, or after everybody."""

from bot.context import Context
from bot.errors import NotAllowed
from bot.reply import Reply
from bot.spec import Params, command
from bot.store.people import OPERATOR
from bot.texts import text
from bot.vocabulary import SomebodyOrHere


class Pause(Params):
    """Whose jobs are held back; nobody means everybody's in this place."""

    person: SomebodyOrHere = None


class Resume(Params):
    """Whose jobs go on; nobody means everybody's in this place."""

    person: SomebodyOrHere = None


@command
async def pause(ctx: Context, want: Pause) -> Reply:
    """Hold the requests of this place, or of a person, back for now."""
    return await _changed(ctx, want.person, paused=True)


@command
async def resume(ctx: Context, want: Resume) -> Reply:
    """Let the requests of this place, or of a person, go on."""
    return await _changed(ctx, want.person, paused=False)


async def _changed(ctx: Context, reference: str | None, *, paused: bool) -> Reply:
    act, line = "pause" if paused else "resume", ctx.store.line
    if not ctx.may_moderate:
        raise NotAllowed("denied-moderators")
    if reference is None:
        jobs = await line.pause_place(ctx.address.platform, ctx.address.place, paused=paused)
        await ctx.audit(act, jobs=len(jobs))
        return Reply(text=text(f"{act}-place", count=len(jobs)), refresh=jobs)
    person = await ctx.store.people.one(reference)
    if person.role == OPERATOR != ctx.person.role:
        raise NotAllowed("denied-operators")
    if ctx.person.moderates:
        jobs = await line.pause_person(person.id, paused=paused)
    else:
        # Who looks after one place says nothing about others.
        jobs = await line.pause_member(person.id, ctx.address, paused=paused)
    await ctx.audit(act, person=person.id, jobs=len(jobs))
    return Reply(text=text(f"{act}-person", name=person.told, count=len(jobs)), refresh=jobs)

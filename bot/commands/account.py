"""What belongs to people: all that is kept of them as a file, and that nothing is kept any more. Over all their platforms."""

from time import time

from bot.commands.context import Context
from bot.core.errors import BadInput, NotAllowed
from bot.framework.command import button_command, command
from bot.framework.params import Params
from bot.framework.reply import Attachment, Reply
from bot.generation.param_types import PersonId, Until
from bot.i18n.translate import text
from bot.views import data_export

#: How long, in seconds, the question can be agreed to: a press in an old message is no wish to be forgotten.
_LIFE = 600


class MeExport(Params):
    """Nothing has to be said."""


class MeForget(Params):
    """Nothing has to be said: it is asked first."""


class ForgetMe(Params):
    """Who was asked, and until when."""

    person: PersonId
    until: Until


@command
async def me_export(ctx: Context, want: MeExport) -> Reply:
    """Get all your data as a file: jobs, pictures, presets, settings."""
    del want
    found = await data_export.handed(ctx.store, ctx.user.id)
    key = "me-export" if found.whole else "me-export-rows"
    return Reply(text=text(key, jobs=found.jobs, pictures=found.pictures), files=(Attachment("easel-export.zip", found.data),))


@command
async def me_forget(ctx: Context, want: MeForget) -> Reply:
    """Permanently delete all your data on all platforms, after a confirmation."""
    del want
    jobs, pictures = await ctx.store.rights.counts(ctx.user.id)
    platforms = {one.platform for one in await ctx.store.people.identities(ctx.user.id)} - {"token"}
    asked = text("me-forget-ask", jobs=jobs, pictures=pictures, platforms=", ".join(sorted(platforms)))
    return Reply(text=asked, buttons=(forget_me.button("button-forget", person=ctx.user.id, until=int(time()) + _LIFE, careful=True),))


@button_command
async def forget_me(ctx: Context, want: ForgetMe) -> Reply:
    """Confirm that all your data is deleted."""
    if want.person != ctx.user.id:
        raise NotAllowed("denied-forget")
    if want.until < time():
        raise BadInput("input-forget-late")
    done = await ctx.store.rights.forget(ctx.user.id)
    return Reply(text=text("me-forgotten", jobs=done.jobs, pictures=done.pictures))

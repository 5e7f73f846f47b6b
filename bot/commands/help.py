"""Help: what the commands are."""

from bot.commands.context import Context
from bot.framework.command import command
from bot.framework.help import about, flag, help_of, usage
from bot.framework.params import Params
from bot.framework.reply import Fact, Reply
from bot.generation.param_types import CommandName
from bot.i18n.translate import text


class Help(Params):
    """Which command to tell more about."""

    command: CommandName = None


@command
async def help(ctx: Context, want: Help) -> Reply:
    """List the commands, or explain one command."""
    if want.command is None:
        shown = [one for one in ctx.app.commands.values() if not one.hidden]
        return Reply(text=text("help-all"), facts=tuple(Fact(f"/{one.name}", help_of(one)) for one in shown))
    found = ctx.app.find(want.command.strip().removeprefix("/"))
    facts = tuple(Fact(flag(param, found), about(param, ctx.app.suggestions(param, ""))) for param in found.params)
    return Reply(text=text("help-one", usage=usage(found), help=help_of(found)), facts=facts)

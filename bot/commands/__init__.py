"""The commands, in the order of the help text. A new one is one file and one name here."""

from typing import Any

from bot.commands.account import forget_me, me_export, me_forget
from bot.commands.boards import board, keep, like, pin, remove, share, use
from bot.commands.channels import digest, group_link, group_unlink, rules
from bot.commands.compare import compare
from bot.commands.explain import explain
from bot.commands.generate import again, branch, edit, imagine, vary
from bot.commands.help import help
from bot.commands.history import favourite, history
from bot.commands.images import delete, info, original
from bot.commands.linking import link, link_check, link_join, link_no, unlink
from bot.commands.moderation import dismiss, pause, report, reports, resume
from bot.commands.preset_edit import preset_edit, preset_keep, preset_save, preset_show
from bot.commands.preset_library import preset_delete, preset_export, preset_fork, preset_import, preset_list, preset_share
from bot.commands.preset_use import fill, preset_use
from bot.commands.queue import cancel, move, queue, resend, retry
from bot.commands.quota import grant, quota
from bot.commands.settings import settings, settle
from bot.framework.command import Command

COMMANDS: tuple[Command[Any], ...] = (
    *(imagine, again, vary, edit, branch, info, original, delete),
    *(preset_use, fill, preset_list, preset_show, preset_save, preset_keep, preset_edit, preset_fork, preset_share),
    *(preset_delete, preset_export, preset_import),
    *(share, board, use, like, keep, report, reports, dismiss, pin, remove, digest, group_link, group_unlink, rules),
    *(queue, cancel, move, retry, resend),
    *(explain, history, favourite, compare, settings, settle, quota, grant, pause, resume),
    *(link, link_check, link_join, link_no, unlink, me_export, me_forget, forget_me),
    help,
)

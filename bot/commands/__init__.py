"""The commands, in the order of the help text. A new one is one file and one name here."""

from typing import Any

from bot.commands.boards import board, keep, like, pin, remove, share, use
from bot.commands.compare import compare
from bot.commands.credits import grant, quota
from bot.commands.digests import digest
from bot.commands.explaining import explain
from bot.commands.filling import fill, preset_use
from bot.commands.groups import group_link, group_unlink, rules
from bot.commands.helping import help
from bot.commands.history import favourite, history
from bot.commands.imagine import again, branch, edit, imagine, vary
from bot.commands.linking import link, link_check, link_join, link_no, unlink
from bot.commands.mine import forget_me, me_export, me_forget
from bot.commands.moderating import pause, resume
from bot.commands.pictures import delete, info, original
from bot.commands.preset_lists import preset_delete, preset_export, preset_fork, preset_import, preset_list, preset_share
from bot.commands.presets import preset_edit, preset_keep, preset_save, preset_show
from bot.commands.reporting import dismiss, report, reports
from bot.commands.settling import settings, settle
from bot.commands.waiting import cancel, move, queue, resend, retry
from bot.spec import Command

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

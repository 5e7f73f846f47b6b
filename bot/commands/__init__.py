"""The commands, in the order of the help text. A new one is one file and one name here."""

from typing import Any

from bot.commands.explaining import explain
from bot.commands.helping import help
from bot.commands.imagine import again, imagine, vary
from bot.commands.pictures import delete, history, info
from bot.commands.waiting import cancel, queue
from bot.spec import Command

COMMANDS: tuple[Command[Any], ...] = (imagine, again, vary, info, delete, queue, cancel, explain, history, help)

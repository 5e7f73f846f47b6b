"""The command menus: the commands that Telegram lists after a slash, by chat, by role and by language."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
import telegram
from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
)

from adapters.telegram.chat_members import MODERATING
from adapters.telegram.updates import START
from bot.app import AnyCommand
from bot.commands.settings import settings
from bot.framework.command import Answer
from bot.framework.help import help_of
from bot.i18n.translate import ENGLISH, LANGUAGES, speaking, text

#: Commands that groups offer too, beside those for images.
_IN_GROUPS = frozenset({"queue", "cancel", "history", "help", "quota"})

#: Menus by the name of their scope and the code of their language; users of any other language see the menus without a code.
Menus = Mapping[tuple[str, str], tuple[BotCommandScope, tuple[BotCommand, ...]]]


def menus(commands: Iterable[AnyCommand]) -> Menus:
    """Return the menus: in groups the group's commands, for moderators more of them, and in private chats all commands."""
    made: dict[tuple[str, str], tuple[BotCommandScope, tuple[BotCommand, ...]]] = {}
    known = tuple(commands)
    for language in LANGUAGES:
        with speaking(language):
            code = "" if language == ENGLISH else language
            made |= {(name, code): menu for name, menu in _in_language(known).items()}
    return made


def _in_language(commands: Iterable[AnyCommand]) -> dict[str, tuple[BotCommandScope, tuple[BotCommand, ...]]]:
    """Return the menus in the current language."""
    shown = [one for one in commands if not one.hidden]
    everybody = [one for one in shown if one.name not in MODERATING]
    in_groups = [one for one in everybody if one.answer is Answer.PUBLIC or one.name in _IN_GROUPS]
    moderating = [*in_groups, *(one for one in shown if one.name in MODERATING or one is settings)]
    start = BotCommand(START, text("telegram-help-start"))
    return {
        "default": (BotCommandScopeDefault(), _listed(everybody)),
        "private": (BotCommandScopeAllPrivateChats(), (*_listed(everybody), start)),
        "groups": (BotCommandScopeAllGroupChats(), _listed(in_groups)),
        "moderators": (BotCommandScopeAllChatAdministrators(), _listed(moderating)),
    }


def digest(wanted: Menus, channel: str) -> str:
    """Return a digest of the commands registered with a server: they are registered again only if it changes."""
    told = [(name, [(one.command, one.description) for one in listed]) for name, (_, listed) in wanted.items()]
    return hashlib.sha256(msgspec.json.encode([channel, told])).hexdigest()


async def tell(api: telegram.Bot, wanted: Menus) -> None:
    """Register the menus with Telegram; raises what the library raises."""
    for (_, code), (scope, listed) in wanted.items():
        await api.set_my_commands(listed, scope, language_code=code or None)


def _listed(commands: Iterable[AnyCommand]) -> tuple[BotCommand, ...]:
    return tuple(BotCommand(one.name, help_of(one)) for one in commands)

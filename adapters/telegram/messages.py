"""Interprets messages: whether they address the bot, the command they ask for, and the form or question they answer."""

import re
from collections.abc import Container
from typing import NamedTuple

from telegram import Message, MessageEntity, User

from adapters.shared.command_line import CommandLine, read_line
from adapters.telegram import forms
from adapters.telegram.message_ref import is_group
from bot.commands.preset_use import preset_use


class Heard(NamedTuple):
    """A message to the bot: its line, and the form that it answers, if any. `is_named`: the message mentions the bot's name."""

    line: CommandLine
    words: str
    form: Message | None = None
    is_named: bool = False


def heard(own: User, message: Message, commands: Container[str]) -> Heard | None:
    """Return the content of a message to the bot, or `None` if it is not meant for the bot; `commands` are those with questions."""
    said = message.text or message.caption or ""
    if message.via_bot is not None and message.via_bot.id == own.id and not said.startswith(f"/{preset_use.name}@"):
        # An image sent from inline mode; only a preset chosen that way asks for something.
        return None
    if message.forward_origin is not None and (is_group(message.chat_id) or _begins_with_command(said)):
        # A forwarded message is no command of the user who forwards it.
        return None
    line = read_line(said)
    name = own.username or ""
    if line.bot and line.bot.lower() != name.lower():
        return None
    if _begins_with_command(said):
        return Heard(line, said, is_named=bool(line.bot))
    if (answer := _answer(own, message, Heard(line, said), commands)) is not None:
        return answer
    if not is_group(message.chat_id):
        return Heard(line, said)
    mention = re.compile(rf"(?<!\w)@{re.escape(name)}(?!\w)", re.IGNORECASE)
    if name and mention.search(said):
        words = mention.sub(" ", said).strip()
        return Heard(read_line(words), words, is_named=True)
    return None


def _answer(own: User, message: Message, heard: Heard, commands: Container[str]) -> Heard | None:
    """Return a message that answers a form or a question of the bot; `None` if it answers neither."""
    answered = message.reply_to_message
    if answered is None or answered.from_user is None or answered.from_user.id != own.id:
        return None
    if forms.of(answered)[1]:
        return heard._replace(form=answered)
    asked = asks_for(answered, commands)
    return None if asked is None else Heard(CommandLine(asked, heard.words.strip()), heard.words, is_named=True)


def _begins_with_command(said: str) -> bool:
    """Return whether a text begins with a slash and a name; a line without a command asks for an image."""
    return bool(re.match(r"\s*/[A-Za-z]", said))


def asks_for(message: Message, commands: Container[str]) -> str | None:
    """Return the command that a question of the bot is about: the text begins with its name, and there are no buttons."""
    if message.reply_markup is not None or not (message.text or "").endswith("?"):
        return None
    named = [said for entity, said in message.parse_entities([MessageEntity.BOT_COMMAND]).items() if entity.offset == 0]
    name = named[0].removeprefix("/").partition("@")[0] if named else ""
    return name if name in commands else None

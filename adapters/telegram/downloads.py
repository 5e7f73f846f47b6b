"""Pictures that people send: as photos, as files, in albums, or in the message that they answer; and files that a command reads."""

import contextlib
from collections.abc import Sequence
from typing import Any

import telegram
from telegram import Message
from telegram.constants import FileSizeLimit
from telegram.error import TelegramError

from bot.core.errors import BadInput
from bot.framework.command import Command
from bot.framework.params import Kind
from inference.contract.errors import BadPicture
from inference.images.validation import MOST_BYTES

#: Telegram gives bots no larger files.
_MOST_GIVEN = min(MOST_BYTES, int(FileSizeLimit.FILESIZE_DOWNLOAD))

#: Reading does no harm, so what did not arrive is asked for again.
_TRIES = 3


def in_message(message: Message | None, *, as_file: bool = False) -> tuple[str, int] | None:
    """Return the handle of the picture in a message and its bytes as far as they are known, or nothing. `as_file`: any file will do."""
    if message is None:
        return None
    if message.photo:
        largest = message.photo[-1]
        return largest.file_id, largest.file_size or 0
    document = message.document
    if document is not None and (as_file or (document.mime_type or "").startswith("image/")):
        return document.file_id, document.file_size or 0
    return None


async def meant(bot: telegram.Bot, messages: Sequence[Message], command: Command[Any] | None) -> tuple[bytes, ...]:
    """Return the pictures that a message and the others of its album carry; for a command that reads a file, any files.

    No more are fetched than the command takes, and one more: the bot refuses it. Raises what `carried` raises.
    """
    as_file = command is not None and command.takes(Kind.FILE)
    most = (0 if as_file else 1) + (0 if command is None else len(command.attachments))
    holders = [one for one in messages if in_message(one, as_file=as_file) is not None][:most]
    found = [await carried(bot, one, as_file=as_file) for one in holders]
    return tuple(one for one in found if one is not None)


async def answered(bot: telegram.Bot, message: Message, command: Command[Any] | None, room: int) -> tuple[bytes, ...]:
    """Return the picture, or the file, of the message that a message answers, if there is room for it; raises what `carried` raises."""
    if message.reply_to_message is None or command is None or room < 1:
        return ()
    found = await carried(bot, message.reply_to_message, as_file=command.takes(Kind.FILE))
    return () if found is None else (found,)


async def carried(bot: telegram.Bot, message: Message, *, as_file: bool = False) -> bytes | None:
    """Return the picture that a message carries, or any file.

    Raises `BadPicture` where it is too large, `BadInput` where it does not come.
    """
    found = in_message(message, as_file=as_file)
    if found is None:
        return None
    handle, size = found
    if size > _MOST_GIVEN:
        raise BadPicture("picture-bytes", given=size, most=_MOST_GIVEN)
    for _ in range(_TRIES):
        with contextlib.suppress(TelegramError):
            return bytes(await (await bot.get_file(handle)).download_as_bytearray())
    raise BadInput("input-picture-fetch")

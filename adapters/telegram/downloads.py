"""Pictures that people send: as photos, as files, in albums, or in the message that they answer; and files that a command reads."""

import contextlib
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


async def meant(bot: telegram.Bot, message: Message, command: Command[Any] | None) -> bytes | None:
    """Return the picture that a message carries, or that the one it answers shows, where the command takes one; or the file that it reads.

    Raises what `carried` raises.
    """
    as_file = command is not None and command.takes(Kind.FILE)
    takes = as_file or (command is not None and command.takes(Kind.PICTURE))
    shown = message if in_message(message, as_file=as_file) is not None or not takes else message.reply_to_message
    return None if shown is None else await carried(bot, shown, as_file=as_file)


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

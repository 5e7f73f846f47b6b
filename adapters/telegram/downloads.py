"""Downloads images that users send: as photos, as files, in albums, or in the replied message; and files that a command reads."""

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

#: A read is safe to repeat, so a failed download is retried.
_TRIES = 3


def in_message(message: Message | None, *, as_file: bool = False) -> tuple[str, int] | None:
    """Return the file handle of the image in a message and its size in bytes if known, or `None`. `as_file`: accept any file."""
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
    """Return the images of a message and of the others of its album; for a command that reads a file, any files.

    At most one image more than the command takes is fetched: the bot then refuses it. Raises what `carried` raises.
    """
    as_file = command is not None and command.takes(Kind.FILE)
    most = (0 if as_file else 1) + (0 if command is None else len(command.attachments))
    holders = [one for one in messages if in_message(one, as_file=as_file) is not None][:most]
    found = [await carried(bot, one, as_file=as_file) for one in holders]
    return tuple(one for one in found if one is not None)


async def answered(bot: telegram.Bot, message: Message, command: Command[Any] | None, room: int) -> tuple[bytes, ...]:
    """Return the image, or the file, of the message that a message replies to, if there is room for it; raises what `carried` raises."""
    if message.reply_to_message is None or command is None or room < 1:
        return ()
    found = await carried(bot, message.reply_to_message, as_file=command.takes(Kind.FILE))
    return () if found is None else (found,)


async def carried(bot: telegram.Bot, message: Message, *, as_file: bool = False) -> bytes | None:
    """Return the image of a message, or any file.

    Raises `BadPicture` if it is too large, `BadInput` if the download fails.
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

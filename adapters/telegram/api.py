"""What is asked of Telegram about messages, and what its refusals mean."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import httpx
import telegram
from telegram import InlineKeyboardMarkup, InputMediaPhoto, LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from adapters.telegram import update_inbox
from adapters.telegram.media import File
from adapters.telegram.rate_limit import Busy, RateLimiter

T = TypeVar("T")

Keyboard = InlineKeyboardMarkup | None

#: What Telegram says, in small letters, of a message that is gone, of a chat that is closed to the bot, and of files that it takes not.
_GONE = (
    *("message to edit not found", "message to delete not found", "message to be replied not found"),
    *("message can't be edited", "message_id_invalid"),
)
_CLOSED = (
    *("chat not found", "not enough rights", "have no rights", "chat_write_forbidden", "need administrator rights", "user_is_blocked"),
    *("topic_closed", "topic_deleted", "message thread not found", "peer_id_invalid", "chat_restricted", "chat_send_"),
)
_TOO_LARGE = ("too big", "too large", "photo_invalid_dimensions", "image_process_failed", "photo_save_file_invalid")
_SAME, _NO_TEXT = "message is not modified", "there is no text in the message"

#: What certainly never left this computer.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

#: A link in somebody's words is not shown as a page below them.
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

#: How often what Telegram certainly did not take is told, after which pause, and the longest rest that is waited for when it asks for one.
_TRIES, _PAUSE_SECONDS, _LONGEST_REST = 3, 2.0, 120.0

#: How long Telegram is waited for: it may be slow with pictures, and whoever does not wait asks twice.
SECONDS, UPLOAD_SECONDS = 30.0, 90.0


class Gone(Exception):
    """The message is not there any more, or cannot be changed any more."""


class Closed(Exception):
    """The bot may write nothing there."""


class TooLarge(Exception):
    """Telegram does not take this file as a photo."""


class NoText(Exception):
    """The message is a picture: it has a caption and no text."""


class Moved(Exception):
    """The chat is called otherwise now."""

    def __init__(self, chat: int) -> None:
        super().__init__(chat)
        self.chat = chat


class Unreached(Exception):
    """Telegram was not reached: nothing has happened."""


class Silence(Exception):
    """Telegram did not answer: whether anything has happened, nobody knows."""


#: Everything that a message may be refused with, or lost by; all else that Telegram says is a `TelegramError`.
REFUSALS = (Gone, Closed, TooLarge, NoText, Moved, Busy, Unreached, Silence, TelegramError)


class TelegramApi:
    """The messages of the bot, within the budget of their chats. Everything raises one of `REFUSALS`.

    With a `patience`, in seconds, what its chat has no room for until then raises `Busy`. Without, it waits for as long as that takes,
    and what Telegram certainly did not take is told again: that is for what nobody would tell otherwise.
    """

    def __init__(self, bot: telegram.Bot, budget: RateLimiter, patience: float | None = None) -> None:
        self._bot = bot
        self._budget = budget
        self._patience = patience

    async def say(self, chat: int, html: str, keyboard: Any = None, *, thread: int = 0, asked: int = 0) -> Message:
        """Send a text."""
        return await self._told(
            chat,
            lambda: self._bot.send_message(
                chat,
                html,
                ParseMode.HTML,
                reply_markup=keyboard,
                message_thread_id=thread or None,
                reply_parameters=_answer(asked),
                link_preview_options=_NO_PREVIEW,
            ),
        )

    async def photo(self, chat: int, file: File, html: str, keyboard: Keyboard = None, *, thread: int = 0, asked: int = 0) -> Message:
        """Send a picture for the eye."""
        return await self._told(
            chat,
            lambda: self._bot.send_photo(
                chat,
                file.media,
                html,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard,
                message_thread_id=thread or None,
                reply_parameters=_answer(asked),
                has_spoiler=file.covered or None,
                filename=file.name,
            ),
        )

    async def album(self, chat: int, files: Sequence[File], *, thread: int = 0, asked: int = 0) -> tuple[Message, ...]:
        """Send up to 10 pictures as one album; one alone is none."""
        if len(files) == 1:
            return (await self.photo(chat, files[0], "", thread=thread, asked=asked),)
        media = [InputMediaPhoto(one.media, one.words, has_spoiler=one.covered or None, filename=one.name) for one in files]
        answer = _answer(asked)
        sent = lambda: self._bot.send_media_group(chat, media, message_thread_id=thread or None, reply_parameters=answer)  # noqa: E731
        return await self._told(chat, sent, len(files))

    async def document(self, chat: int, file: File, html: str, *, thread: int = 0, asked: int = 0) -> Message:
        """Send a file as it is."""
        return await self._told(
            chat,
            lambda: self._bot.send_document(
                chat,
                file.media,
                html,
                parse_mode=ParseMode.HTML,
                message_thread_id=thread or None,
                reply_parameters=_answer(asked),
                filename=file.name,
                disable_content_type_detection=True,
            ),
        )

    async def edit(self, chat: int, message: int, html: str, keyboard: Keyboard) -> Message | None:
        """Change the text of a message, or its caption where it is a picture; nothing is returned where it was so already."""
        more: Any = {"parse_mode": ParseMode.HTML, "reply_markup": keyboard}
        ask = lambda: self._bot.edit_message_text(html, chat, message, link_preview_options=_NO_PREVIEW, **more)  # noqa: E731
        try:
            return await self._changed(chat, ask)
        except NoText:
            return await self._changed(chat, lambda: self._bot.edit_message_caption(chat, message, caption=html, **more))

    async def edit_media(self, chat: int, message: int, file: File, html: str, keyboard: Keyboard) -> Message | None:
        """Put a picture into a message, whatever was in it; nothing is returned where it was there already."""
        media = InputMediaPhoto(file.media, html, ParseMode.HTML, has_spoiler=file.covered or None, filename=file.name)
        return await self._changed(chat, lambda: self._bot.edit_message_media(media, chat, message, reply_markup=keyboard))

    async def delete(self, chat: int, message: int) -> None:
        """Delete a message of the bot's own, where that may still be done."""
        await _asked(lambda: self._bot.delete_message(chat, message))

    async def react(self, chat: int, message: int, sign: str) -> None:
        """Set a small sign under what somebody wrote, or take it away; a chat may allow none."""
        with contextlib.suppress(*REFUSALS):
            await _asked(lambda: self._bot.set_message_reaction(chat, message, sign or None))

    async def answer(self, query: str, said: str = "", *, alert: bool = False, url: str = "") -> None:
        """Answer a press, which ends the waiting that is seen there; what comes too late is not missed."""
        with contextlib.suppress(*REFUSALS):
            await _asked(lambda: self._bot.answer_callback_query(query, said or None, bool(said) and alert, url or None))

    async def _told(self, chat: int, ask: Callable[[], Awaitable[T]], count: int = 1) -> T:
        tries = _TRIES if self._patience is None else 1
        while True:
            tries -= 1
            await self._turn(chat, count)
            try:
                return await _asked(ask)
            except Busy as busy:
                self._budget.rest(chat, busy.seconds)
                if not tries or busy.seconds > _LONGEST_REST:
                    raise
            except Unreached:
                if not tries:
                    raise
                async with update_inbox.aside():
                    await asyncio.sleep(_PAUSE_SECONDS)

    async def _turn(self, chat: int, count: int) -> None:
        """Wait for the turn of a chat."""
        try:
            await self._budget.turn(chat, count, self._patience or 0.0)
        except Busy:
            if self._patience is not None:
                raise
            async with update_inbox.aside():
                await self._budget.turn(chat, count)

    async def _changed(self, chat: int, ask: Callable[[], Awaitable[Message | bool]]) -> Message | None:
        try:
            changed = await self._told(chat, ask)
        except BadRequest as error:
            if _SAME in error.message.lower():
                return None
            raise
        return changed if isinstance(changed, Message) else None


def _answer(asked: int) -> ReplyParameters | None:
    """Return how a message is answered; one that was deleted meanwhile is not missed."""
    return ReplyParameters(asked, allow_sending_without_reply=True) if asked else None


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except RetryAfter as error:
        after = error.retry_after
        raise Busy(float(after if isinstance(after, int) else after.total_seconds())) from None
    except ChatMigrated as error:
        raise Moved(error.new_chat_id) from None
    except Forbidden:
        raise Closed from None
    except BadRequest as error:
        _refuse(error.message.lower())
        raise
    except InvalidToken:
        # Also where the bot's own token was changed, until it is told the new one.
        raise Unreached("the token is not known") from None
    except NetworkError as error:
        if "(413)" in error.message or "too large" in error.message.lower():
            raise TooLarge from None
        if isinstance(error.__cause__, _NEVER_LEFT):
            raise Unreached(type(error.__cause__).__name__) from None
        raise Silence(type(error).__name__) from None


def _refuse(said: str) -> None:
    """Raise what a refusal means, where it means something here."""
    if any(one in said for one in _GONE):
        raise Gone from None
    if any(one in said for one in _CLOSED):
        raise Closed from None
    if any(one in said for one in _TOO_LARGE):
        raise TooLarge from None
    if _NO_TEXT in said:
        raise NoText from None

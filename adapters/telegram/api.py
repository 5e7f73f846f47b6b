"""The Telegram requests for messages, and the errors for Telegram's refusals."""

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

#: Telegram's texts, in lower case, for a deleted message, for a chat closed to the bot, and for files that it does not accept.
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

#: Errors with which the request certainly never left this computer.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

#: A link in a user's text shows no page preview below it.
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

#: How often a message that Telegram certainly did not receive is retried, after which pause, and the longest rest that is waited for.
_TRIES, _PAUSE_SECONDS, _LONGEST_REST = 3, 2.0, 120.0

#: How long to wait for Telegram: it may be slow with images, and a shorter wait would send the request twice.
SECONDS, UPLOAD_SECONDS = 30.0, 90.0


class Gone(Exception):
    """The message is deleted, or cannot be changed any more."""


class Closed(Exception):
    """The bot may not write in this chat."""


class TooLarge(Exception):
    """Telegram does not accept this file as a photo."""


class NoText(Exception):
    """The message is an image: it has a caption and no text."""


class Moved(Exception):
    """The chat has a new id."""

    def __init__(self, chat: int) -> None:
        super().__init__(chat)
        self.chat = chat


class Unreached(Exception):
    """Telegram was not reached: nothing has happened."""


class Silence(Exception):
    """Telegram did not answer: it is unknown whether anything has happened."""


#: Every error with which a message may be refused or lost; all other errors of Telegram are a `TelegramError`.
REFUSALS = (Gone, Closed, TooLarge, NoText, Moved, Busy, Unreached, Silence, TelegramError)


class TelegramApi:
    """Sends and changes the bot's messages, within the rate limit of their chats. Everything raises one of `REFUSALS`.

    With a `patience`, in seconds, a request that would wait longer for its chat's limit raises `Busy`. Without, it waits as long as needed,
    and retries what Telegram certainly did not receive: that is for messages that are sent only once.
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
        """Send an image as a photo."""
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
        """Send up to 10 images as one album; a single image is no album."""
        if len(files) == 1:
            return (await self.photo(chat, files[0], "", thread=thread, asked=asked),)
        media = [InputMediaPhoto(one.media, one.words, has_spoiler=one.covered or None, filename=one.name) for one in files]
        answer = _answer(asked)
        sent = lambda: self._bot.send_media_group(chat, media, message_thread_id=thread or None, reply_parameters=answer)  # noqa: E731
        return await self._told(chat, sent, len(files))

    async def document(self, chat: int, file: File, html: str, *, thread: int = 0, asked: int = 0) -> Message:
        """Send a file unchanged."""
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
        """Change the text of a message, or its caption if it is an image; return `None` if it was unchanged."""
        more: Any = {"parse_mode": ParseMode.HTML, "reply_markup": keyboard}
        ask = lambda: self._bot.edit_message_text(html, chat, message, link_preview_options=_NO_PREVIEW, **more)  # noqa: E731
        try:
            return await self._changed(chat, ask)
        except NoText:
            return await self._changed(chat, lambda: self._bot.edit_message_caption(chat, message, caption=html, **more))

    async def edit_media(self, chat: int, message: int, file: File, html: str, keyboard: Keyboard) -> Message | None:
        """Put an image into a message, whatever was in it; return `None` if it was already there."""
        media = InputMediaPhoto(file.media, html, ParseMode.HTML, has_spoiler=file.covered or None, filename=file.name)
        return await self._changed(chat, lambda: self._bot.edit_message_media(media, chat, message, reply_markup=keyboard))

    async def delete(self, chat: int, message: int) -> None:
        """Delete a message of the bot, if that is still possible."""
        await _asked(lambda: self._bot.delete_message(chat, message))

    async def react(self, chat: int, message: int, sign: str) -> None:
        """Set a reaction on a user's message, or remove it; a chat may allow none."""
        with contextlib.suppress(*REFUSALS):
            await _asked(lambda: self._bot.set_message_reaction(chat, message, sign or None))

    async def answer(self, query: str, said: str = "", *, alert: bool = False, url: str = "") -> None:
        """Answer a button press, which ends its loading state; a late answer is dropped."""
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
        """Wait for the rate limit of a chat."""
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
    """Return the reply parameters for a message; a message deleted meanwhile is ignored."""
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
        # Also if the bot's own token was changed, until it is configured with the new token.
        raise Unreached("the token is not known") from None
    except NetworkError as error:
        if "(413)" in error.message or "too large" in error.message.lower():
            raise TooLarge from None
        if isinstance(error.__cause__, _NEVER_LEFT):
            raise Unreached(type(error.__cause__).__name__) from None
        raise Silence(type(error).__name__) from None


def _refuse(said: str) -> None:
    """Raise the error for a refusal, if it has a meaning here."""
    if any(one in said for one in _GONE):
        raise Gone from None
    if any(one in said for one in _CLOSED):
        raise Closed from None
    if any(one in said for one in _TOO_LARGE):
        raise TooLarge from None
    if _NO_TEXT in said:
        raise NoText from None

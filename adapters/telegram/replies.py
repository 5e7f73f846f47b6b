"""Shows replies of commands in a chat."""

import logging
from collections.abc import Iterable, Sequence

import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.helpers import create_deep_linked_url

from adapters.base import Bot
from adapters.telegram import deep_links, forms, media, render
from adapters.telegram.api import REFUSALS, Closed, TelegramApi
from adapters.telegram.delivery import Sender
from adapters.telegram.file_id_cache import FileIdCache, Found
from adapters.telegram.media import File
from adapters.telegram.message_ref import SentMessage, is_group
from bot.commands.images import info
from bot.framework.reply import Form, Reply
from bot.i18n.translate import speaking, text

log = logging.getLogger("easel.telegram")

#: With more images than this, the actions of each are shown on request.
_MOST_DEEDS = 4

_NUMBERS = 5


class Replies:
    """Shows replies of commands. Everything raises `REFUSALS`."""

    def __init__(self, bot: Bot, api: telegram.Bot, posts: TelegramApi, sender: Sender, photos: FileIdCache) -> None:
        self.bot = bot
        self.api = api
        self.posts = posts
        self._sender = sender
        self._photos = photos

    async def tell(self, chat: int, ref: SentMessage, said: str) -> None:
        """Send a sentence in answer to a user's message."""
        (html, *_) = render.pages([render.StatusLine(line) for line in said.splitlines()], render.MOST_TEXT)
        await self.posts.say(chat, html, thread=ref.thread, asked=ref.asked)

    async def show(self, chat: int, ref: SentMessage, reply: Reply) -> None:
        """Show a reply in a chat, for all its members."""
        for job_id in reply.jobs:
            await self._place(job_id)
        await self.refresh(reply.refresh)
        if reply.form is not None:
            await self._form(chat, ref, reply.form)
        elif reply.text or reply.facts or reply.pictures or reply.files:
            await self._said(chat, ref, reply)

    async def show_privately(self, chat: int, ref: SentMessage, reply: Reply, line: str) -> None:
        """Show a reply only to the caller; if the bot may not write to them, show a link in the chat to the chat with the bot."""
        if not is_group(chat):
            await self.show(chat, ref, reply)
        elif not ref.user:
            await self.refresh(reply.refresh)
            await self._open(chat, ref, line, text("telegram-nobody"))
        else:
            try:
                await self.show(ref.user, SentMessage(user=ref.user), reply)
            except Closed:
                await self._open(chat, ref, line, text("telegram-private"))

    async def post(self, chat: int, thread: int, reply: Reply) -> str:
        """Send an unsolicited message, and return its Telegram id.

        The text comes first: once it is sent the message counts as sent, and images lost after that are not worth sending it again.
        """
        html, *_ = render.pages(render.reply_lines(reply), render.MOST_TEXT)
        found = await self._photos.found(reply.pictures)
        sent = await self.posts.say(chat, html, _markup(reply), thread=thread)
        try:
            for chunk in media.chunks(found):
                await self._photos.send(chunk, lambda files: self.posts.album(chat, files, thread=thread, asked=sent.message_id))
        except REFUSALS as error:
            log.warning("telegram.not_shown message=%s reason=%s", sent.message_id, type(error).__name__)
        return str(sent.message_id)

    async def _open(self, chat: int, ref: SentMessage, line: str, said: str) -> None:
        """Show a link to the chat with the bot, which continues there with a line."""
        url = create_deep_linked_url(self.api.username, deep_links.payload(line, self.bot.app) or None)
        markup = InlineKeyboardMarkup([[InlineKeyboardButton(text("telegram-open"), url=url)]])
        html = render.pages([render.StatusLine(said)], render.MOST_TEXT)[0]
        await self.posts.say(chat, html, markup, thread=ref.thread, asked=ref.asked)

    async def _form(self, chat: int, ref: SentMessage, form: Form) -> None:
        """Show a form, which is for the caller only; if the caller is unknown, show a link to the private chat."""
        if is_group(chat) and not ref.user:
            await self._open(chat, ref, "", text("telegram-nobody"))
            return
        html, markup = forms.shown(form, ref.user)
        await self.posts.say(chat, html, markup, thread=ref.thread, asked=ref.asked)

    async def refresh(self, jobs: Iterable[str]) -> None:
        """Show the jobs again that a command changed."""
        for job in dict.fromkeys(jobs):
            await self.bot.refresh(job)

    async def _place(self, job_id: str) -> None:
        """Show a job that was just accepted; changes from before it had a message are shown after that."""
        jobs = self.bot.app.store.jobs
        if (job := await jobs.get(job_id)) is None:
            return
        # The message is for the whole chat, as are all that follow it, and so in the language of the job.
        with speaking(job.language):
            await self._sender.channel(await self.bot.card(job))
        if (now := await jobs.get(job_id)) is not None and now.state != job.state:
            await self.bot.refresh(job_id)

    async def _said(self, chat: int, ref: SentMessage, reply: Reply) -> None:
        if reply.whole:
            await self._whole(chat, ref, reply)
            return
        found = await self._photos.found(reply.pictures)
        markup = _markup(reply)
        lines = render.reply_lines(reply) or [render.StatusLine(text("telegram-done"))]
        if len(found) == 1:
            first, *more = render.pages(lines, render.MOST_CAPTION)
            await self._photo(chat, ref, found, first, None if more else markup)
        else:
            for chunk in media.chunks(found):
                await self._photos.send(chunk, lambda files: self.posts.album(chat, files, thread=ref.thread, asked=ref.asked))
            more = render.pages(lines, render.MOST_TEXT)
        for number, page in enumerate(more, 1):
            await self.posts.say(chat, page, markup if number == len(more) else None, thread=ref.thread, asked=ref.asked)
        for one in reply.files:
            send = self.posts.photo if one.is_picture else self.posts.document
            await send(chat, File(one.name, one.data, covered=one.covered), "", thread=ref.thread, asked=ref.asked)

    async def _whole(self, chat: int, ref: SentMessage, reply: Reply) -> None:
        """Send images as files, which Telegram does not recompress."""
        for one in reply.pictures:
            if (whole := await media.original(self.bot.app.store.files, one)) is not None:
                await self.posts.document(chat, whole, "", thread=ref.thread, asked=ref.asked)

    async def _photo(self, chat: int, ref: SentMessage, found: Found, html: str, markup: InlineKeyboardMarkup | None) -> None:
        async def ask(files: Sequence[File]) -> tuple[Message]:
            return (await self.posts.photo(chat, files[0], html, markup, thread=ref.thread, asked=ref.asked),)

        await self._photos.send(found, ask)


def _markup(reply: Reply) -> InlineKeyboardMarkup | None:
    """Return the buttons of a reply, and those of its images; for many images only their numbers, which show more of each."""
    if len(reply.pictures) <= 1:
        return render.keyboard((*reply.buttons, *(button for one in reply.pictures for button in render.deeds(one))))
    if len(reply.pictures) <= _MOST_DEEDS:
        return render.markup([*render.numbered(reply.pictures), *render.rows(reply.buttons)])
    numbers = [InlineKeyboardButton(str(number), callback_data=info.wire(picture=one.id)) for number, one in enumerate(reply.pictures, 1)]
    rows = [numbers[first : first + _NUMBERS] for first in range(0, len(numbers), _NUMBERS)]
    return render.markup([*rows, *render.rows(reply.buttons)])

"""Shows job views: in their own message, and in a private message if their chat is closed."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from weakref import WeakValueDictionary

import msgspec
from telegram import InlineKeyboardMarkup, Message

from adapters.telegram import media, render
from adapters.telegram.api import REFUSALS, Closed, Gone, Moved, Silence, TelegramApi, TooLarge, Unreached
from adapters.telegram.file_id_cache import FileIdCache
from adapters.telegram.media import File
from adapters.telegram.message_ref import SentMessage, chat_of, renamed, spot_of
from adapters.telegram.rate_limit import Busy
from adapters.telegram.render import StatusLine
from bot.commands.queue import resend
from bot.core.values import MessageRef
from bot.framework.reply import Shown
from bot.i18n.translate import text
from bot.jobs.delivery import Later, Outcome, OutgoingResult, Refused, Sent, Unknown
from bot.store.jobs.outbox import SENDING, TODO, UNKNOWN
from bot.store.store import Store
from bot.views.job_card import JobView

log = logging.getLogger("easel.telegram")

#: Reactions on a request's message while it is generated.
HEARD = "✍"

#: Delays before checking again whether a view that is being sent has appeared.
_PLACING_SECONDS = 2.0


class Sender:
    """Shows job views in Telegram, for one bot.

    A request has its own message from the moment it was accepted; every later state is put into that message, which can be repeated
    safely. Only an album cannot replace a message: the user is asked whether it arrived if Telegram did not confirm. `patient` sends
    messages that are sent only once; messages that can be sent later do not wait here.
    """

    def __init__(self, store: Store, posts: TelegramApi, patient: TelegramApi, photos: FileIdCache, bot: int) -> None:
        self._store = store
        self._posts = posts
        self._patient = patient
        self._bot = bot
        self._ending = Ending(posts, photos, self._place)
        self._patient_ending = Ending(patient, photos, self._place)
        # A lock lives for as long as a task waits for it.
        self._placing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def channel(self, card: JobView) -> None:
        """Show a request that was just accepted. Raises `REFUSALS`."""
        async with self._lock(card.job):
            job = await self._store.jobs.get(card.job)
            if job is None:
                return
            chat, ref = self._where(job.address)
            if not ref.message:
                await self._begin(self._patient, card, chat, ref)
        await self._signed(job.address, HEARD)

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Change the message of a job view. Raises `REFUSALS`."""
        chat, ref = self._where(address)
        if not ref.message:
            return
        if not card.is_open:
            delivery = await self._store.outbox.of_job(card.job)
            # If the message asks whether images have arrived, the question stays; news about an album comes after it.
            is_coming = len(card.pictures) > 1 and not ref.album
            if delivery is None or delivery.state not in ((UNKNOWN, TODO, SENDING) if is_coming else (UNKNOWN,)):
                await self._patient_ending.put(card, chat, ref)
        elif card.count == 1 and card.progress is not None and card.progress.preview is not None:
            preview = File(media.PREVIEW, card.progress.preview, covered=card.covered)
            html = render.pages(render.lines_of(card), render.MOST_CAPTION)[0]
            await self._posts.edit_media(chat, ref.message, preview, html, render.keyboard_of(card))
        else:
            await self._posts.edit(chat, ref.message, render.html_of(card), render.keyboard_of(card))

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended, once."""
        lock = self._lock(outgoing.card.job)
        if lock.locked():
            return Later("message pending", _PLACING_SECONDS)
        async with lock:
            # Read here: its message may have appeared meanwhile.
            job = await self._store.jobs.get(outgoing.card.job)
            if job is None:
                return Sent()
            try:
                outcome = await self._tried(outgoing, job.address)
            except Moved as moved:
                new = msgspec.structs.replace(job.address, channel=str(moved.chat))
                await self._store.channels.moved(job.address, new, renamed)
                return Later("chat moved")
            except Busy as busy:
                return Later(busy.reason, busy.seconds)
            except Unreached as error:
                return Later(str(error))
            except Silence as error:
                return Later(str(error), unsure=True)
        await self._signed(job.address, "")
        return outcome

    async def _tried(self, outgoing: OutgoingResult, address: MessageRef) -> Outcome:
        """Show how a job ended, if possible; else report that it has ended."""
        chat, ref = self._where(address)
        private = SentMessage(user=ref.user, home=ref.user, bot=self._bot)
        try:
            try:
                return await self._delivered(outgoing, chat, ref)
            except Closed:
                if ref.user in (0, chat):
                    return Refused("closed")
            return await self._delivered(outgoing, ref.user, private)
        except Closed:
            return Refused("closed")
        except (Moved, Busy, Unreached, Silence):
            raise
        except REFUSALS as error:
            log.error("telegram.refused job=%s reason=%s", outgoing.card.job, type(error).__name__)
            return await self._refused(outgoing.card, type(error).__name__)

    async def _refused(self, card: JobView, reason: str) -> Outcome:
        """Tell the user where to get a result that Telegram does not accept."""
        if (job := await self._store.jobs.get(card.job)) is not None:
            with contextlib.suppress(Gone, Closed):
                try:
                    await self._ending.refused(card, *self._where(job.address))
                except (Busy, Moved, Unreached, Silence):
                    raise
                except REFUSALS as error:
                    log.error("telegram.unsaid job=%s reason=%s", card.job, type(error).__name__)
        return Refused(reason)

    async def _delivered(self, outgoing: OutgoingResult, chat: int, ref: SentMessage) -> Outcome:
        card = outgoing.card
        arrived = {index for index, _ in ref.album}
        missing = [one for one in card.pictures if one.index not in arrived]
        if missing and (len(card.pictures) > 1 or ref.album):
            if outgoing.unsure:
                await self._ask(card, chat, ref)
                return Unknown("no confirmation")
            ref = await self._ending.album(card.job, missing, chat, ref)
        if ref.message:
            try:
                await self._ending.put(card, chat, ref)
            except Gone:
                log.info("telegram.message_left job=%s", card.job)
            else:
                return Sent(str(ref.message))
        # First the text and then the image: a repeated send would be seen twice, a repeated edit is not.
        ref = await self._begin(self._posts, card, chat, ref)
        await self._ending.put(card, chat, ref)
        return Sent(str(ref.message))

    async def _begin(self, posts: TelegramApi, card: JobView, chat: int, ref: SentMessage) -> SentMessage:
        """Send the message of a job view and store its id."""
        html = render.pages(lines_of(card, ref), render.MOST_TEXT)[0]
        sent = await posts.say(chat, html, render.keyboard_of(card), thread=ref.thread, asked=ref.asked)
        ref = msgspec.structs.replace(ref, message=sent.message_id, bot=self._bot)
        await self._place(card.job, ref)
        return ref

    async def _ask(self, card: JobView, chat: int, ref: SentMessage) -> None:
        """Ask the user whether images have arrived, and send them again if the user answers that they have not."""
        html = render.pages([render.StatusLine(text("telegram-unsure", words=card.words))], render.MOST_TEXT)[0]
        buttons = render.keyboard([resend.button("button-resend", job=card.job)])
        if ref.message:
            with contextlib.suppress(Gone):
                await self._posts.edit(chat, ref.message, html, buttons)
                return
        sent = await self._posts.say(chat, html, buttons, thread=ref.thread, asked=ref.asked)
        await self._place(card.job, msgspec.structs.replace(ref, message=sent.message_id, bot=self._bot))

    async def _signed(self, address: MessageRef, sign: str) -> None:
        """Set a reaction on a request's message, or remove it."""
        chat, ref = chat_of(address), spot_of(address, self._bot)
        if ref.signs:
            await self._posts.react(chat, ref.asked, sign)

    async def _place(self, job: str, ref: SentMessage) -> None:
        """Store where a job is shown now."""
        await self._store.jobs.placed(job, ref.written)

    def _where(self, address: MessageRef) -> tuple[int, SentMessage]:
        """Return where a job is shown: the chat, and the messages in it."""
        ref = spot_of(address, self._bot)
        return ref.home or chat_of(address), ref

    def _lock(self, job: str) -> asyncio.Lock:
        return self._placing.setdefault(job, asyncio.Lock())


log = logging.getLogger("easel.telegram")

#: Stores where a job is shown now.
Place = Callable[[str, SentMessage], Awaitable[None]]


class Ending:
    """Shows how jobs ended. Everything raises `REFUSALS`."""

    def __init__(self, posts: TelegramApi, photos: FileIdCache, channel: Place) -> None:
        self._posts = posts
        self._photos = photos
        self._place = channel

    async def put(self, card: JobView, chat: int, ref: SentMessage) -> None:
        """Show how a job ended in its message."""
        lines, buttons = lines_of(card, ref), render.keyboard_of(card)
        if len(card.pictures) == 1 and not ref.album:
            await self._pictured(card.pictures[0], chat, ref, lines, buttons)
            return
        await self._clear(card, chat, ref)
        html = render.pages(lines, render.MOST_TEXT)[0]
        if not card.pictures and card.state == "done" and not ref.album:
            await self._posts.edit_media(chat, ref.message, media.tile(), html, buttons)
        else:
            await self._posts.edit(chat, ref.message, html, buttons)

    async def album(self, job: str, pictures: Sequence[Shown], chat: int, ref: SentMessage) -> SentMessage:
        """Send several images as albums, and store the messages of each as soon as it has arrived."""
        ask = partial(self._posts.album, chat, thread=ref.thread, asked=ref.message or ref.asked)
        for chunk in media.chunks(await self._photos.found(pictures, whole=True)):
            sent = await self._photos.send(chunk, ask)
            arrived = [(one.index, message.message_id) for one, message in sent if message is not None]
            ref = msgspec.structs.replace(ref, album=(*ref.album, *arrived))
            await self._place(job, ref)
        return ref

    async def refused(self, card: JobView, chat: int, ref: SentMessage) -> None:
        """Report in the message of a job that it has ended, if Telegram accepts nothing more of it."""
        html = render.pages(lines_of(card, ref, text("telegram-refused") if card.pictures else ""), render.MOST_CAPTION)[0]
        if ref.message:
            await self._posts.edit(chat, ref.message, html, render.keyboard_of(card))
        else:
            await self._posts.say(chat, html, render.keyboard_of(card), thread=ref.thread, asked=ref.asked)

    async def _pictured(
        self, one: Shown, chat: int, ref: SentMessage, lines: Sequence[StatusLine], buttons: InlineKeyboardMarkup | None
    ) -> None:
        """Put an image into a message, and if Telegram does not accept the photo the text alone."""
        first, *more = render.pages(lines, render.MOST_CAPTION)
        note = ""
        try:
            if found := await self._photos.found([one]):
                ((_, changed),) = await self._photos.send(
                    found, lambda files: _alone(self._posts.edit_media(chat, ref.message, files[0], first, buttons))
                )
                if changed is not None:
                    await self._continued(chat, ref, more)
                return
        except TooLarge:
            log.warning("telegram.no_photo picture=%s", one.id)
            note = f"\n{text('telegram-no-photo')}"
        await self._posts.edit(chat, ref.message, f"{first}{note}", buttons)

    async def _continued(self, chat: int, ref: SentMessage, pages: Sequence[str]) -> None:
        """Send the text that exceeds the caption; it is in the settings of the image too, so a lost page does no harm."""
        with contextlib.suppress(*REFUSALS):
            for page in pages:
                await self._posts.say(chat, page, thread=ref.thread, asked=ref.message)

    async def _clear(self, card: JobView, chat: int, ref: SentMessage) -> None:
        """Remove deleted images from an album: delete their messages if possible, else replace their content."""
        left = {one.index for one in card.pictures}
        for message in (message for index, message in ref.album if index not in left):
            try:
                await self._posts.delete(chat, message)
            except Gone:
                continue
            except REFUSALS:
                with contextlib.suppress(*REFUSALS):
                    await self._posts.edit_media(chat, message, media.tile(), "", None)


def lines_of(card: JobView, ref: SentMessage, note: str = "") -> list[StatusLine]:
    """Return the text lines of a job view for its message."""
    return render.lines_of(card, note or (text("telegram-closed") if ref.home else ""))


async def _alone(asked: Awaitable[Message | None]) -> tuple[Message | None]:
    return (await asked,)

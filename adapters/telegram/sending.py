"""Showing cards: in the message that is there for them, and privately where their chat is closed."""

import asyncio
import contextlib
import logging
from weakref import WeakValueDictionary

import msgspec

from adapters.telegram import files as packing
from adapters.telegram import outbound
from adapters.telegram.budget import Busy
from adapters.telegram.ending import Ending, lines_of
from adapters.telegram.files import File
from adapters.telegram.photos import Photos
from adapters.telegram.posts import REFUSALS, Closed, Gone, Moved, Posts, Silence, Unreached
from adapters.telegram.spots import Spot, chat_of, renamed, spot_of
from bot.cards import Card
from bot.commands.waiting import resend
from bot.jobs.delivery import Later, Outcome, Parcel, Refused, Sent, Unknown
from bot.store.outbox import SENDING, TODO, UNKNOWN
from bot.store.store import Store
from bot.texts import text
from bot.values import Address

log = logging.getLogger("easel.telegram")

#: Signs under what somebody asked for, while it is painted.
HEARD = "✍"

#: When it is looked again whether a card has appeared that is on its way.
_PLACING_SECONDS = 2.0


class Sender:
    """Shows cards in Telegram, for one bot.

    A request has a message of its own from the moment it was accepted; what comes later is put into it, which may be done again
    and again. Only an album cannot be put into anything: whether it arrived is asked where nobody heard. `patient` tells what nobody
    would tell another time; what can be told later does not wait here.
    """

    def __init__(self, store: Store, posts: Posts, patient: Posts, photos: Photos, bot: int) -> None:
        self._store = store
        self._posts = posts
        self._patient = patient
        self._bot = bot
        self._ending = Ending(posts, photos, self._place)
        self._patient_ending = Ending(patient, photos, self._place)
        # A lock lives for as long as somebody waits for it.
        self._placing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def place(self, card: Card) -> None:
        """Show a request that was just accepted. Raises `REFUSALS`."""
        async with self._lock(card.job):
            job = await self._store.jobs.get(card.job)
            if job is None:
                return
            chat, spot = self._where(job.address)
            if not spot.message:
                await self._begin(self._patient, card, chat, spot)
        await self._signed(job.address, HEARD)

    async def show(self, card: Card, address: Address) -> None:
        """Change the message of a card. Raises `REFUSALS`."""
        chat, spot = self._where(address)
        if not spot.message:
            return
        if not card.is_open:
            delivery = await self._store.outbox.of_job(card.job)
            # Where it is asked whether pictures have arrived, the question stays; what is said of an album comes behind it.
            is_coming = len(card.pictures) > 1 and not spot.album
            if delivery is None or delivery.state not in ((UNKNOWN, TODO, SENDING) if is_coming else (UNKNOWN,)):
                await self._patient_ending.put(card, chat, spot)
        elif card.count == 1 and card.progress is not None and card.progress.preview is not None:
            preview = File(packing.PREVIEW, card.progress.preview, covered=card.covered)
            html = outbound.pages(outbound.lines_of(card), outbound.MOST_CAPTION)[0]
            await self._posts.edit_media(chat, spot.message, preview, html, outbound.keyboard_of(card))
        else:
            await self._posts.edit(chat, spot.message, outbound.html_of(card), outbound.keyboard_of(card))

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Show how a job ended, once."""
        lock = self._lock(parcel.card.job)
        if lock.locked():
            return Later("being placed", _PLACING_SECONDS)
        async with lock:
            # Read here: its message may have appeared meanwhile.
            job = await self._store.jobs.get(parcel.card.job)
            if job is None:
                return Sent()
            try:
                outcome = await self._tried(parcel, job.address)
            except Moved as moved:
                new = msgspec.structs.replace(job.address, place=str(moved.chat))
                await self._store.people.moved(job.address, new, renamed)
                return Later("chat moved")
            except Busy as busy:
                return Later(busy.reason, busy.seconds)
            except Unreached as error:
                return Later(str(error))
            except Silence as error:
                return Later(str(error), unsure=True)
        await self._signed(job.address, "")
        return outcome

    async def _tried(self, parcel: Parcel, address: Address) -> Outcome:
        """Show how a job ended, where that is possible; else say that it has."""
        chat, spot = self._where(address)
        private = Spot(user=spot.user, home=spot.user, bot=self._bot)
        try:
            try:
                return await self._delivered(parcel, chat, spot)
            except Closed:
                if spot.user in (0, chat):
                    return Refused("closed")
            return await self._delivered(parcel, spot.user, private)
        except Closed:
            return Refused("closed")
        except (Moved, Busy, Unreached, Silence):
            raise
        except REFUSALS as error:
            log.error("telegram.refused job=%s reason=%s", parcel.card.job, type(error).__name__)
            return await self._refused(parcel.card, type(error).__name__)

    async def _refused(self, card: Card, reason: str) -> Outcome:
        """Say of what Telegram does not take where it can be had all the same."""
        if (job := await self._store.jobs.get(card.job)) is not None:
            with contextlib.suppress(Gone, Closed):
                try:
                    await self._ending.refused(card, *self._where(job.address))
                except (Busy, Moved, Unreached, Silence):
                    raise
                except REFUSALS as error:
                    log.error("telegram.unsaid job=%s reason=%s", card.job, type(error).__name__)
        return Refused(reason)

    async def _delivered(self, parcel: Parcel, chat: int, spot: Spot) -> Outcome:
        card = parcel.card
        arrived = {index for index, _ in spot.album}
        missing = [one for one in card.pictures if one.index not in arrived]
        if missing and (len(card.pictures) > 1 or spot.album):
            if parcel.unsure:
                await self._ask(card, chat, spot)
                return Unknown("not heard of")
            spot = await self._ending.album(card.job, missing, chat, spot)
        if spot.message:
            try:
                await self._ending.put(card, chat, spot)
            except Gone:
                log.info("telegram.message_left job=%s", card.job)
            else:
                return Sent(str(spot.message))
        # First words and then the picture: what was sent twice would be seen twice, what is changed twice is not.
        spot = await self._begin(self._posts, card, chat, spot)
        await self._ending.put(card, chat, spot)
        return Sent(str(spot.message))

    async def _begin(self, posts: Posts, card: Card, chat: int, spot: Spot) -> Spot:
        """Send the message of a card and remember it."""
        html = outbound.pages(lines_of(card, spot), outbound.MOST_TEXT)[0]
        sent = await posts.say(chat, html, outbound.keyboard_of(card), thread=spot.thread, asked=spot.asked)
        spot = msgspec.structs.replace(spot, message=sent.message_id, bot=self._bot)
        await self._place(card.job, spot)
        return spot

    async def _ask(self, card: Card, chat: int, spot: Spot) -> None:
        """Ask a person whether pictures have arrived, and send them again when they say that they have not."""
        html = outbound.pages([outbound.Line(text("telegram-unsure", words=card.words))], outbound.MOST_TEXT)[0]
        buttons = outbound.keyboard([resend.button("button-resend", job=card.job)])
        if spot.message:
            with contextlib.suppress(Gone):
                await self._posts.edit(chat, spot.message, html, buttons)
                return
        sent = await self._posts.say(chat, html, buttons, thread=spot.thread, asked=spot.asked)
        await self._place(card.job, msgspec.structs.replace(spot, message=sent.message_id, bot=self._bot))

    async def _signed(self, address: Address, sign: str) -> None:
        """Set a sign under what somebody asked for, or take it away."""
        chat, spot = chat_of(address), spot_of(address, self._bot)
        if spot.signs:
            await self._posts.react(chat, spot.asked, sign)

    async def _place(self, job: str, spot: Spot) -> None:
        """Remember where a job is shown now."""
        await self._store.jobs.placed(job, spot.written)

    def _where(self, address: Address) -> tuple[int, Spot]:
        """Return where a job is shown: the chat, and the messages in it."""
        spot = spot_of(address, self._bot)
        return spot.home or chat_of(address), spot

    def _lock(self, job: str) -> asyncio.Lock:
        return self._placing.setdefault(job, asyncio.Lock())

"""How a job ended, put into the messages that are there for it: what is done twice looks as if it was done once."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
from telegram import InlineKeyboardMarkup, Message

from adapters.telegram import files as packing
from adapters.telegram import outbound
from adapters.telegram.outbound import Line
from adapters.telegram.photos import Photos
from adapters.telegram.posts import REFUSALS, Gone, Posts, TooLarge
from adapters.telegram.spots import Spot
from bot.cards import Card
from bot.reply import Shown
from bot.texts import text

log = logging.getLogger("easel.telegram")

#: Remembers where a job is shown now.
Place = Callable[[str, Spot], Awaitable[None]]


class Ending:
    """Puts ends where they belong. Everything raises `REFUSALS`."""

    def __init__(self, posts: Posts, photos: Photos, place: Place) -> None:
        self._posts = posts
        self._photos = photos
        self._place = place

    async def put(self, card: Card, chat: int, spot: Spot) -> None:
        """Put how a job ended into its message."""
        lines, buttons = lines_of(card, spot), outbound.keyboard_of(card)
        if len(card.pictures) == 1 and not spot.album:
            await self._pictured(card.pictures[0], chat, spot, lines, buttons)
            return
        await self._clear(card, chat, spot)
        html = outbound.pages(lines, outbound.MOST_TEXT)[0]
        if not card.pictures and card.state == "done" and not spot.album:
            await self._posts.edit_media(chat, spot.message, packing.tile(), html, buttons)
        else:
            await self._posts.edit(chat, spot.message, html, buttons)

    async def album(self, job: str, pictures: Sequence[Shown], chat: int, spot: Spot) -> Spot:
        """Send several pictures as albums, and remember each as soon as it has arrived."""
        ask = partial(self._posts.album, chat, thread=spot.thread, asked=spot.message or spot.asked)
        for chunk in packing.chunks(await self._photos.found(pictures, whole=True)):
            sent = await self._photos.send(chunk, ask)
            arrived = [(one.index, message.message_id) for one, message in sent if message is not None]
            spot = msgspec.structs.replace(spot, album=(*spot.album, *arrived))
            await self._place(job, spot)
        return spot

    async def refused(self, card: Card, chat: int, spot: Spot) -> None:
        """Say in its message of a job that it has ended, where Telegram takes nothing more of it."""
        html = outbound.pages(lines_of(card, spot, text("telegram-refused") if card.pictures else ""), outbound.MOST_CAPTION)[0]
        if spot.message:
            await self._posts.edit(chat, spot.message, html, outbound.keyboard_of(card))
        else:
            await self._posts.say(chat, html, outbound.keyboard_of(card), thread=spot.thread, asked=spot.asked)

    async def _pictured(self, one: Shown, chat: int, spot: Spot, lines: Sequence[Line], buttons: InlineKeyboardMarkup | None) -> None:
        """Put a picture into a message, and where Telegram takes no such photo the words alone."""
        first, *more = outbound.pages(lines, outbound.MOST_CAPTION)
        note = ""
        try:
            if found := await self._photos.found([one]):
                ((_, changed),) = await self._photos.send(
                    found, lambda files: _alone(self._posts.edit_media(chat, spot.message, files[0], first, buttons))
                )
                if changed is not None:
                    await self._continued(chat, spot, more)
                return
        except TooLarge:
            log.warning("telegram.no_photo picture=%s", one.id)
            note = f"\n{text('telegram-no-photo')}"
        await self._posts.edit(chat, spot.message, f"{first}{note}", buttons)

    async def _continued(self, chat: int, spot: Spot, pages: Sequence[str]) -> None:
        """Say what a caption had no room for; it is in the settings of the picture too, so a page that is lost is not missed."""
        with contextlib.suppress(*REFUSALS):
            for page in pages:
                await self._posts.say(chat, page, thread=spot.thread, asked=spot.message)

    async def _clear(self, card: Card, chat: int, spot: Spot) -> None:
        """Take pictures out of an album that were deleted: their messages where that may be done, else what is in them."""
        left = {one.index for one in card.pictures}
        for message in (message for index, message in spot.album if index not in left):
            try:
                await self._posts.delete(chat, message)
            except Gone:
                continue
            except REFUSALS:
                with contextlib.suppress(*REFUSALS):
                    await self._posts.edit_media(chat, message, packing.tile(), "", None)


def lines_of(card: Card, spot: Spot, note: str = "") -> list[Line]:
    """Return what a card says where it is shown."""
    return outbound.lines_of(card, note or (text("telegram-closed") if spot.home else ""))


async def _alone(asked: Awaitable[Message | None]) -> tuple[Message | None]:
    return (await asked,)

"""Shows job views: in their own message or a new message, and in a direct message if the channel is closed."""

import contextlib
import logging
from collections.abc import Awaitable, Callable

import discord
import msgspec

from adapters.discord import render
from adapters.discord.api import REFUSALS, SILENCE, Closed, DiscordApi, Gone, NotConnected, SentMessage, TooLarge, channel_of, spot_of
from adapters.discord.render import Packed
from bot.commands.queue import resend
from bot.core.values import MessageRef
from bot.i18n.translate import text
from bot.jobs.delivery import Later, Outcome, OutgoingResult, Refused, Sent, Unknown
from bot.store.jobs.job import DONE, FAILED, WAITING
from bot.store.store import Store
from bot.views.job_card import JobView, job_buttons

log = logging.getLogger("easel.discord")

#: The longest retry delay after a refusal, also used if Discord names none.
_TURNED_AWAY_SECONDS = 900.0

#: Maximum number of actions for an image.
_MOST_DEEDS = 5

_Way = Callable[[OutgoingResult, Packed], Awaitable[Outcome]]


class Sender:
    """Shows job views in Discord; files have at most a given number of bytes there."""

    def __init__(self, store: Store, posts: DiscordApi, most_bytes: int) -> None:
        self._store = store
        self._posts = posts
        self._most_bytes = most_bytes
        #: Where jobs are shown that had no message when they began: the worker does not know it yet.
        self._placed: dict[str, SentMessage] = {}

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Change the message of a job view; if it has none yet, send one. Raises what `DiscordApi` raises."""
        ref, channel = self._spot(card, address), channel_of(address)
        if card.is_open:
            # By the time the image is ready the user has stopped looking here.
            note = text("discord-below") if ref.token and not ref.is_open and not ref.is_guest else ""
            files = render.preview_of(card)
        else:
            note, files = "", (await render.pack(self._store.files, card.pictures, self._limit(ref))).files
        view = render.of_card(card, files, note=note)
        if ref.message:
            await self._posts.edit(channel, ref, view, files)
        elif card.is_open and ref.user:
            await self._place(card, channel, ref, await self._anew(channel, ref, view, files, card.job))

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended, exactly once."""
        try:
            try:
                outcome = await self._fitting(outgoing, self._in_channel)
            except (Closed, Gone):
                outcome = await self._fitting(outgoing, self._to_person)
        except (Closed, TooLarge, Gone) as refusal:
            outcome = Refused(type(refusal).__name__)
        except NotConnected:
            return Later("not connected")
        except discord.HTTPException as error:
            return later(error)
        except SILENCE as error:
            return Later(type(error).__name__, unsure=True)
        self._placed.pop(outgoing.card.job, None)
        return outcome

    async def _fitting(self, outgoing: OutgoingResult, way: _Way) -> Outcome:
        """Deliver with files that shrink until Discord accepts them; at last with none."""
        step, limit = 0, self._limit(spot_of(outgoing.address))
        while True:
            packed = await render.pack(self._store.files, outgoing.card.pictures, limit, step)
            try:
                return await way(outgoing, packed)
            except TooLarge:
                step = packed.step + 1
                if step >= render.STEPS:
                    raise

    async def _in_channel(self, outgoing: OutgoingResult, packed: Packed) -> Outcome:
        card, channel = outgoing.card, channel_of(outgoing.address)
        ref = self._spot(card, outgoing.address)
        view = render.of_card(card, packed.files, note=_lost(card, packed))
        # An interaction's answer is edited while its token is valid. Later a new message is sent:
        # by then users have moved on, and notice a new message.
        is_open = ref.is_open or (ref.is_guest and ref.is_last_call)
        if ref.message and (is_open or not ref.token):
            try:
                await self._posts.edit(channel, ref, view, packed.files)
                return Sent(str(ref.message))
            except (Closed, Gone) as refusal:
                # In an old thread messages cannot be edited any more, but a new message opens it again.
                log.info("discord.message_left job=%s reason=%s", card.job, type(refusal).__name__)
        if ref.is_guest and not is_open:
            raise Closed
        if ref.is_guest and outgoing.unsure:
            # The bot cannot search for its own message there, and a further send could be a duplicate.
            await self._ask(card, ref)
            return Unknown("no confirmation")
        # An attempt may have arrived without confirmation.
        is_told = not ref.is_guest and (outgoing.unsure or not ref.message)
        message = await self._posts.find(channel, card.job, _wires(card)) if is_told else 0
        if message and message != ref.message:
            await self._posts.edit(channel, SentMessage(message=message), view, packed.files)
        else:
            message = await self._anew(channel, ref, view, packed.files, outgoing.id)
        if not await self._cleared(card, channel, ref):
            return Later("placeholder still shown", unsure=True)
        await self._place(card, channel, ref, message)
        return Sent(str(message))

    async def _to_person(self, outgoing: OutgoingResult, packed: Packed) -> Outcome:
        """Send a user a direct message if the channel is closed to the bot."""
        if not (user := spot_of(outgoing.address).user):
            raise Closed
        note = _lost(outgoing.card, packed) or text("discord-closed")
        view = render.of_card(outgoing.card, packed.files, note=note)
        direct = await self._posts.direct(user)
        if outgoing.unsure and (message := await self._posts.find(direct, outgoing.card.job, _wires(outgoing.card))):
            await self._posts.edit(direct, SentMessage(message=message), view, packed.files)
            return Sent(str(message))
        return Sent(str(await self._posts.send(direct, view, packed.files, outgoing.id)))

    async def _ask(self, card: JobView, ref: SentMessage) -> None:
        """Ask the user whether a result has arrived, and send it again if the user answers that it has not."""
        question = render.sentence(text("discord-unsure", words=card.words), [resend.button("button-resend", job=card.job)])
        with contextlib.suppress(*REFUSALS):
            await self._posts.send(await self._posts.direct(ref.user), question, (), f"?{card.job}")

    async def _anew(self, channel: int, ref: SentMessage, view: discord.ui.LayoutView, files: render.Files, nonce: str) -> int:
        if ref.is_guest:
            return await self._posts.follow(ref, view, files)
        return await self._posts.send(channel, view, files, nonce)

    async def _place(self, card: JobView, channel: int, ref: SentMessage, message: int) -> None:
        """Store where a job is shown now."""
        token, until = (ref.token, ref.until) if ref.is_guest else ("", 0)
        placed = msgspec.structs.replace(ref, message=message, token=token, until=until)
        self._placed[card.job] = placed
        await self._store.jobs.placed(card.job, placed.address(channel).message)

    async def _cleared(self, card: JobView, channel: int, ref: SentMessage) -> bool:
        """Remove the earlier view of a job; return whether nothing more can be done about it."""
        if not ref.message or ref.is_guest:
            return True
        try:
            await self._posts.delete(channel, ref.message)
        except (Closed, Gone):
            return True
        except (discord.HTTPException, *SILENCE) as error:
            log.info("discord.placeholder_left job=%s reason=%s", card.job, type(error).__name__)
            return isinstance(error, discord.HTTPException) and error.status < 500 and error.status != 429
        return True

    def _spot(self, card: JobView, address: MessageRef) -> SentMessage:
        """Return the message reference of a job."""
        ref = spot_of(address)
        return self._posts.freshest(ref if ref.message else self._placed.get(card.job, ref))

    def _limit(self, ref: SentMessage) -> int:
        return min(ref.limit or self._most_bytes, self._most_bytes)


def _wires(card: JobView) -> set[str]:
    """Return the wires that a job view's buttons may carry, also before the job has ended, or without an image."""
    buttons = [button for state in (WAITING, DONE, FAILED) for button in job_buttons(card.job, state)]
    buttons += [button for one in card.pictures for button in one.buttons]
    return {*(button.wire for button in buttons), *(f"{render.PICK}:{deed}" for deed in range(_MOST_DEEDS))}


def _lost(card: JobView, packed: Packed) -> str:
    """Return what is said where no picture could be sent along."""
    return text("discord-too-large") if card.pictures and not packed.files else ""


def later(error: discord.HTTPException) -> Later | Refused:
    """Return what becomes of something that Discord did not take now."""
    if error.status in (403, 429):
        # The wall before Discord, which seldom says for how long; Discord itself the library waits for.
        told = error.response.headers.get("Retry-After", "")
        return Later("rate limited", seconds=min(float(told) if told.isdecimal() else _TURNED_AWAY_SECONDS, _TURNED_AWAY_SECONDS))
    if error.status >= 500 or error.status == 401:
        # Also where the bot's own token was changed, until it is told the new one.
        return Later(f"discord {error.status}", unsure=True)
    log.error("discord.refused status=%s code=%s", error.status, error.code)
    return Refused(f"discord {error.code}")

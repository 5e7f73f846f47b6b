"""Handles button presses: commands, and the fields of forms."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import NamedTuple

from telegram import CallbackQuery, InlineKeyboardMarkup, MaybeInaccessibleMessage, Message
from telegram.constants import CallbackQueryLimit

from adapters.telegram import forms, render
from adapters.telegram.api import REFUSALS
from adapters.telegram.chat_members import ChatMembers
from adapters.telegram.message_ref import SentMessage, is_group
from adapters.telegram.replies import Replies
from bot.core.errors import BadInput, BotError, NotAllowed
from bot.core.values import MessageRef, UserRef
from bot.framework import command as spec
from bot.framework.reply import Form, Reply, command_of
from bot.i18n.translate import tell, text
from inference.contract.errors import InferenceError

log = logging.getLogger("easel.telegram")

#: Maximum length of the answer to a press; only the user who pressed sees it.
_MOST_ANSWER = int(CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH)

#: Maximum time for which a press shows its loading state.
_ANSWER_SECONDS = 3.0


class Answer(NamedTuple):
    """The answer to a press. `alert`: the user has to see it. `late`: it is sent as a message if it is too late for an answer."""

    said: str = ""
    alert: bool = False
    late: bool = True


class CallbackHandler:
    """Handles presses. Each is answered soon, whatever its result: until then it shows a loading state, and Telegram soon gives up."""

    def __init__(self, replies: Replies, people: ChatMembers) -> None:
        self._replies = replies
        self._app = replies.bot.app
        self._posts = replies.posts
        self._people = people
        self._standing = forms.Standing()

    async def pressed(self, query: CallbackQuery) -> None:
        """Handle a press."""
        acting = asyncio.create_task(self._acted(query))
        try:
            await asyncio.wait([acting], timeout=_ANSWER_SECONDS)
            if acting.done():
                answer = acting.result()
                await self._posts.answer(query.id, short(answer.said), alert=answer.alert)
                return
            await self._posts.answer(query.id)
            answer = await acting
            if answer.said and answer.late and query.message is not None:
                with contextlib.suppress(*REFUSALS):
                    chat = query.message.chat.id
                    await self._replies.show_privately(chat, self._spot(query, query.message), Reply(text=answer.said), "")
        finally:
            acting.cancel()

    async def _acted(self, query: CallbackQuery) -> Answer:
        """Handle a press and return its answer. Never raises: errors are reported to the user."""
        message = query.message
        try:
            if message is None or not query.data:
                return Answer(text("telegram-gone"))
            caller = await self._people.of(query.from_user, message.chat)
            return await self._run(query, message.chat.id, self._spot(query, message), caller)
        except (BotError, InferenceError) as error:
            return Answer(tell(error.problem), alert=True)
        except REFUSALS as error:
            log.warning("telegram.unanswered query=%s reason=%s", query.id, type(error).__name__)
            return Answer(text("telegram-unsaid"), alert=True)
        except Exception:
            log.exception("telegram.broke query=%s", query.id)
            return Answer(text("telegram-broke", code=query.id), alert=True)

    def _spot(self, query: CallbackQuery, message: MaybeInaccessibleMessage) -> SentMessage:
        """Return the message reference for the answer to a press."""
        is_topic = isinstance(message, Message) and message.is_topic_message
        thread = (message.message_thread_id or 0) if isinstance(message, Message) and is_topic else 0
        return SentMessage(user=query.from_user.id, thread=thread, asked=message.message_id, bot=self._replies.api.id)

    async def _run(self, query: CallbackQuery, chat: int, ref: SentMessage, caller: UserRef) -> Answer:
        """Handle a press and return its answer."""
        carried, message = query.data or "", query.message
        address = ref.address(chat)
        if carried.startswith(forms.FIELD) and isinstance(message, Message):
            return Answer(await self._field(message, carried.removeprefix(forms.FIELD), caller, address), alert=True)
        filled = None
        if carried.startswith(forms.SEND) and isinstance(message, Message):
            _, carried = self._owned(message, caller)
            filled = forms.filled(await self._form(carried, caller, address), self._standing.values(message))
        name = command_of(carried)
        key, line = f"q{self._replies.api.id}/{query.id}", f"/{name}"
        reply = await self._app.pressed(carried, caller, address, filled=filled, line=line, key=key)
        command = self._app.commands.get(name)
        if reply.jobs or command is None or command.answer is not spec.Answer.PRIVATE:
            await self._replies.show(chat, ref, reply)
            return Answer()
        return await self._told(chat, ref, reply, carried)

    async def _told(self, chat: int, ref: SentMessage, reply: Reply, carried: str) -> Answer:
        """Show a command's reply only to the user who pressed: if it is short, in the answer to the press."""
        more = reply.facts or reply.pictures or reply.buttons or reply.files or reply.form
        if render.units(reply.text) <= _MOST_ANSWER and not more:
            await self._replies.refresh(reply.refresh)
            return Answer(reply.text)
        await self._replies.show_privately(chat, ref, reply, f"/{carried.replace(':', ' ')}")
        return Answer(text("telegram-sent-privately") if is_group(chat) else "", late=False)

    async def _form(self, wire: str, caller: UserRef, address: MessageRef) -> Form:
        """Return the form that a command shows; raises `BadInput` if it shows none."""
        form = (await self._app.pressed(wire, caller, address)).form
        if form is None:
            raise BadInput("input-button")
        return form

    def _owned(self, message: Message, caller: UserRef) -> tuple[int, str]:
        """Return the owner of the form in a message and the command that it submits; raises `NotAllowed` for another user's form."""
        owner, wire = forms.of(message)
        if owner and str(owner) != caller.id:
            raise NotAllowed("denied-form")
        return owner, wire

    async def _field(self, message: Message, pressed: str, caller: UserRef, address: MessageRef) -> str:
        """Show the values of a field, or set the chosen value; return the answer."""
        owner, wire = self._owned(message, caller)
        form = await self._form(wire, caller, address)
        number, chosen, value = pressed.partition("=")
        values, which = self._standing.values(message), int(number) if number.isdecimal() else -1
        if not 0 <= which < len(forms.written(form)) or len(values) != len(forms.written(form)):
            raise BadInput("input-button")
        if chosen:
            values[which] = value
        offered = None if chosen else forms.choosing(form, owner, which)
        if not chosen and offered is None:
            return text("telegram-form-words", name=forms.written(form)[which].name)
        await self._put(message, form, owner, values, offered)
        return ""

    async def _put(self, message: Message, form: Form, owner: int, values: list[str], offered: InlineKeyboardMarkup | None = None) -> None:
        """Show a form with these values in its message; with the `offered` values of a field while the user chooses."""
        html, markup = forms.shown(form, owner, values)
        if (changed := await self._posts.edit(message.chat_id, message.message_id, html, offered or markup)) is not None:
            self._standing.put(changed, values)

    async def answered(
        self, message: Message, form_message: Message, words: str, pictures: Sequence[bytes], caller: UserRef, ref: SentMessage
    ) -> Reply:
        """Handle a user's answer to a form; with images it is submitted at once, because a text message holds none.

        They go into its image fields in order; further images are left out.
        """
        (owner, wire), address = self._owned(form_message, caller), ref.address(message.chat_id)
        form = await self._form(wire, caller, address)
        values = dict(forms.filled(form, self._standing.values(form_message)))
        values |= forms.written_in(form, values, words)
        if pictures:
            fields = [one.param.name for one in form.fields if one not in forms.written(form)]
            brought = dict(zip(fields, pictures, strict=False))
            key = key_of(self._replies.api.id, message)
            return await self._app.pressed(wire, caller, address, filled={**values, **brought}, line=words, key=key)
        await self._put(form_message, form, owner, [values[one.param.name] for one in forms.written(form)])
        return Reply()


def key_of(bot: int, message: Message) -> str:
    """Return the key that identifies a message of a bot when it arrives again."""
    return f"m{bot}/{message.chat_id}/{message.message_id}"


def short(said: str) -> str:
    """Return a sentence cut to the length of an answer to a press."""
    return said if render.units(said) <= _MOST_ANSWER else f"{said[: _MOST_ANSWER // 2]}…"

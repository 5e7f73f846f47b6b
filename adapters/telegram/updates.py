"""Turns Telegram messages into invocations, and shows the results to the users."""

import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from telegram import ForceReply, InlineKeyboardButton, InlineKeyboardMarkup, Message, Update

from adapters.shared.command_line import read_line
from adapters.telegram import deep_links, downloads, inline_mode, messages, render
from adapters.telegram.albums import Albums
from adapters.telegram.api import REFUSALS
from adapters.telegram.callbacks import CallbackHandler, key_of
from adapters.telegram.chat_members import MODERATING, ChatMembers
from adapters.telegram.message_ref import PLATFORM, SentMessage, chat_of, is_group, renamed
from adapters.telegram.messages import Heard
from adapters.telegram.replies import Replies
from bot.core.errors import BadInput, BotError
from bot.core.values import Invocation, MessageRef, UserRef
from bot.framework.command import Answer, Command
from bot.framework.help import help_with
from bot.framework.reply import Reply
from bot.i18n.translate import speaking, tell, text
from bot.store.database import now
from inference.contract.errors import InferenceError

log = logging.getLogger("easel.telegram")

#: Older messages get no text reply any more: their users have forgotten them. Images are still generated.
_STALE_SECONDS = 15 * 60

#: The command that Telegram itself sends when a user opens a chat with the bot.
START = "start"

_MOST_ALBUMS = 1_000


class UpdateHandler:
    """Handles updates from Telegram."""

    def __init__(self, replies: Replies, albums: Albums) -> None:
        self._replies = replies
        self._api = replies.api
        self._app = replies.bot.app
        self._posts = replies.posts
        self._people = ChatMembers(replies.api)
        self._presses = CallbackHandler(replies, self._people)
        self._albums = albums
        #: Albums already answered with a hint.
        self._answered: dict[str, None] = {}

    async def act(self, update: Update) -> None:
        """Handle an update. Never raises: errors are reported to the user or logged."""
        user = update.effective_user
        with speaking((user.language_code if user is not None else None) or ""):
            await self._act(update)

    async def _act(self, update: Update) -> None:
        if update.callback_query is not None:
            await self._presses.pressed(update.callback_query)
        elif update.inline_query is not None:
            await inline_mode.asked(self._api, self._app, update.inline_query)
        elif update.my_chat_member is not None:
            self._people.forget(update.my_chat_member.chat.id)
        elif update.channel_post is not None:
            await self._safely(update.channel_post, self._posted)
        elif (message := update.message or update.edited_message) is not None:
            await self._safely(message, self._came)

    async def _safely(self, message: Message, act: Any) -> None:
        """Handle a message, and report errors to the user."""
        chat, ref = message.chat_id, self._spot(message)
        try:
            await act(message, ref)
        except (BotError, InferenceError) as error:
            said = tell(error.problem)
        except REFUSALS as error:
            log.warning("telegram.unanswered message=%s reason=%s", message.message_id, type(error).__name__)
            return
        except Exception:
            log.exception("telegram.broke message=%s", message.message_id)
            said = text("telegram-broke", code=f"{chat}/{message.message_id}")
        else:
            return
        with contextlib.suppress(*REFUSALS):
            await self._replies.tell(chat, ref, said)

    def _spot(self, message: Message) -> SentMessage:
        """Return the message reference for the answer to a message."""
        user = message.from_user.id if message.from_user is not None and message.sender_chat is None else 0
        thread = (message.message_thread_id or 0) if message.is_topic_message else 0
        return SentMessage(user=user, thread=thread, asked=message.message_id, signs=True, bot=self._api.id)

    async def _came(self, message: Message, ref: SentMessage) -> None:
        if message.migrate_from_chat_id is not None:
            await self._app.store.channels.moved(_place(message.migrate_from_chat_id), _place(message.chat_id), renamed)
            return
        heard = messages.heard(self._api.bot, message, self._app.commands)
        caller = await self._people.sender(message) if heard is not None else None
        if heard is None or caller is None:
            return
        if heard.line.command == START:
            await self._started(message, heard, ref, caller)
        elif heard.form is not None:
            await self._filled(message, heard, ref, caller, heard.form)
        elif not heard.words.strip():
            await self._wordless(message, ref)
        else:
            await self._said(message, heard, ref, caller)

    async def _said(self, message: Message, heard: Heard, ref: SentMessage, caller: UserRef) -> None:
        """Run the command of a message."""
        chat, (name, words) = message.chat_id, self._app.named(heard.line.command, heard.line.words)
        command = self._app.commands.get(name)
        if command is None and is_group(chat) and not heard.is_named:
            # A command of another bot, which reports unknown commands itself.
            return
        self._noted(message.media_group_id)
        # An anonymous moderator of a group is answered in front of the whole group.
        is_private = command is not None and command.answer is Answer.PRIVATE and (ref.user != 0 or name not in MODERATING)
        if is_private and (now() - message.date).total_seconds() > _STALE_SECONDS:
            return
        carried = await downloads.meant(self._api, await self._together(message, command), command)
        room = (0 if command is None else len(command.attachments)) - len(carried)
        call = Invocation(
            **{"command": name, "words": words, "line": heard.words, "key": key_of(self._api.id, message)},
            given={},
            caller=caller,
            address=ref.address(chat),
            pictures=carried,
            answered=await downloads.answered(self._api, message, command, room),
        )
        began = now()
        if (reply := await self._handled(call, command, ref)) is None:
            return
        if is_private:
            await self._replies.show_privately(chat, ref, reply, heard.words)
        else:
            await self._replies.show(chat, ref, await self._once(message, reply, began))

    async def _together(self, message: Message, command: Command[Any] | None) -> list[Message]:
        """Return a message, with the others of its album if the command takes several images: only then does it wait for them."""
        several = command is not None and len(command.attachments) > 1
        return await self._albums.whole(message) if several else [message]

    async def _handled(self, call: Invocation, command: Command[Any] | None, ref: SentMessage) -> Reply | None:
        """Run a command and return its reply, or `None` if a question for missing values comes first."""
        try:
            return await self._app.handle(call)
        except BadInput as error:
            if command is None or error.problem.key != "input-missing":
                raise
            if not await self._ask(chat_of(call.address), command, ref, error.problem.facts):
                raise
            return None

    async def _once(self, message: Message, reply: Reply, began: datetime) -> Reply:
        """Report for an edited request that it was already begun: a message is one request."""
        if message.edit_date is None or not reply.jobs:
            return reply
        jobs = [job for one in reply.jobs if (job := await self._app.store.jobs.get(one)) is not None]
        new = tuple(job.id for job in jobs if job.created >= began)
        old = tuple(job.id for job in jobs if job.id not in new)
        return reply if not old else Reply(text=text("telegram-edited"), jobs=new, refresh=old)

    async def _filled(self, message: Message, heard: Heard, ref: SentMessage, caller: UserRef, form: Message) -> None:
        """Handle an answer to a form."""
        pictures = await downloads.meant(self._api, [message], None)
        reply = await self._presses.answered(message, form, heard.words, pictures, caller, ref)
        await self._replies.show(message.chat_id, ref, reply)

    async def _ask(self, chat: int, command: Command[Any], ref: SentMessage, facts: Mapping[str, object]) -> bool:
        """Ask for missing values: with buttons if there are few answers, else in text. False if the value cannot be asked for."""
        param = next((one for one in command.params if one.name == facts.get("name")), None)
        if param is None or not (param.choices or command.free == param.name):
            return False
        markup: Any = ForceReply(selective=True)
        if param.choices:
            wires = [(choice, command.wire(**{param.name: choice})) for choice in param.choices]
            markup = InlineKeyboardMarkup([[InlineKeyboardButton(choice, callback_data=wire)] for choice, wire in wires])
        said = text("telegram-ask", command=command.name, help=help_with(param))
        await self._posts.say(
            chat, render.pages([render.StatusLine(said)], render.MOST_TEXT)[0], markup, thread=ref.thread, asked=ref.asked
        )
        return True

    async def _wordless(self, message: Message, ref: SentMessage) -> None:
        """Explain how an image without text is used; once for an album."""
        album = message.media_group_id
        if downloads.in_message(message) is None or is_group(message.chat_id) or (album is not None and album in self._answered):
            return
        self._noted(album)
        await self._replies.tell(message.chat_id, ref, text("telegram-picture"))

    def _noted(self, album: str | None) -> None:
        """Remember that an album was answered: its other images come without text."""
        if album is not None:
            self._answered[album] = None
            while len(self._answered) > _MOST_ALBUMS:
                del self._answered[next(iter(self._answered))]

    async def _started(self, message: Message, heard: Heard, ref: SentMessage, caller: UserRef) -> None:
        """Greet, or continue with the line of a link: anyone may have made it, so generation needs confirmation and all else only shows."""
        line = deep_links.unpacked(heard.line.words)
        if line and deep_links.is_harmless(line, self._app):
            await self._said(message, Heard(read_line(line), line, is_named=True), ref, caller)
        elif line and (button := deep_links.offered(line, self._app)) is not None:
            await self._replies.show(message.chat_id, ref, Reply(text=text("telegram-link", line=line), buttons=(button,)))
        else:
            said = text("telegram-start", name=self._api.first_name), text("telegram-start-words"), text("telegram-start-picture")
            await self._replies.tell(message.chat_id, SentMessage(thread=ref.thread), "\n".join(said))

    async def _posted(self, message: Message, ref: SentMessage) -> None:
        """Refuse a request in a broadcast channel politely: it has no users who could have a queue."""
        heard = messages.heard(self._api.bot, message, self._app.commands)
        if heard is not None and (heard.is_named or heard.line.command in self._app.commands) and heard.words.startswith(("/", "@")):
            await self._replies.tell(message.chat_id, ref, text("telegram-channel"))


def _place(chat: int) -> MessageRef:
    return MessageRef(PLATFORM, str(chat))

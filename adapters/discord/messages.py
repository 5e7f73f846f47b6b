"""Handles messages to the bot: a mention with text, or any direct message, asks for an image."""

import contextlib
import logging
import re
from functools import partial
from typing import Any

import discord

from adapters.discord import attachments, render
from adapters.discord.api import REFUSALS, SentMessage
from adapters.discord.interactions import InteractionHandler
from adapters.discord.replies import above, caller
from adapters.shared.command_line import read_line
from bot.core.errors import BotError
from bot.core.values import Invocation
from bot.framework.command import Answer, Command
from bot.framework.params import Kind
from bot.i18n.translate import speaking, tell, text
from inference.contract.errors import InferenceError

log = logging.getLogger("easel.discord")


class MessageHandler:
    """Handles messages. Each is answered in a message of the bot, which becomes the job view."""

    def __init__(self, desk: InteractionHandler) -> None:
        self._desk = desk

    async def heard(self, client: discord.Client, message: discord.Message) -> None:
        """Handle a message, if it is meant for the bot."""
        words = meant(client, message)
        if words is None:
            return
        # A message does not say what its author speaks: who is not known from before is spoken to in their server's language.
        with speaking("" if message.guild is None else str(message.guild.preferred_locale)):
            await self._heard(client, message, words)

    async def _heard(self, client: discord.Client, message: discord.Message, words: str) -> None:
        if isinstance(message.channel, discord.PartialMessageable):
            # Of an old thread nobody has told the library, nor whose rules hold there.
            try:
                message.channel = await self._desk.posts.known(message.channel.id)
            except REFUSALS as error:
                await self._unanswered(message, error)
                return
        # A message says nothing of who has to be of age, so it counts only where everybody is.
        is_direct = message.guild is None and self._desk.bot.config.discord.age_restricted
        if is_direct or not self._desk.is_open(message.channel):
            await self._said(message, text("discord-age"))
            return
        is_private = self._is_private(message, words)
        try:
            where = await self._desk.posts.direct(message.author.id) if is_private else message.channel.id
            # A message that arrives twice is answered in the same message.
            placeholder = await self._desk.posts.surely(where, render.sentence(text("card-starting")), f"m{message.id}")
        except REFUSALS as error:
            await self._unanswered(message, error, text("discord-private") if is_private else "")
            return
        await self._answer(client, message, words, where, _spot(message, placeholder))

    async def _unanswered(self, message: discord.Message, error: Exception, said: str = "") -> None:
        """Note that a message got no answer, and say so in its place, or directly."""
        log.warning("discord.unanswered message=%s reason=%s", message.id, type(error).__name__)
        await (self._said(message, said) if said else self._directly(message))

    def _is_private(self, message: discord.Message, words: str) -> bool:
        """Return whether the answer is for the person alone, where others would see it."""
        command = self._command(words)
        return message.guild is not None and command is not None and command.answer is Answer.PRIVATE

    def _command(self, words: str) -> Command[Any] | None:
        """Return the command named by the text, or `None`."""
        app, line = self._desk.bot.app, read_line(words)
        return app.commands.get(app.named(line.command, line.words)[0])

    async def _answer(self, client: discord.Client, message: discord.Message, words: str, where: int, ref: SentMessage) -> None:
        """Run what a message asks for, and say in the message of the spot what no card says."""
        files: render.Files = ()
        try:
            reply = await self._desk.bot.app.handle(await self._invocation(client, message, words, ref))
        except (BotError, InferenceError) as error:
            view = render.sentence(tell(error.problem))
        except Exception:
            log.exception("discord.broke message=%s", message.id)
            view = render.sentence(text("discord-broke", code=str(message.id)))
        else:
            for job in (*reply.jobs, *reply.refresh):
                await self._desk.bot.refresh(job)
            if reply.jobs:
                return
            if reply.form is not None:
                # A form can be shown to who presses something, and not to who writes.
                view = self._desk.led_to(reply.form, message.author.id)
            else:
                view, files = await self._desk.shown(reply)
        with contextlib.suppress(*REFUSALS):
            await self._desk.posts.edit(where, ref, view, files)

    async def _invocation(self, client: discord.Client, message: discord.Message, words: str, ref: SentMessage) -> Invocation:
        line = read_line(words)
        carried, answered = await self._pictures(client, message, words)
        permissions = discord.Permissions.none()
        # A thread whose channel nobody told of cannot say.
        with contextlib.suppress(discord.ClientException, AttributeError, TypeError):
            permissions = message.channel.permissions_for(message.author)  # type: ignore[arg-type]  # nobody moderates who is no member
        return Invocation(
            command=line.command,
            given={},
            words=line.words,
            caller=caller(message.author, permissions),
            address=ref.address(message.channel.id),
            line=words,
            pictures=carried,
            answered=answered,
            key=f"m{message.id}",
        )

    async def _pictures(self, client: discord.Client, message: discord.Message, words: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Return the pictures that a message carries, and those of the one it answers; for a command that reads a file, the first files.

        No more are fetched than the command takes, and one picture more: the bot refuses it.
        """
        command = self._command(words)
        if command is None:
            return (), ()
        reads, most = command.takes(Kind.FILE), len(command.attachments)
        find = attachments.files_of if reads else partial(attachments.pictures_of, client)
        answered = message.reference.resolved if message.reference is not None else None
        carried = find(message)[: most if reads else most + 1]
        older = find(answered)[: max(0, most - len(carried))] if isinstance(answered, discord.Message) else []
        each = [[await attachments.fetched(client, one) for one in some] for some in (carried, older)]
        return tuple(each[0]), tuple(each[1])

    async def _said(self, message: discord.Message, said: str) -> None:
        with contextlib.suppress(*REFUSALS):
            await self._desk.posts.send(message.channel.id, render.sentence(said), (), f"m{message.id}")

    async def _directly(self, message: discord.Message) -> None:
        """Tell a user that the bot may not answer in the channel of their message."""
        if message.guild is None:
            return
        with contextlib.suppress(*REFUSALS):
            direct = await self._desk.posts.direct(message.author.id)
            await self._desk.posts.send(direct, render.sentence(text("discord-no-answer")), (), f"m{message.id}")


def _spot(message: discord.Message, placeholder: int) -> SentMessage:
    """Return the spot of a message's answer."""
    limit, parent = message.guild.filesize_limit if message.guild is not None else 0, above(message.channel)
    home = message.channel.id if parent or isinstance(message.channel, discord.DMChannel) else 0
    return SentMessage(user=message.author.id, message=placeholder, limit=limit, home=home, under=parent)


def meant(client: discord.Client, message: discord.Message) -> str | None:
    """Return the text of a message to the bot, or `None` if it is not meant for the bot.

    An answer to a message of the bot mentions it too, without saying so: that alone is talk among people.
    """
    own = client.user
    if own is None or message.author.bot or message.webhook_id is not None or message.type not in _SAID:
        return None
    mention = re.compile(rf"<@!?{own.id}>")
    if message.guild is not None and not mention.search(message.content):
        return None
    return mention.sub(" ", message.content).strip()


#: What people write; everything else tells of something that happened.
_SAID = (discord.MessageType.default, discord.MessageType.reply)

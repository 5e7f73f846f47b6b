"""Answers interactions: acknowledges each at once, then shows the result."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import discord
import msgspec
from discord import ui

from adapters.discord import render
from adapters.discord.api import PLATFORM, SILENCE, TOKEN_SECONDS, SentMessage
from bot.core.values import MessageRef, UserRef
from bot.framework.command import Answer
from bot.framework.reply import Button

log = logging.getLogger("easel.discord")

#: Discord waits three seconds for a first answer; a later one is not worth sending.
_ACKNOWLEDGE_SECONDS = 2.8

#: Discord's code for an interaction that was already acknowledged.
_ANSWERED = 40060

#: Marks an interaction that was acknowledged, although the response to that was lost.
_HEARD = "heard"

Interaction = discord.Interaction[Any]


class Unheard(Exception):
    """Discord accepts no answer any more: Discord itself tells the user."""


async def acknowledge(interaction: Interaction, answer: Answer, *, is_update: bool = False) -> int:
    """Say that an interaction was heard, and return the message that its answer will be shown in.

    `is_update`: nothing new is shown, for a button was pressed that changes what is there. Raises `Unheard`.
    """
    for last in (False, True):
        try:
            async with asyncio.timeout(_ACKNOWLEDGE_SECONDS):
                if is_update:
                    # Without `thinking` it is a silent one, for a button; the message with the button is what it may change.
                    await interaction.response.defer()
                    return interaction.message.id if interaction.message is not None else 0
                said = await interaction.response.defer(ephemeral=answer is not Answer.PUBLIC, thinking=True)
                return (said.message_id if said is not None else None) or (await interaction.original_response()).id
        except discord.HTTPException as error:
            if error.code == _ANSWERED:
                return await _answered(interaction)
            if last or error.status < 500:
                raise Unheard(error.code) from None
        except SILENCE:
            if last:
                return await _answered(interaction)
    raise Unheard("never")


async def _answered(interaction: Interaction) -> int:
    """Return the message of an interaction that may have been acknowledged without confirmation; raises `Unheard`."""
    for last in (False, True):
        try:
            message = (await interaction.original_response()).id
        except discord.HTTPException as error:
            raise Unheard(error.code) from None
        except SILENCE as error:
            if last:
                raise Unheard(type(error).__name__) from None
        else:
            # The library knows nothing of it.
            interaction.extras[_HEARD] = True
            return message
    raise Unheard("never")


def is_heard(interaction: Interaction) -> bool:
    """Return whether an interaction was acknowledged, or answered."""
    return interaction.response.is_done() or _HEARD in interaction.extras


async def ask(interaction: Interaction, form: ui.Modal) -> None:
    """Show a form, which is a first answer."""
    for last in (False, True):
        try:
            await interaction.response.send_modal(form)
        except SILENCE as error:
            if last:
                log.warning("discord.not_asked interaction=%s reason=%s", interaction.id, type(error).__name__)
        except discord.HTTPException as error:
            if error.code != _ANSWERED:
                log.warning("discord.not_asked interaction=%s reason=%s", interaction.id, error.code or error.status)
            return
        else:
            return


def caller_of(interaction: Interaction) -> UserRef:
    """Return the caller."""
    known = caller(interaction.user, interaction.permissions, str(interaction.locale))
    return msgspec.structs.replace(known, carries=not _is_at_home(interaction))


def caller(user: discord.User | discord.Member, permissions: discord.Permissions, locale: str = "") -> UserRef:
    """Return a Discord user as a caller; a user who may delete other users' messages moderates the channel."""
    moderates = isinstance(user, discord.Member) and permissions.manage_messages
    return UserRef(PLATFORM, str(user.id), user.display_name, moderates, locale)


def spot_for(interaction: Interaction, message: int) -> SentMessage:
    """Return the message reference for an interaction's answer."""
    return SentMessage(
        user=interaction.user.id,
        message=message,
        token=interaction.token,
        until=int(interaction.created_at.timestamp()) + TOKEN_SECONDS,
        limit=interaction.filesize_limit,
        is_guest=not _is_at_home(interaction),
        home=_home(interaction),
        under=above(interaction.channel),
    )


def above(channel: object) -> int:
    """Return the parent channel of a thread, or 0. A private thread has none here: not all members of the channel may see it."""
    return channel.parent_id if isinstance(channel, discord.Thread) and not channel.is_private() else 0


def _home(interaction: Interaction) -> int:
    """Return a thread, or the channel between a person and the bot alone: no group's, none of two others, none unsaid."""
    is_direct = interaction.guild_id is None and interaction.context.dm_channel
    return (interaction.channel_id or 0) if is_direct or above(interaction.channel) else 0


def _is_at_home(interaction: Interaction) -> bool:
    """Return whether the bot itself is where an interaction comes from, and not only its command, brought by a person."""
    if interaction.guild_id is not None:
        # Another server than Discord's own may not say who brought the command.
        return interaction.is_guild_integration() or not interaction.is_user_integration()
    return interaction.context.dm_channel


def address_of(interaction: Interaction, message: int) -> MessageRef:
    """Return the address of the answer to an interaction."""
    return spot_for(interaction, message).address(interaction.channel_id or 0)


async def tell(interaction: Interaction, said: str, buttons: Sequence[Button] = ()) -> None:
    """Send a sentence to the user alone, after the interaction was acknowledged or instead."""
    await show(interaction, render.sentence(said, buttons))


async def change(interaction: Interaction, view: ui.LayoutView, files: render.Files = ()) -> None:
    """Replace the placeholder of an interaction; a repeat does no harm."""
    for last in (False, False, True):
        try:
            await interaction.edit_original_response(view=view, attachments=[one.opened() for one in files])
        except SILENCE as error:
            if last:
                log.warning("discord.not_said interaction=%s reason=%s", interaction.id, type(error).__name__)
        except discord.HTTPException as error:
            if last or error.status < 500:
                log.warning("discord.not_said interaction=%s reason=%s", interaction.id, error.code or error.status)
                return
        else:
            return


async def show(interaction: Interaction, view: ui.LayoutView, files: render.Files = ()) -> None:
    """Show a message to the user alone, beside the placeholder of the interaction."""
    opened = [one.opened() for one in files]
    try:
        if is_heard(interaction):
            await interaction.followup.send(view=view, files=opened, ephemeral=True)
        else:
            await interaction.response.send_message(view=view, files=opened, ephemeral=True)
    except (discord.HTTPException, *SILENCE) as error:
        # A repeat could be a duplicate.
        log.warning("discord.not_said interaction=%s reason=%s", interaction.id, type(error).__name__)

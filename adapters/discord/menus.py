"""The menus on messages and people: what can be done with the picture that is there."""

from functools import partial

import discord
from discord import app_commands

from adapters.discord import attachments
from adapters.discord.answering import Interaction, ask, tell
from adapters.discord.desk import Desk
from adapters.discord.forms import SOURCE, modal
from adapters.discord.posts import wires_of
from adapters.discord.translations import translatable
from bot import forms
from bot.commands.imagine import again, imagine
from bot.commands.pictures import info
from bot.texts import text


def menus(desk: Desk) -> tuple[app_commands.ContextMenu, ...]:
    """Return the menus."""

    async def source(interaction: Interaction, message: discord.Message) -> None:
        if (picture := attachments.picture_of(interaction.client, message)) is None:
            await tell(interaction, text("discord-menu-no-picture"))
        else:
            await _ask(desk, interaction, picture)

    async def avatar(interaction: Interaction, user: discord.User) -> None:
        await _ask(desk, interaction, attachments.avatar_of(user))

    async def told(interaction: Interaction, message: discord.Message) -> None:
        await _press(desk, interaction, message, info.name)

    async def repeated(interaction: Interaction, message: discord.Message) -> None:
        await _press(desk, interaction, message, again.name)

    is_restricted = desk.bot.config.discord.age_restricted
    return (
        app_commands.ContextMenu(name=translatable(partial(text, "discord-menu-source")), callback=source, nsfw=is_restricted),
        app_commands.ContextMenu(name=translatable(partial(text, "discord-menu-source")), callback=avatar, nsfw=is_restricted),
        app_commands.ContextMenu(name=translatable(partial(text, "discord-menu-info")), callback=told),
        app_commands.ContextMenu(name=translatable(partial(text, "discord-menu-again")), callback=repeated, nsfw=is_restricted),
    )


async def _ask(desk: Desk, interaction: Interaction, picture: attachments.Picture) -> None:
    """Ask what to paint from a picture."""
    key = desk.lay_aside(interaction, picture)
    sizes = desk.bot.app.suggestions(imagine.param("size"), "")
    values = dict.fromkeys(("prompt", "negative", "strength", "size"))
    form = forms.form(imagine, "discord-menu-source", imagine.name, values, {"size": sizes})
    await ask(interaction, modal(form, f"{SOURCE}{key}"))


async def _press(desk: Desk, interaction: Interaction, message: discord.Message, name: str) -> None:
    """Do what a button of a message does."""
    own = interaction.client.user
    is_ours = own is not None and message.author.id == own.id
    wires = [wire for wire in wires_of(message.components) if wire.startswith(f"{name}:")] if is_ours else []
    if wires:
        await desk.pressed(interaction, wires[0])
    else:
        await tell(interaction, text("discord-menu-none"))

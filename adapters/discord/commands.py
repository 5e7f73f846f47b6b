"""What Discord shows of the commands: slash commands with options, and menus on messages and people, all from the declarations."""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice

from adapters.discord import attachments
from adapters.discord.api import wires_of
from adapters.discord.interactions import InteractionHandler
from adapters.discord.modals import SOURCE, modal
from adapters.discord.replies import Interaction, address_of, ask, caller_of, tell
from adapters.discord.translator import Translations, translatable
from bot.commands.generate import again, imagine
from bot.commands.images import info
from bot.core.values import Given
from bot.framework import forms
from bot.framework.command import Answer, Command
from bot.framework.help import help_of, help_with
from bot.framework.params import Kind, Param
from bot.framework.reply import command_of
from bot.i18n.translate import speak, text

#: Discord's option types for parameters.
_TYPES = {
    Kind.TEXT: discord.AppCommandOptionType.string,
    Kind.WHOLE: discord.AppCommandOptionType.integer,
    Kind.REAL: discord.AppCommandOptionType.number,
    Kind.YES_NO: discord.AppCommandOptionType.boolean,
    Kind.PICTURE: discord.AppCommandOptionType.attachment,
    Kind.FILE: discord.AppCommandOptionType.attachment,
}

#: A text option takes so many characters, a whole one numbers up to here, a choice so many characters.
_MOST_TEXT, _MOST_WHOLE, _MOST_CHOICE = 6_000, 2**53, 100

#: Two words in one, such as `preset_save`.
_TWO_WORDS = re.compile(r"([a-z0-9]+)_([a-z0-9]+)")


class Tree(app_commands.CommandTree[Any]):
    """The command tree. Each use has its own task, which uses the language of its user."""

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Use the language of the user who uses a command."""
        speak(str(interaction.locale))
        return True


class Option(app_commands.Transformer):
    """A parameter as an option."""

    def __init__(self, param: Param) -> None:
        self._param = param

    @property
    def type(self) -> discord.AppCommandOptionType:
        """Return its option type."""
        return _TYPES[self._param.kind]

    @property
    def min_value(self) -> int | float | None:
        """Return the least number, or the fewest characters."""
        return self._param.shortest if self._param.kind is Kind.TEXT else self._bound(self._param.low)

    @property
    def max_value(self) -> int | float | None:
        """Return the largest number, or the most characters."""
        if self._param.kind is Kind.TEXT:
            return min(self._param.longest or _MOST_TEXT, _MOST_TEXT)
        return self._bound(self._param.high)

    @property
    def choices(self) -> list[Choice[str | int | float]] | None:
        """Return its few fixed values."""
        return [Choice(name=one, value=one) for one in self._param.choices] or None

    async def transform(self, interaction: Interaction, value: Any, /) -> Any:
        """Return the value as it came: the bot binds it."""
        del interaction
        return value

    def _bound(self, bound: float | None) -> int | float | None:
        if bound is None or self._param.kind is Kind.REAL:
            return bound
        return int(min(bound, _MOST_WHOLE))


class SuggestedOption(Option):
    """A parameter whose values are suggested while it is typed."""

    async def autocomplete(self, interaction: Interaction, value: int | float | str, /) -> list[Choice[str | int | float]]:
        """Return what begins like it, or holds it."""
        desk: InteractionHandler = interaction.client.desk
        names = await desk.bot.app.complete(self._param, str(value), caller_of(interaction), address_of(interaction, 0))
        return [Choice(name=name[:_MOST_CHOICE], value=name) for name in names if len(name) <= _MOST_CHOICE]


def tree_of(client: discord.Client, desk: InteractionHandler) -> Tree:
    """Return the bot's command tree for Discord."""
    tree = Tree(
        client,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
    )
    shown = [one for one in desk.bot.app.commands.values() if not one.hidden]
    names = {one.name for one in shown}
    groups: dict[str, app_commands.Group] = {}
    for command in shown:
        words = _TWO_WORDS.fullmatch(command.name)
        if words is None or words[1] in names:
            tree.add_command(_slash(desk, command, command.name))
            continue
        if words[1] not in groups:
            groups[words[1]] = app_commands.Group(name=words[1], description=words[1].capitalize())
            tree.add_command(groups[words[1]])
        groups[words[1]].add_command(_slash(desk, command, words[2]))
    for menu in menus(desk):
        tree.add_command(menu)
    return tree


async def digest(tree: Tree, base: str) -> str:
    """Return a digest of all that is registered with Discord: the commands are registered again if it has changed."""
    translations = Translations()
    payload = [await command.get_translated_payload(tree, translations) for command in tree.get_commands(type=None)]
    return hashlib.sha256(json.dumps([base, payload], sort_keys=True, default=str).encode()).hexdigest()


def _slash(desk: InteractionHandler, command: Command[Any], name: str) -> app_commands.Command[Any, ..., None]:
    async def run(interaction: Interaction, **given: Any) -> None:
        await desk.used(interaction, command, partial(_brought, interaction.client, given))

    # The library reads options from the signature of a function; this is the one that the declaration stands for.
    parameters = [inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction)]
    parameters += [_parameter(param) for param in command.params]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by `inspect.signature`
    app_commands.describe(**{param.name: translatable(partial(help_with, param)) for param in command.params})(run)
    is_restricted = desk.bot.config.discord.age_restricted and command.answer is Answer.PUBLIC
    return app_commands.Command(name=name, description=translatable(partial(help_of, command)), callback=run, nsfw=is_restricted)


def _parameter(param: Param) -> inspect.Parameter:
    option = Option(param) if param.suggested is None and param.completed is None else SuggestedOption(param)
    default = inspect.Parameter.empty if param.required else None
    return inspect.Parameter(param.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)


async def _brought(client: discord.Client, given: Mapping[str, Any]) -> dict[str, Given]:
    """Return what was given; nothing stands for what was left out, and a picture for its attachment."""
    said: dict[str, Given] = {}
    for name, value in given.items():
        if isinstance(value, discord.Attachment):
            said[name] = await attachments.fetched(client, attachments.Picture(value.url, value.size))
        elif value is not None:
            said[name] = value
    return said


def menus(desk: InteractionHandler) -> tuple[app_commands.ContextMenu, ...]:
    """Return the menus."""

    async def source(interaction: Interaction, message: discord.Message) -> None:
        if pictures := attachments.pictures_of(interaction.client, message):
            await _ask(desk, interaction, pictures[0])
        else:
            await tell(interaction, text("discord-menu-no-picture"))

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


async def _ask(desk: InteractionHandler, interaction: Interaction, picture: attachments.Picture) -> None:
    """Ask what to generate from an image."""
    key = desk.lay_aside(interaction, picture)
    sizes = desk.bot.app.suggestions(imagine.param("size"), "")
    values = dict.fromkeys(("prompt", "negative", "strength", "size"))
    form = forms.form(imagine, "discord-menu-source", imagine.name, values, {"size": sizes})
    await ask(interaction, modal(form, f"{SOURCE}{key}"))


async def _press(desk: InteractionHandler, interaction: Interaction, message: discord.Message, name: str) -> None:
    """Run the action of a message's button."""
    own = interaction.client.user
    is_ours = own is not None and message.author.id == own.id
    wires = [wire for wire in wires_of(message.components) if command_of(wire) == name] if is_ours else []
    if wires:
        await desk.pressed(interaction, wires[0])
    else:
        await tell(interaction, text("discord-menu-none"))

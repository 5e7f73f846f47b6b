"""Turns Discord interactions into invocations, and shows the results to the users."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import discord
import msgspec

from adapters.base import Bot
from adapters.discord import modals, render
from adapters.discord.api import REFUSALS, DiscordApi, SentMessage, channel_of, spot_of, wires_of
from adapters.discord.attachments import Picture, fetched
from adapters.discord.replies import Interaction, Unheard, acknowledge, address_of, ask, caller_of, change, is_heard, show, spot_for, tell
from bot.commands.generate import again, imagine
from bot.core.errors import BadInput, BotError, NotAllowed
from bot.core.values import Given, Invocation, MessageRef
from bot.framework.command import Answer, Command
from bot.framework.reply import Button, Form, Reply, command_of
from bot.i18n.translate import tell as told
from bot.i18n.translate import text
from inference.contract.errors import InferenceError

log = logging.getLogger("easel.discord")

#: The result of a command called from an address.
Run = Callable[[MessageRef], Awaitable[Reply]]

#: Number of stored images that wait for a form.
_MOST_ASIDE = 1_000

#: The arguments. Images are fetched only after the interaction was acknowledged.
Bring = Callable[[], Awaitable[Mapping[str, Given]]]


class InteractionHandler:
    """Runs commands for users and shows the replies; `most_bytes` is the maximum size of a file."""

    def __init__(self, bot: Bot, posts: DiscordApi, most_bytes: int) -> None:
        self.bot = bot
        self.posts = posts
        self._most_bytes = most_bytes
        #: Images that a user chose to start from, and whose form is still to come, by the interaction.
        self._aside: dict[str, tuple[int, Picture]] = {}
        #: Forms for which a user was shown a button, with the earlier arguments: the button carries only the command.
        self._forms: dict[tuple[int, str], Form] = {}

    def lay_aside(self, interaction: Interaction, picture: Picture) -> str:
        """Store an image until the form for it is submitted; return its key."""
        key = str(interaction.id)
        self._aside[key] = (interaction.user.id, picture)
        while len(self._aside) > _MOST_ASIDE:
            del self._aside[next(iter(self._aside))]
        return key

    def led_to(self, form: Form, user: int) -> discord.ui.LayoutView:
        """Return a button for a form: Discord shows a form only in answer to a press."""
        self._forms[user, form.wire] = form
        while len(self._forms) > _MOST_ASIDE:
            del self._forms[next(iter(self._forms))]
        return render.sentence(form.title, [Button("button-fill", form.wire)])

    async def sent_in(self, interaction: Interaction, data: Mapping[str, Any]) -> None:
        """Handle a submitted form."""
        known_as, client = str(data.get("custom_id", "")), interaction.client
        if known_as.startswith(modals.FORM):
            await self.pressed(interaction, known_as.removeprefix(modals.FORM), partial(modals.filled, client, data))
        elif known_as.startswith(modals.SOURCE):
            whose, picture = self._aside.get(known_as.removeprefix(modals.SOURCE), (0, None))

            async def bring() -> Mapping[str, Given]:
                if picture is None or whose != interaction.user.id:
                    raise BadInput("input-form-old")
                # The main parameter for an image, as for a message that carries one.
                first = imagine.attachments[0].name
                return {**await modals.filled(client, data), first: await fetched(client, picture)}

            await self.used(interaction, imagine, bring)

    async def used(self, interaction: Interaction, command: Command[Any], bring: Bring) -> None:
        """Run a slash command, or the command of a menu."""

        async def run(address: MessageRef) -> Reply:
            given = await bring()
            return await self.bot.app.handle(
                Invocation(
                    command=command.name,
                    given=dict(given),
                    caller=caller_of(interaction),
                    address=address,
                    line=_line(command, given),
                    key=str(interaction.id),
                )
            )

        if command.answer is not Answer.PRIVATE and not self.is_open(interaction.channel):
            await tell(interaction, text("discord-age"))
        else:
            await self._answered(interaction, command, run)

    async def pressed(self, interaction: Interaction, wire: str, filled: Bring | None = None) -> None:
        """Run the command of a button, or of a submitted form."""
        name = command_of(wire)
        command = self.bot.app.commands.get(name)

        async def run(address: MessageRef) -> Reply:
            said = await filled() if filled is not None else None
            key, line = str(interaction.id), f"/{name}"
            return await self.bot.app.pressed(wire, caller_of(interaction), address, filled=said, line=line, key=key)

        if command is None:
            await tell(interaction, text("input-button"))
        elif command.answer is not Answer.PRIVATE and not self.is_open(interaction.channel):
            await tell(interaction, text("discord-age"))
        elif command.asks and filled is None:
            await self._asked(interaction, wire, run)
        elif command.answer is Answer.PRIVATE and interaction.type is discord.InteractionType.component:
            await self._changed(interaction, run)
        else:
            await self._answered(interaction, command, run)

    async def _asked(self, interaction: Interaction, wire: str, run: Run) -> None:
        """Show the form of a command. It cannot be acknowledged first: a form is a first answer, or none."""
        reply = await self._ran(interaction, run, address_of(interaction, 0))
        if reply is not None and reply.form is not None:
            await ask(interaction, modals.modal(self._forms.get((interaction.user.id, wire), reply.form)))

    async def _changed(self, interaction: Interaction, run: Run) -> None:
        """Run a button that changes an existing message; its reply is for the user alone."""
        message = await self._heard(interaction, Answer.PRIVATE, is_update=True)
        if message is None:
            return
        self.posts.remember(interaction, message)
        reply = await self._ran(interaction, run, address_of(interaction, message))
        if reply is None:
            return
        await self._refresh(reply)
        # A visible change of the message needs no reply as well.
        is_seen = interaction.message is not None and not interaction.message.flags.ephemeral and reply.refresh
        if not is_seen or reply.buttons or reply.facts or reply.pictures or reply.files:
            await show(interaction, *await self.shown(reply))

    async def _answered(self, interaction: Interaction, command: Command[Any], run: Run) -> None:
        """Run a command whose answer is a message: visible to all if it generates, else for the user alone."""
        answer = command.answer
        message = await self._heard(interaction, answer)
        # Who is not heard and paints is answered in the channel; for everything else they ask again.
        instead = await self._instead(interaction) if message is None and answer is Answer.PUBLIC else None
        if message is None and instead is None:
            return
        address = instead or address_of(interaction, message or 0)
        reply = await self._ran(interaction, run, address, is_public=answer is Answer.PUBLIC)
        if reply is None:
            return
        if reply.form is not None:
            await self._led_to(interaction, reply.form, instead)
        elif reply.jobs:
            if reply.text and message is not None:
                # What is said first after an acknowledgement takes its place, for everybody to see: so first the card.
                await change(interaction, render.sentence(text("card-starting")))
                await tell(interaction, reply.text)
            await self._refresh(reply)
        else:
            await change(interaction, *await self.shown(reply))
            await self._refresh(reply)

    async def _led_to(self, interaction: Interaction, form: Form, instead: MessageRef | None) -> None:
        """Show the button for a form only to the caller; the placeholder for the image is deleted."""
        view = self.led_to(form, interaction.user.id)
        with contextlib.suppress(*REFUSALS):
            if instead is not None:
                await self.posts.edit(channel_of(instead), SentMessage(message=spot_of(instead).message), view, ())
                return
            await interaction.delete_original_response()
        await show(interaction, view)

    def is_open(self, channel: object) -> bool:
        """Return whether generation is allowed in a channel. In direct messages Discord itself checks the user's age."""
        if not self.bot.config.discord.age_restricted or isinstance(channel, discord.DMChannel | discord.GroupChannel):
            return True
        return bool(getattr(channel, "is_nsfw", lambda: False)())

    async def _heard(self, interaction: Interaction, answer: Answer, *, is_update: bool = False) -> int | None:
        """Acknowledge an interaction, before anything else; `None` if Discord accepts no answer any more."""
        try:
            return await acknowledge(interaction, answer, is_update=is_update)
        except Unheard as error:
            log.warning("discord.unheard interaction=%s reason=%s", interaction.id, error)
            return None

    async def _instead(self, interaction: Interaction) -> MessageRef | None:
        """Return a message of the bot if Discord accepted no answer, or `None` if the bot may write none."""
        ref = spot_for(interaction, 0)
        channel = interaction.channel_id
        if ref.is_guest or channel is None:
            return None
        try:
            message = await self.posts.surely(channel, render.sentence(text("card-starting")), str(interaction.id))
        except REFUSALS as error:
            log.warning("discord.unanswered interaction=%s reason=%s", interaction.id, type(error).__name__)
            return None
        return SentMessage(user=ref.user, message=message, limit=ref.limit, home=ref.home, under=ref.under).address(channel)

    async def _ran(self, interaction: Interaction, run: Run, address: MessageRef, *, is_public: bool = False) -> Reply | None:
        """Return the reply of a command; errors are shown to the user alone, and then there is nothing more to show."""
        try:
            return await run(address)
        except (BotError, InferenceError) as error:
            said, buttons = told(error.problem), _own(interaction, error)
        except Exception:
            log.exception("discord.broke interaction=%s", interaction.id)
            said, buttons = text("discord-broke", code=str(interaction.id)), ()
        with contextlib.suppress(*REFUSALS):
            if is_public and is_heard(interaction):
                # The placeholder is visible to all; an error is private.
                await interaction.delete_original_response()
            elif is_public:
                message = spot_of(address).message
                await self.posts.edit(channel_of(address), SentMessage(message=message), render.sentence(said), ())
                return None
            await tell(interaction, said, buttons)
        return None

    async def _refresh(self, reply: Reply) -> None:
        for job in (*reply.jobs, *reply.refresh):
            await self.bot.refresh(job)

    async def shown(self, reply: Reply, limit: int = 0, step: int = 0) -> tuple[discord.ui.LayoutView, render.Files]:
        """Return a reply with its files and its pictures, of several the small ones; with a limit, each of at most so many bytes."""
        pictures = reply.pictures
        if len(pictures) > 1:
            pictures = tuple(msgspec.structs.replace(one, file=one.thumbnail) for one in pictures)
        files = (await render.pack(self.bot.app.store.files, pictures, min(limit or self._most_bytes, self._most_bytes), step)).files
        return render.of_reply(reply, files), (*files, *map(render.file_of, reply.files))


def _own(interaction: Interaction, error: Exception) -> tuple[Button, ...]:
    """Return what somebody can press instead who pressed what is another's: the same for themselves."""
    if not isinstance(error, NotAllowed) or interaction.message is None:
        return ()
    wires = wires_of(interaction.message.components)
    return tuple(Button("button-own", wire) for wire in wires if wire.startswith(f"{again.name}:"))[:1]


def _line(command: Command[Any], given: Mapping[str, Given]) -> str:
    """Return the command line for the given arguments: it is shown as the user's words."""
    said = [f"--{name} {value}" for name, value in given.items() if name != command.free and not isinstance(value, bytes)]
    free = str(given.get(command.free, "")) if command.free else ""
    return " ".join([f"/{command.name}", *([free] if free else []), *said])

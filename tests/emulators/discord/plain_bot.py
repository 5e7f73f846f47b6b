"""A plain discord.py bot for the tests of the emulator."""

import io

from tests.emulators.discord.library import discord as library

commands = library.app_commands
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x08" + b"\x00" * 20


class Bot(library.AutoShardedClient):
    """A minimal bot: it records messages, and responds to components and forms with `answer`."""

    def __init__(self, shards=1):
        intents = library.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(intents=intents, shard_count=shards, guild_ready_timeout=0.1)
        self.tree, self.heard, self.resumed, self.answer = commands.CommandTree(self), [], 0, None

    async def setup_hook(self):
        for command in (imagine, peek, ask, info, preset):
            self.tree.add_command(command, override=True)
        await self.tree.sync()

    async def on_message(self, message):
        self.heard.append(message)

    async def on_resumed(self):
        self.resumed += 1

    async def on_interaction(self, interaction):
        if interaction.type in (library.InteractionType.component, library.InteractionType.modal_submit):
            await self.answer(interaction)


def file(name="cat.png"):
    """Return a picture file to send."""
    return library.File(io.BytesIO(PNG), name)


def buttons():
    """Return a button and a select."""
    view = library.ui.View(timeout=None)
    view.add_item(library.ui.Button(label="Again", custom_id="again:1"))
    return view.add_item(library.ui.Select(custom_id="size", options=[library.SelectOption(label="Wide", value="wide")]))


@commands.command()
async def imagine(interaction: library.Interaction, prompt: str, model: str = "demo", image: library.Attachment | None = None):
    """Paint."""
    await interaction.response.defer()
    data = await image.read() if image else b""
    await interaction.edit_original_response(content=f"{prompt} {model} {len(data)}", attachments=[file()], view=buttons())


@imagine.autocomplete("model")
async def models(interaction: library.Interaction, typed: str):
    return [commands.Choice(name=f"{typed} for {interaction.namespace.prompt}", value="demo")]


@commands.command()
async def peek(interaction: library.Interaction):
    """Answer one person, then say more."""
    await interaction.response.send_message("only you", ephemeral=True)
    await interaction.followup.send("more", ephemeral=True)


class Form(library.ui.Modal, title="Edit"):
    words = library.ui.Label(text="Words", component=library.ui.TextInput(custom_id="words", default="a circle"))
    size = library.ui.Label(
        text="Size",
        component=library.ui.Select(custom_id="size", required=False, options=[library.SelectOption(label="Wide", value="wide")]),
    )
    start = library.ui.Label(text="From", component=library.ui.FileUpload(custom_id="start", required=False))


@commands.command()
async def ask(interaction: library.Interaction):
    """Show a form."""
    await interaction.response.send_modal(Form(custom_id="form:1"))


@commands.context_menu(name="Info")
async def info(interaction: library.Interaction, message: library.Message):
    await interaction.response.send_message(f"{message.author.name} said {message.content}, {len(message.components)}")


preset = commands.Group(name="preset", description="Presets.")


@preset.command()
async def save(interaction: library.Interaction, name: str):
    """Save."""
    await interaction.response.send_message(f"saved {name}")

"""The commands registered on Discord: derived from their declarations, and registered again only if they change."""

import pytest
from discord import AppCommandOptionType

from adapters.base import Bot
from adapters.discord import commands as surface
from adapters.discord.api import DiscordApi
from adapters.discord.client import Client
from adapters.discord.interactions import InteractionHandler
from bot.commands import COMMANDS
from bot.config import Config
from bot.framework.command import command
from bot.framework.params import Kind, Params
from bot.framework.reply import Reply
from bot.generation.param_types import Page, Words
from tests.talk import talk


class Search(Params):
    """What to look for."""

    words: Words = None
    page: Page = None


@command
async def preset_save(_ctx, _want: Search) -> Reply:
    """Keep a preset."""
    return Reply()


@command
async def preset_list(_ctx, _want: Search) -> Reply:
    """Show presets."""
    return Reply()


@pytest.fixture
def told(tmp_path):
    """Return a function that returns the payloads of commands by kind and name, and their digest."""

    async def tell(commands=COMMANDS, **settings):
        async with talk(tmp_path, commands) as chat:
            config = Config.model_validate({"discord": settings})
            posts = DiscordApi(lambda: None)
            client = Client(config.discord, InteractionHandler(Bot(config, chat.app, None, None), posts, 1), lambda: None)
            made = {(one.to_dict(client.tree)["type"], one.name): one.to_dict(client.tree) for one in client.tree.get_commands(type=None)}
            return made, await surface.digest(client.tree, config.discord.api_base)

    return tell


#: The option type of each kind of parameter.
TYPES = {
    Kind.TEXT: AppCommandOptionType.string,
    Kind.WHOLE: AppCommandOptionType.integer,
    Kind.REAL: AppCommandOptionType.number,
    Kind.YES_NO: AppCommandOptionType.boolean,
    Kind.PICTURE: AppCommandOptionType.attachment,
    Kind.FILE: AppCommandOptionType.attachment,
}


def of(made, name):
    """Return the payload of a command; a command of two words is in the group named by the first."""
    group, _, word = name.partition("_")
    return made[1, name] if (1, name) in made else next(one for one in made[1, group]["options"] if one["name"] == word)


async def test_every_parameter_is_a_typed_option(told):
    """Each visible command is registered with its help, and each parameter with its type, bounds and description."""
    made, _ = await told()
    shown = [one for one in COMMANDS if not one.hidden]
    assert {name for kind, name in made if kind == 1} == {one.name.partition("_")[0] for one in shown}
    for one in shown:
        told_of = of(made, one.name)
        assert told_of["description"] == one.help
        options = {option["name"]: option for option in told_of["options"]}
        assert list(options) == [param.name for param in one.params]
        for param in one.params:
            option = options[param.name]
            assert option["type"] == TYPES[param.kind].value
            assert option["description"] == param.help
            assert option["required"] == param.required
            assert option.get("autocomplete", False) == (param.suggested is not None or param.completed is not None)
            assert [choice["value"] for choice in option.get("choices", ())] == list(param.choices)
            if param.kind in (Kind.WHOLE, Kind.REAL):
                assert (option.get("min_value"), option.get("max_value")) == (param.low, param.high)
            if param.kind is Kind.TEXT and param.longest:
                assert option["max_length"] == param.longest


async def test_commands_are_where_people_are(told):
    """Commands can be installed in servers and by users, and used in servers, direct messages and groups."""
    made, _ = await told()
    assert all(sorted(one["integration_types"]) == [0, 1] for one in made.values())
    assert all(sorted(one["contexts"]) == [0, 1, 2] for one in made.values())


async def test_menus(told):
    """The context menu of a message offers Use as source, Info and Again; that of a user offers Use as source."""
    made, _ = await told()
    assert {name for kind, name in made if kind == 3} == {"Use as source", "Info", "Again"}
    assert {name for kind, name in made if kind == 2} == {"Use as source"}


async def test_two_words_are_a_group(told):
    """A command of two words is a subcommand of a group."""
    made, _ = await told((preset_save, preset_list))
    group = made[1, "preset"]
    assert {one["name"]: one["type"] for one in group["options"]} == {"save": 1, "list": 1}
    assert {option["name"] for option in group["options"][0]["options"]} == {"words", "page"}


async def test_age_restricted_commands_are_those_that_paint(told):
    """If generation is limited to age-restricted channels, exactly the generating commands are marked as such."""
    plain, _ = await told()
    assert not any(one.get("nsfw") for one in plain.values())
    made, _ = await told(age_restricted=True)
    assert {name for (kind, name), one in made.items() if kind == 1 and one["nsfw"]} == {"imagine", "again", "vary", "use"}


async def test_what_is_told_is_known_by_its_digest(told):
    """The digest is equal for equal declarations and the same server, and changes with either."""
    (_, first), (_, second) = await told(), await told()
    assert first == second
    others = [await told((*COMMANDS, preset_save)), await told(age_restricted=True), await told(api_base="http://127.0.0.1:1/api/v10")]
    assert len({first, *(digest for _, digest in others)}) == 4


async def test_a_changed_translation_is_told(told, monkeypatch):
    """A changed translation alone changes the digest."""

    async def other(_self, string, _locale, _context):
        return f"{string.message[:90]} – anders"

    _, first = await told()
    monkeypatch.setattr(surface.Translations, "translate", other)
    assert (await told())[1] != first


async def test_what_discord_cannot_show_is_cut(told):
    """Integers are bounded by what Discord can represent, and all commands keep Discord's limits."""
    made, _ = await told()
    seed = next(option for option in made[1, "imagine"]["options"] if option["name"] == "seed")
    assert seed["max_value"] <= 2**53
    for (kind, _), one in made.items():
        if kind == 1:
            assert len(one["options"]) <= 25

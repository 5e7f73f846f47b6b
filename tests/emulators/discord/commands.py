"""Routes of the app's commands, and the checks that a command must pass."""

import json
import re

from tests.emulators.discord.errors import Refusal, bad, check_length, check_range
from tests.emulators.discord.routing import Routes

routes = Routes()
NAME = re.compile(r"[-_'\w]{1,32}", re.UNICODE)
CHAT, USER, MESSAGE = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, PERSON, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)
MOST = {CHAT: 100, USER: 15, MESSAGE: 15}
LONGEST_COMMAND = 8000


def _check(commands):
    for index, command in enumerate(commands):
        _check_command(str(index), command)
    for kind, most in MOST.items():
        names = [one["name"] for one in commands if one.get("type", CHAT) == kind]
        if len(names) > most:
            raise bad("_errors", "APPLICATION_COMMANDS_MAX", f"Maximum number of application commands reached ({most})")
        if len(set(names)) < len(names):
            raise bad("_errors", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")


def _check_command(channel, command):
    if command.get("type", CHAT) != CHAT:
        check_length(f"{channel}.name", command.get("name"), 1, 32)
        if command.get("description") or command.get("options"):
            raise bad(f"{channel}.description", "APPLICATION_COMMANDS_BAD", "Context menu commands have no description and no options")
        return
    _check_named(channel, command)
    _check_options(channel, command.get("options") or [])
    if _weight(command) > LONGEST_COMMAND:
        raise bad(channel, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({LONGEST_COMMAND})")


def _check_named(channel, one):
    name = one.get("name") or ""
    if not NAME.fullmatch(name) or name != name.lower():
        raise bad(f"{channel}.name", "APPLICATION_COMMAND_INVALID_NAME", f"Command name {name!r} is invalid")
    check_length(f"{channel}.description", one.get("description"), 1, 100)
    for key, most in (("name_localizations", 32), ("description_localizations", 100)):
        for locale, text in (one.get(key) or {}).items():
            check_length(f"{channel}.{key}.{locale}", text, 1, most)


def _check_options(channel, options):
    check_length(f"{channel}.options", options, 0, 25)
    for index, option in enumerate(options):
        here = f"{channel}.options.{index}"
        _check_named(here, option)
        _check_values(here, option)
        _check_options(here, option.get("options") or [])
    if len({one["name"] for one in options}) < len(options):
        raise bad(f"{channel}.options", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option names must be unique")
    wanted = [bool(one.get("required")) for one in options]
    if wanted != sorted(wanted, reverse=True):
        raise bad(f"{channel}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before others")
    if len({one["type"] in (SUBCOMMAND, GROUP) for one in options}) > 1:
        raise bad(f"{channel}.options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands and options are mutually exclusive")


def _check_values(channel, option):
    choices = option.get("choices") or []
    check_length(f"{channel}.choices", choices, 0, 25)
    for index, choice in enumerate(choices):
        check_length(f"{channel}.choices.{index}.name", choice.get("name"), 1, 100)
        if option["type"] == STRING:
            check_length(f"{channel}.choices.{index}.value", choice.get("value"), 1, 100)
    if choices and option.get("autocomplete"):
        raise bad(
            f"{channel}.autocomplete", "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_BAD", "Autocomplete and choices are mutually exclusive"
        )
    check_range(f"{channel}.min_length", option.get("min_length"), 0, 6000)
    check_range(f"{channel}.max_length", option.get("max_length"), 1, 6000)


def _weight(one):
    """Return the number of characters that count towards the limit: names, descriptions and values at every depth."""
    own = len(one.get("name", "")) + len(one.get("description") or "")
    choices = sum(len(choice["name"]) + len(str(choice["value"])) for choice in one.get("choices") or [])
    return own + choices + sum(_weight(option) for option in one.get("options") or [])


def _own(call):
    if call["application_id"] != call.discord.application_id:
        raise Refusal(20012)


def _list(call):
    """Return the registered commands of a server, or the global commands."""
    _own(call)
    guild_id = call.found.get("guild_id")
    if guild_id and not any(one.id == guild_id and one.has_bot for one in call.discord.guilds):
        raise Refusal(50001)
    return call.discord.registered.setdefault(guild_id, [])


def _replace(call):
    before = {(one["type"], one["name"]): one for one in _list(call)}
    commands = call.body or []
    _check(commands)
    call.discord.puts += 1
    return [_registered(call, one, before) for one in commands]


def _registered(call, command, before):
    """Return a command as Discord stores it: with default values, and with the id of the previous command of this name."""
    kind = command.get("type", CHAT)
    old = before.get((kind, command["name"]))
    usual = {"description": "", "default_member_permissions": None, "contexts": None, "nsfw": False, "options": []}
    given = {key: value for key, value in json.loads(json.dumps(command)).items() if value is not None}
    owned = {"application_id": call.discord.application_id, "version": call.discord.ids(), "type": kind}
    if call.found.get("guild_id"):
        owned["guild_id"] = call["guild_id"]
    return usual | {"integration_types": [0]} | given | owned | {"id": old["id"] if old else call.discord.ids()}


@routes.get("/applications/{application_id}/commands")
@routes.get("/applications/{application_id}/guilds/{guild_id}/commands")
def get_commands(call):
    """Return the commands."""
    return 200, _list(call)


@routes.put("/applications/{application_id}/commands")
@routes.put("/applications/{application_id}/guilds/{guild_id}/commands")
def put_commands(call):
    """Replace all commands."""
    registered = _replace(call)
    call.discord.registered[call.found.get("guild_id")] = registered
    if "guild_id" not in call.found:
        call.discord.commands = call.body or []
    return 200, registered

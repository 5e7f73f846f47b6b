"""What Discord's client sends for user input: options of commands, choices in selects, fields of forms."""

from tests.emulators.discord import commands as kinds
from tests.emulators.discord.components import LABEL, ROW, STRING_SELECT, TEXT_INPUT, UPLOAD

RADIO, CHECKBOXES, CHECKBOX = 21, 22, 23
PERSONS, ROLES, MENTIONABLES, CHANNELS = 5, 6, 7, 8


def filled(user, channel, command, path, given, *, focused=None):
    """Return the interaction data of a command with these options."""
    resolved, level, options = {}, [], command.get("options") or []
    for name in path:
        step = next((one for one in options if one["name"] == name and one["type"] in (kinds.SUBCOMMAND, kinds.GROUP)), None)
        assert step, f"{command['name']} has no {name!r}"
        level.append({"name": name, "type": step["type"]})
        options = step.get("options") or []
    assert not options or options[0]["type"] not in (kinds.SUBCOMMAND, kinds.GROUP), f"{command['name']} has commands within: say which"
    inner = _options(user, channel, options, given, resolved, focused)
    for one in reversed(level):
        inner = [one | {"options": inner}]
    data = {"id": command["id"], "name": command["name"], "type": kinds.CHAT, "options": inner}
    if command.get("guild_id"):
        data["guild_id"] = command["guild_id"]
    return data | ({"resolved": resolved} if resolved else {})


def _options(user, channel, options, given, resolved, focused):
    unknown = set(given) - {one["name"] for one in options}
    assert not unknown, f"No option {unknown} among {[one['name'] for one in options]}"
    missing = [one["name"] for one in options if one.get("required") and one["name"] not in given]
    # During autocomplete, required options may be missing.
    assert focused or not missing, f"{missing} must be filled in"
    told = []
    for option in options:
        if option["name"] in given:
            is_focused = option["name"] == focused
            value = given[option["name"]] if is_focused else _value(user, channel, option, given[option["name"]], resolved)
            told.append({"name": option["name"], "type": option["type"], "value": value} | ({"focused": True} if is_focused else {}))
    return told


def _value(user, channel, option, value, resolved):
    """Return the value to send; fail if Discord's client would refuse it."""
    name, kind = option["name"], option["type"]
    if option.get("choices"):
        found = [one["value"] for one in option["choices"] if value in (one["value"], one["name"])]
        assert found, f"{name} has no choice {value!r}: {[one['name'] for one in option['choices']]}"
        return found[0]
    if kind == kinds.ATTACHMENT:
        file = user.upload(*value, channel)
        resolved.setdefault("attachments", {})[file.id] = file.payload() | {"ephemeral": True}
        return file.id
    if kind in (kinds.PERSON, kinds.MENTIONABLE):
        for key, those in resolved_person(channel, value).items():
            resolved.setdefault(key, {}).update(those)
        return value.id
    if kind == kinds.CHANNEL:
        resolved.setdefault("channels", {})[value.id] = value.payload() | {"permissions": str(value.permissions(user).value)}
        return value.id
    return _plain(name, kind, option, value)


def _plain(name, kind, option, value):
    wanted = {kinds.STRING: str, kinds.INTEGER: int, kinds.BOOLEAN: bool, kinds.NUMBER: (int, float)}[kind]
    is_wanted = isinstance(value, wanted) and (kind == kinds.BOOLEAN or not isinstance(value, bool))
    assert is_wanted, f"{name} does not take {value!r}"
    size = len(value) if kind == kinds.STRING else value
    low, high = ("min_length", "max_length") if kind == kinds.STRING else ("min_value", "max_value")
    assert option.get(low) is None or size >= option[low], f"{name} is at least {option[low]}"
    assert option.get(high) is None or size <= option[high], f"{name} is at most {option[high]}"
    assert kind != kinds.STRING or size <= 6000, f"{name} is too long for Discord"
    return value


def resolved_person(channel, user):
    """Return the resolved data of a selected user."""
    told = {"users": {user.id: user.payload()}}
    if channel.guild and user.id in channel.guild.roles:
        member = channel.guild.member(user, channel)
        told["members"] = {user.id: {key: value for key, value in member.items() if key not in ("user", "deaf", "mute")}}
    return told


def _bounds(field):
    """Return how few and how many values a select or file field takes; null means one."""
    return tuple(1 if field.get(key) is None else field[key] for key in ("min_values", "max_values"))


def chosen(channel, select, values):
    """Return the data of a choice in a select."""
    low, high = _bounds(select)
    assert low <= len(values) <= high, f"{select['custom_id']} takes {low} to {high} values"
    if select["type"] == STRING_SELECT:
        return {"values": [_option(select, value) for value in values]}
    resolved = {}
    for value in values:
        found = {"channels": {value.id: value.payload()}} if select["type"] == CHANNELS else resolved_person(channel, value)
        for key, those in found.items():
            resolved.setdefault(key, {}).update(those)
    return {"values": [value.id for value in values], "resolved": resolved}


def _option(select, value):
    found = [one["value"] for one in select["options"] if value in (one["value"], one["label"])]
    assert found, f"{select['custom_id']} has no {value!r}: {[one['value'] for one in select['options']]}"
    return found[0]


def submitted(user, channel, modal, given):
    """Return the data of a submitted form."""
    resolved, told, names = {}, [], set()
    for component in modal["components"]:
        base = {"id": component["id"], "type": component["type"]}
        if component["type"] == LABEL:
            names.add(component["component"]["custom_id"])
            told.append(base | {"component": _field(user, channel, component["component"], given, resolved)})
        elif component["type"] == ROW:
            names.add(component["components"][0]["custom_id"])
            told.append(base | {"components": [_field(user, channel, component["components"][0], given, resolved)]})
        else:
            told.append(base)
    assert not set(given) - names, f"No field {set(given) - names} among {names}"
    return {"custom_id": modal["custom_id"], "components": told} | ({"resolved": resolved} if resolved else {})


def _field(user, channel, field, given, resolved):
    """Return the data of one field: the given value, or the bot's default."""
    told = {"id": field["id"], "type": field["type"], "custom_id": field["custom_id"]}
    value = given.get(field["custom_id"])
    fill = {TEXT_INPUT: _text, UPLOAD: _files, RADIO: _radio, CHECKBOXES: _boxes, CHECKBOX: _box}.get(field["type"], _select)
    return told | fill(user, channel, field, value, resolved)


def _text(_person, _channel, field, value, _resolved):
    value = field.get("value") or "" if value is None else value
    assert value or field.get("required", True) is False, f"{field['custom_id']} must be filled in"
    low, high = field.get("min_length") or 0, field.get("max_length") or 4000
    assert not value or low <= len(value) <= high, f"{field['custom_id']} has {low} to {high} characters"
    return {"value": value}


def _select(_person, channel, field, value, resolved):
    if value is None:
        value = [one["value"] for one in field.get("options", []) if one.get("default")]
    if not value:
        assert field.get("required", True) is False or not _bounds(field)[0], f"{field['custom_id']} must be chosen"
        return {"values": []}
    found = chosen(channel, field, value)
    for key, those in found.pop("resolved", {}).items():
        resolved.setdefault(key, {}).update(those)
    return found


def _files(user, channel, field, value, resolved):
    given = [] if value is None else [value] if isinstance(value, tuple) else value
    low, high = _bounds(field)
    needed = low if field.get("required", True) or given else 0
    assert needed <= len(given) <= high, f"{field['custom_id']} takes {low} to {high} files"
    files = [user.upload(name, data, channel) for name, data in given]
    for file in files:
        resolved.setdefault("attachments", {})[file.id] = file.payload() | {"ephemeral": True}
    return {"values": [file.id for file in files]}


def _radio(_person, _channel, field, value, _resolved):
    usual = next((one["value"] for one in field.get("options", []) if one.get("default")), None)
    value = usual if value is None else _option(field, value)
    assert value is not None or field.get("required", True) is False, f"{field['custom_id']} must be chosen"
    return {"value": value}


def _boxes(_person, _channel, field, value, _resolved):
    usual = [one["value"] for one in field.get("options", []) if one.get("default")]
    return {"values": usual if value is None else [_option(field, one) for one in value]}


def _box(_person, _channel, field, value, _resolved):
    return {"value": bool(field.get("default")) if value is None else bool(value)}

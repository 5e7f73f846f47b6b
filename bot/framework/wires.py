"""What a button carries: a command and its values, in a text that means the same for as long as its message exists.

A wire is `name:value:value`. The fields that a command had at first give their values by place, in the order of `PLACES`; a field
that came later is named by its id: `fill:poster::::%k=2`. In a value `%` and `:` are written `%25` and `%3A`, so neither kind can be
taken for the other. New fields therefore never move an old value, and nobody has to add anything here for them.
"""

from collections.abc import Iterator, Mapping, Sequence

from bot.core.errors import BadInput

#: The fields that have a place, by command, as they stood on 2026-11-23. Buttons with these wires are in chats: a place never changes
#: and none is added. A field that is renamed is renamed here too; one that is removed leaves `-` in its place.
PLACES: Mapping[str, tuple[str, ...]] = {
    command: tuple(fields.split())
    for command, fields in {
        "imagine": "prompt negative image strength size steps guidance scheduler seed count model preset",
        "again": "job same",
        "vary": "picture strength",
        "edit": "job prompt negative size steps image without",
        "branch": "picture prompt negative size steps seed without",
        "info": "picture",
        "original": "picture",
        "delete": "picture",
        "preset_use": "preset words negative image strength size steps guidance scheduler seed count model",
        "fill": (
            "preset code version asks size steps guidance count seed scheduler model negative slot_1 slot_2 slot_3 slot_4 "
            "slot_5 words without"
        ),
        "preset_list": "words page",
        "preset_show": "preset",
        "preset_save": "name prompt picture negative strength size steps guidance scheduler count model lock most tags",
        "preset_keep": "picture name tags",
        "preset_edit": ("name prompt picture negative strength size steps guidance scheduler count model lock most tags without"),
        "preset_fork": "preset name",
        "preset_share": "preset everybody off",
        "preset_delete": "preset",
        "preset_export": "preset format",
        "preset_import": "text file",
        "share": "prompt picture negative size steps guidance scheduler count model",
        "board": "order page",
        "use": "code",
        "like": "code",
        "keep": "code name",
        "report": "code reason",
        "reports": "order page",
        "dismiss": "code",
        "pin": "code off",
        "remove": "code",
        "digest": "switch",
        "group_link": "code",
        "rules": "closed most credits cover without",
        "cancel": "job",
        "move": "job way",
        "retry": "job",
        "resend": "job",
        "explain": "prompt negative image strength size steps guidance scheduler seed count model preset",
        "history": "words page",
        "favourite": "picture folder",
        "compare": "pictures",
        "settings": "steps guidance size count model scheduler negative preset language without here",
        "settle": "steps guidance size count model scheduler negative preset language without here",
        "grant": "person credits",
        "pause": "person",
        "resume": "person",
        "link": "code",
        "link_join": "person",
        "unlink": "platform",
        "forget_me": "person until",
        "help": "command",
    }.items()
}

#: Commands that were renamed: the name that old buttons carry, and the present one.
RENAMED: Mapping[str, str] = {}

#: Begins a value that is named: in other values `%` is always followed by `25` or `3A`.
_NAMED, _IS = "%", "="


def command_of(wire: str) -> str:
    """Return the name of the command that a wire carries, as the command is called now."""
    name = wire.partition(":")[0]
    return RENAMED.get(name, name)


def write(command: str, ids: Mapping[str, str], values: Mapping[str, str | int]) -> str:
    """Return the wire of a command with values by field; `ids` has every field of the command. Values left out are empty."""
    channels = PLACES.get(command, ())
    placed = [_escaped(str(values.get(field, ""))) for field in channels]
    while placed and not placed[-1]:
        placed.pop()
    later = [(id, str(values.get(field, ""))) for field, id in ids.items() if field not in channels]
    return ":".join([command, *placed, *(f"{_NAMED}{id}{_IS}{_escaped(value)}" for id, value in later if value)])


def read(command: str, ids: Mapping[str, str], parts: Sequence[str]) -> dict[str, str]:
    """Return the values of a wire by field, from what follows the command's name; the other half of `write`.

    Raises `BadInput` for parts that no button of this command can have.
    """
    found: dict[str, str] = {}
    for field, value in _fields(command, ids, parts):
        if field not in ids or field in found:
            raise BadInput("input-button")
        found[field] = value
    return found


def _fields(command: str, ids: Mapping[str, str], parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the values that are not empty, each with the field that it is for; of a field that is unknown the name is empty."""
    channels, later = PLACES.get(command, ()), {id: field for field, id in ids.items()}
    for number, part in enumerate(parts):
        if part.startswith(_NAMED) and not part.startswith(("%25", "%3A")):
            id, _, value = part.removeprefix(_NAMED).partition(_IS)
            yield later.get(id, ""), _plain(value)
        elif part or number >= len(channels):
            yield channels[number] if number < len(channels) else "", _plain(part)


def _escaped(value: str) -> str:
    """Return a value without the sign that separates values."""
    return value.replace("%", "%25").replace(":", "%3A")


def _plain(value: str) -> str:
    return value.replace("%3A", ":").replace("%25", "%")

"""Replies of commands: a sentence, facts, small pictures and buttons, independent of any platform.

A button carries a command and its values as one text, the wire, which means the same for as long as its message exists. A wire is
`name:value:value`. The fields that a command had on 2026-11-23 give their values by position, in the order of `PLACES`; later fields
are named by their id: `fill:poster::::%k=2`. In a value `%` and `:` are written `%25` and `%3A`, so the two kinds cannot be
confused. New fields therefore never move an old value, and need no change here.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bot.core.errors import BadInput
from bot.framework.params import Param
from bot.i18n.translate import text

#: The smallest limit of all platforms for the data of a button, in bytes.
MOST_WIRE = 64

#: The smallest limit of all platforms for a file, in bytes.
MOST_FILE = 8 * 2**20


class Button(msgspec.Struct, frozen=True):
    """A button: `wire` is its command with the values, as one text.

    A button works as long as its message exists, because nothing else needs to be stored. `label` is a key of the catalogue; `name`
    replaces it if a user chose the label. `careful` marks a destructive action, which platforms set apart.
    """

    label: str
    wire: str
    careful: bool = False
    name: str = ""

    @property
    def said(self) -> str:
        """Return the button's text."""
        return self.name or text(self.label)


class Fact(msgspec.Struct, frozen=True):
    """One line of a list: a name and a value."""

    name: str
    told: str


class Shown(msgspec.Struct, frozen=True):
    """A finished picture for display: `file` and `thumbnail` are keys of the file store."""

    id: str
    index: int
    seed: int
    width: int
    height: int
    file: str
    thumbnail: str
    words: str
    buttons: tuple[Button, ...] = ()
    #: Whether the picture is covered until a user reveals it.
    covered: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form: a parameter of the command, its present value, and values to choose from, if any.

    `label` is a label that a user chose, such as the name of a slot; the text in such a field is taken literally.
    """

    param: Param
    value: str = ""
    offered: tuple[str, ...] = ()
    label: str = ""
    covered: bool = False

    @property
    def name(self) -> str:
        """Return the field's label."""
        return self.label or self.param.name


class Form(msgspec.Struct, frozen=True):
    """A form: its fields, and the wire of the command with its fixed values. `send`, the label of its button, is a key of the catalogue.

    All fields, also empty ones, go to `App.pressed` together with `wire`.
    """

    title: str
    wire: str
    fields: tuple[Asked, ...]
    send: str


class Attachment(msgspec.Struct, frozen=True):
    """A file for the user, such as an export. `name` is its suggested file name."""

    name: str
    data: bytes
    covered: bool = False

    @property
    def is_picture(self) -> bool:
        """Return whether the file is a picture, which platforms show inline."""
        return self.name.endswith((".jpg", ".png", ".webp"))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `jobs` are the ids of jobs whose views the platform shows in the channel and keeps up to date.

    `refresh` are the ids of jobs that the command changed: their views are updated. A platform where the user sees that update need not
    send `text` as well. `whole`: the pictures are sent as unchanged files. `files` are sent to the requesting user alone.
    """

    text: str = ""
    facts: tuple[Fact, ...] = ()
    pictures: tuple[Shown, ...] = ()
    buttons: tuple[Button, ...] = ()
    jobs: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()
    form: Form | None = None
    whole: bool = False
    files: tuple[Attachment, ...] = ()


def covered(reply: Reply) -> Reply:
    """Return a reply with its pictures covered, also the one in a form; other files stay as they are."""
    pictures = tuple(msgspec.structs.replace(one, covered=True) for one in reply.pictures)
    files = tuple(msgspec.structs.replace(one, covered=one.is_picture) for one in reply.files)
    form = reply.form
    if form is not None:
        form = msgspec.structs.replace(form, fields=tuple(msgspec.structs.replace(one, covered=True) for one in form.fields))
    return msgspec.structs.replace(reply, pictures=pictures, files=files, form=form)


#: The positional fields by command, as of 2026-11-23. Chats contain buttons with these wires: a position never changes and none is
#: added. A field that is renamed is renamed here too; a removed field leaves `-` in its position.
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

#: The beginning of a named value: in other values `%` is always followed by `25` or `3A`.
_NAMED, _IS = "%", "="


def command_of(wire: str) -> str:
    """Return the present name of the command in a wire."""
    name = wire.partition(":")[0]
    return RENAMED.get(name, name)


def write_wire(command: str, ids: Mapping[str, str], values: Mapping[str, str | int]) -> str:
    """Return the wire of a command with values by field; `ids` has every field of the command. Values left out are empty."""
    channels = PLACES.get(command, ())
    placed = [_escaped(str(values.get(field, ""))) for field in channels]
    while placed and not placed[-1]:
        placed.pop()
    later = [(id, str(values.get(field, ""))) for field, id in ids.items() if field not in channels]
    return ":".join([command, *placed, *(f"{_NAMED}{id}{_IS}{_escaped(value)}" for id, value in later if value)])


def read_wire(command: str, ids: Mapping[str, str], parts: Sequence[str]) -> dict[str, str]:
    """Return the values of a wire by field, from its parts after the command's name; the inverse of `write_wire`.

    Raises `BadInput` for parts that no button of this command has.
    """
    found: dict[str, str] = {}
    for field, value in _fields(command, ids, parts):
        if field not in ids or field in found:
            raise BadInput("input-button")
        found[field] = value
    return found


def _fields(command: str, ids: Mapping[str, str], parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the values that are not empty, each with its field; the name of an unknown field is empty."""
    channels, later = PLACES.get(command, ()), {id: field for field, id in ids.items()}
    for number, part in enumerate(parts):
        if part.startswith(_NAMED) and not part.startswith(("%25", "%3A")):
            id, _, value = part.removeprefix(_NAMED).partition(_IS)
            yield later.get(id, ""), _plain(value)
        elif part or number >= len(channels):
            yield channels[number] if number < len(channels) else "", _plain(part)


def _escaped(value: str) -> str:
    """Return a value with the separator escaped."""
    return value.replace("%", "%25").replace(":", "%3A")


def _plain(value: str) -> str:
    return value.replace("%3A", ":").replace("%25", "%")

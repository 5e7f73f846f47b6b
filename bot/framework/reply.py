"""What a person gets back at once: a sentence, facts, small pictures, buttons. Neutral, frozen, free of any platform."""

import msgspec

from bot.framework.params import Param
from bot.i18n.translate import text

#: The smallest limit there is among platforms for what a button may carry, in bytes.
MOST_WIRE = 64

#: Likewise for a file that is handed over, in bytes.
MOST_FILE = 8 * 2**20


class Button(msgspec.Struct, frozen=True):
    """A command with its values, ready to press: `wire` is both as one text (`bot.framework.wires`).

    Nothing but this text has to survive until it is pressed, so a button works for ever. `label` is a key of the texts;
    `careful` asks the platform to set it apart, because it takes something away. `name` stands on it instead, where people named it.
    """

    label: str
    wire: str
    careful: bool = False
    name: str = ""

    @property
    def said(self) -> str:
        """Return what stands on it."""
        return self.name or text(self.label)


class Fact(msgspec.Struct, frozen=True):
    """One line of a list: what it is about, and what is said of it."""

    name: str
    told: str


class Shown(msgspec.Struct, frozen=True):
    """A finished picture as it is shown: `file` and `thumbnail` are keys of the file store."""

    id: str
    index: int
    seed: int
    width: int
    height: int
    file: str
    thumbnail: str
    words: str
    buttons: tuple[Button, ...] = ()
    #: Nobody sees it before they press on it.
    covered: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form: a parameter of the command, the value that it has now, and values to choose from, where there are some.

    `label` is what people call it where that is no name of ours; what is written there is taken as it is.
    """

    param: Param
    value: str = ""
    offered: tuple[str, ...] = ()
    label: str = ""
    covered: bool = False

    @property
    def name(self) -> str:
        """Return what the field is called."""
        return self.label or self.param.name


class Form(msgspec.Struct, frozen=True):
    """A form: its fields, and the command with the values that are fixed already. `send`, what ends it, is a key of the texts.

    What is filled in goes to `App.pressed` together with `wire`, fields left empty among it.
    """

    title: str
    wire: str
    fields: tuple[Asked, ...]
    send: str


class Attachment(msgspec.Struct, frozen=True):
    """A file that is handed over as it is: an export. `name` is what it is called where it is kept."""

    name: str
    data: bytes
    covered: bool = False

    @property
    def is_picture(self) -> bool:
        """Return whether it is a picture, which is shown rather than kept."""
        return self.name.endswith((".jpg", ".png", ".webp"))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `jobs` are the ids of jobs whose cards the platform shows in the place and keeps up to date.

    `refresh` are the ids of jobs that the command changed: their cards are shown anew where they belong. A platform that does so
    before the person's eyes need not say `text` as well. `whole`: the pictures are wanted as files, to the last bit.
    `files` are handed over to who asked alone.
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
    """Return a reply with its pictures covered, the one in a form too; a file that is no picture is opened by who asked, or not."""
    pictures = tuple(msgspec.structs.replace(one, covered=True) for one in reply.pictures)
    files = tuple(msgspec.structs.replace(one, covered=one.is_picture) for one in reply.files)
    form = reply.form
    if form is not None:
        form = msgspec.structs.replace(form, fields=tuple(msgspec.structs.replace(one, covered=True) for one in form.fields))
    return msgspec.structs.replace(reply, pictures=pictures, files=files, form=form)

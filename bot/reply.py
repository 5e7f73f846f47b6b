"""What a person gets back at once: a sentence, facts, small pictures, buttons. Neutral, frozen, free of any platform."""

import msgspec

#: The smallest limit there is among platforms for what a button may carry, in bytes.
MOST_WIRE = 64


class Button(msgspec.Struct, frozen=True):
    """A command with its values, ready to press: `wire` is `name:value:value`, positional over the command's parameters.

    Nothing but this text has to survive until it is pressed, so a button works for ever. `label` is a key of the texts;
    `careful` asks the platform to set it apart, because it takes something away.
    """

    label: str
    wire: str
    careful: bool = False


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


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `jobs` are the ids of jobs whose cards the platform shows in the place and keeps up to date.

    `refresh` are the ids of jobs that the command changed: their cards are shown anew where they belong. A platform that does so
    before the person's eyes need not say `text` as well.
    """

    text: str = ""
    facts: tuple[Fact, ...] = ()
    pictures: tuple[Shown, ...] = ()
    buttons: tuple[Button, ...] = ()
    jobs: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()

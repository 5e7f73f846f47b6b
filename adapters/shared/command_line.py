"""A line as people type it, for every platform that has lines: which command it calls, and the words after it."""

import re
from typing import NamedTuple

#: A slash, a name, and where a group has several bots the name of the one that is meant.
_COMMAND = re.compile(r"\s*/(?P<name>[A-Za-z][\w-]*)(?:@(?P<bot>\w+))?(?:\s+|$)", re.ASCII)

#: What a line without a command does.
PAINT = "imagine"


class CommandLine(NamedTuple):
    """A line as read; `bot` is empty where nobody in particular was meant."""

    command: str
    words: str
    bot: str = ""


def read_line(line: str) -> CommandLine:
    """Return the command and the words of a line; a line without a command asks for a picture."""
    found = _COMMAND.match(line)
    if found is None:
        return CommandLine(PAINT, line.strip())
    return CommandLine(found["name"].lower().replace("-", "_"), line[found.end() :].strip(), found["bot"] or "")

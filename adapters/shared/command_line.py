"""Parses a typed line into its command and arguments, for every platform with text input."""

import re
from typing import NamedTuple

#: A slash, a name, and, in a group with several bots, the name of the addressed bot.
_COMMAND = re.compile(r"\s*/(?P<name>[A-Za-z][\w-]*)(?:@(?P<bot>\w+))?(?:\s+|$)", re.ASCII)

#: The command for a line without a command, and for a line of nothing but slashes.
PAINT, HELP = "imagine", "help"


class CommandLine(NamedTuple):
    """A parsed line; `bot` is empty if it names no bot."""

    command: str
    words: str
    bot: str = ""


def read_line(line: str) -> CommandLine:
    """Return the command and the arguments of a line; a line without a command generates an image."""
    found = _COMMAND.match(line)
    if found is None and line.strip() and not line.strip().strip("/"):
        return CommandLine(HELP, "")
    if found is None:
        return CommandLine(PAINT, line.strip())
    return CommandLine(found["name"].lower().replace("-", "_"), line[found.end() :].strip(), found["bot"] or "")

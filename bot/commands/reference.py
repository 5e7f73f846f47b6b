"""The reference of all commands as Markdown, made from their declarations: `python -m bot.commands.reference`."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from bot.commands import COMMANDS
from bot.framework import binding
from bot.framework.command import Command
from bot.framework.help import about, flag, usage
from bot.i18n.translate import number, text
from bot.prompting import grammar as prompt
from bot.views import history_query

#: Where the reference is kept.
FILE = "docs/commands.md"


def page(commands: Sequence[Command[Any]] = COMMANDS) -> str:
    """Return the reference of these commands, and of the grammar that their words are read by."""
    shown = [one for one in commands if not one.hidden]
    lines = [f"# {text('docs-commands')}", "", text("docs-commands-intro"), ""]
    lines += _table([(f"[`/{one.name}`](#{one.name})", one.help) for one in shown])
    for one in shown:
        lines += ["", f"## {one.name}", "", f"`{usage(one)}`", "", one.help]
        if one.params:
            lines += ["", *_table([(f"`{flag(param, one)}`", about(param)) for param in one.params])]
    lines += ["", f"## {text('docs-flags')}", "", text("docs-flags-intro"), "", *_table_of(binding.__doc__)]
    grammar = text("docs-prompts-intro", most=number(prompt.MOST_CHARACTERS), several=number(prompt.MOST_PROMPTS))
    lines += ["", f"## {text('docs-prompts')}", "", grammar, "", *_table_of(prompt.__doc__)]
    lines += ["", f"## {text('docs-history')}", "", text("docs-history-intro"), "", *_table_of(history_query.__doc__)]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    head = (text("docs-write"), text("docs-means"))
    written = [f"| {left.replace('|', chr(92) + '|')} | {right.replace('|', chr(92) + '|')} |" for left, right in (head, *rows)]
    return [written[0], "|---|---|", *written[1:]]


def _table_of(description: str | None) -> Iterator[str]:
    """Yield the table that a module describes its own grammar with: what is said there is true of the code below it."""
    return (line for line in (description or "").splitlines() if line.startswith("|"))


if __name__ == "__main__":
    sys.stdout.write(page())

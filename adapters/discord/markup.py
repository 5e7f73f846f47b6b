"""Words that people wrote, made harmless: no markdown, no mention, no link of theirs has an effect."""

import re

#: Whatever begins markdown, a mention, a custom emoji, a time, a link or a list. A backslash before punctuation makes it plain;
#: before a colon it also keeps `https://` from becoming a link.
_SPECIAL = re.compile(r"([\\*_~`|>#\-+<@:\[\]()])")
_NUMBERED = re.compile(r"^(\s*\d+)\.", re.MULTILINE)


def plain(text: str, most: int = 0) -> str:
    """Return a text as Discord shows it letter for letter; of one that is longer than `most` the beginning, with an ellipsis."""
    if most and len(text) > most:
        text = text[: most - 1].rstrip() + "…"
    return _NUMBERED.sub(r"\1\\.", _SPECIAL.sub(r"\\\1", text))


def small(text: str) -> str:
    """Return a line in small grey letters; the text is taken as it is, and has to be plain."""
    return "\n".join(f"-# {line}" for line in text.splitlines() if line.strip())


def within(lines: list[str], most: int) -> str:
    """Return as many lines as have room, with an ellipsis where some have not."""
    kept: list[str] = []
    room = most - 2
    for line in lines:
        if len(line) + 1 > room:
            return "\n".join([*kept, "…"])
        kept.append(line)
        room -= len(line) + 1
    return "\n".join(kept)

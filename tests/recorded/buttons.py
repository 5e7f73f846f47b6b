"""Collects the button data that the bot posted, and what it binds to; part of the recording script."""

import asyncio
import html
import re
import tempfile
from pathlib import Path

from adapters.discord import modals as discord_forms
from bot.commands import COMMANDS
from tests.emulators.discord.uses import MODAL
from tests.recorded.pressing import pressing, wire_of
from tests.recorded.scene import ODD
from tests.recorded.stage import png

#: Recorded examples of each kind.
_MOST = 2

#: An id and a time in the form that the store makes.
ID, MOMENT = "Ab-0_cdEF12gh34I", 1_795_000_000


def posted(stage):
    """Return the data of all buttons, list entries and forms, as each platform carried it."""
    return [*_on_discord(stage.discord), *_on_telegram(stage.telegram), *_on_the_page(stage.pages)]


def _on_discord(discord):
    for channel in list(discord.channels.values()):
        for message in channel.every_message:
            for version in (*message.edits, message):
                if version.author is not discord.bot:
                    continue
                yield from ({"platform": "discord", "where": "button", "carried": wire} for _, wire, _ in version.buttons())
                for select in version.selects():
                    chosen = ({"select": select["custom_id"], "carried": one["value"]} for one in select["options"])
                    yield from ({"platform": "discord", "where": "choice", **one} for one in chosen)
    for use in discord.uses:
        if use.modal:
            fields = [one["component"]["custom_id"] for one in use.modal["components"]]
            yield {"platform": "discord", "where": "form", "carried": use.modal["custom_id"], "fields": fields}
        if use.kind_of_use == MODAL and "resolved" not in use.data:
            yield {"platform": "discord", "where": "filled", "carried": use.data["custom_id"], "data": use.data}


def _on_telegram(telegram):
    for chat in list(telegram.chats.values()):
        for message in chat.every_message:
            for version in (*message.edits, message):
                if version.sender is telegram.bot and version.keyboard:
                    yield from _of_message(version)


def _of_message(version):
    carried = [data for _, data in version.buttons() if not data.startswith("http")]
    form = next((data for data in carried if data.startswith("+")), None)
    if form is None:
        yield from ({"platform": "telegram", "where": "button", "carried": data} for data in carried)
    elif any(data.startswith("~") and "=" not in data for data in carried):
        shown = {"text": version.text, "entities": version.entities, "keyboard": version.keyboard}
        yield {"platform": "telegram", "where": "form", "carried": form, "message": shown}
    else:
        # The buttons offer values for one field.
        shown = {"text": version.text, "entities": version.entities, "keyboard": version.keyboard}
        yield {"platform": "telegram", "where": "values", "carried": form, "message": shown}


def _on_the_page(pages):
    for page in pages:
        for wire in re.findall(r'data-wire="([^"]*)"', page):
            yield {"platform": "web", "where": "button", "carried": html.unescape(wire)}
        for form in re.findall(r"<form class=\"entry asks\".*?</form>", page, re.DOTALL):
            (wire,) = re.findall(r'name="wire" value="([^"]*)"', form)
            fields = list(dict.fromkeys(re.findall(r'name="field-([^"]*)"', form)))
            yield {"platform": "web", "where": "form", "carried": html.unescape(wire), "fields": fields}


async def meant(everything):
    """Return a few posted strings of each kind, with the command and the values that each binds to."""
    with tempfile.TemporaryDirectory() as folder:
        async with pressing(Path(folder)) as bot:
            return {kind: await _few(bot, those) for kind, those in everything.items()}


async def _few(bot, those):
    kept, seen, kinds = [], set(), {}
    for one in those:
        if one["carried"].startswith("source:") or str(one) in seen:
            continue
        seen.add(str(one))
        filled = await discord_forms.filled(None, one["data"]) if one["where"] == "filled" else None
        command, values = await bot.meant(wire_of(one["carried"]), filled)
        kind = one["platform"], one["where"], one.get("select"), command, *sorted(values)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= _MOST:
            kept.append({**one, "command": command, "values": values})
    return kept


async def varied():
    """Return button data with varied values: optional values missing, special characters, submitted forms."""
    commands, made = {one.name: one for one in COMMANDS}, []
    with tempfile.TemporaryDirectory() as folder:
        async with pressing(Path(folder)) as bot:
            for name, given, filled in _kinds():
                wire = commands[name].wire(**given)
                assert len(wire.encode()) <= 64, wire
                sent = None if filled is None else {key: png("red") if value == "PNG" else value for key, value in filled.items()}
                command, values = await bot.meant(wire, sent)
                assert command == name
                made.append({"carried": wire, "filled": filled, "command": name, "values": values})
    return made


#: A submitted form whose optional fields were cleared.
_EMPTIED = {"prompt": "a boat", "negative": "", "size": "", "steps": " "}


def _kinds():
    """Yield commands with button values, and the submitted fields (None if the button opens no form)."""
    for name in ("again", "cancel", "move", "retry", "resend", "edit"):
        yield name, {"job": ID}, None
    for name in ("vary", "info", "original", "delete", "favourite", "preset_keep", "share", "branch"):
        yield name, {"picture": ID}, None
    for name in ("use", "like", "keep"):
        yield name, {"code": ID}, None
    yield "compare", {"pictures": ID}, None
    for words in ("", "circle", 'in:"odd: 100%"', "is:favourite", "a:b%3A", "ü☂"):
        yield "history", {"words": words, "page": 2}, None
        yield "preset_list", {"words": words, "page": 3}, None
    for order in ("new", "used", "liked"):
        yield "board", {"order": order, "page": 2}, None
    yield "board", {"order": "new"}, None
    for preset in (f"#{ID}", "poster", "Grüße"):
        for name in ("preset_use", "preset_delete", "preset_fork", "fill"):
            yield name, {"preset": preset}, None
    for words in ("a red circle", "a: 100% {one|two}", "--steps 3", "ü☂ (x:1.2)"):
        yield "imagine", {"prompt": words}, None
        yield "preset_use", {"preset": f"night {words}"}, None
        yield "use", {"code": f"{ID} {words}"}, None
    for name in ("link_check", "link_no", "settle"):
        yield name, {}, None
    yield "link_join", {"person": ID}, None
    yield "forget_me", {"person": ID, "until": MOMENT}, None
    yield from _filled()


def _filled():
    """Yield submitted forms."""
    for name, about in (("edit", {"job": ID}), ("branch", {"picture": ID})):
        yield name, about, {"prompt": f"a tree, {ODD}", "negative": ODD, "size": "64x96", "steps": "7"}
        yield name, about, _EMPTIED
    yield "edit", {"job": ID}, {"prompt": "a boat", "image": "PNG"}
    yield "edit", {"job": ID}, {"prompt": "a boat || a ship", "image": ""}
    yield "branch", {"picture": ID}, {"prompt": "a boat", "seed": "7"}
    yield "preset_keep", {"picture": ID}, {"name": "Grüße", "tags": "one, two"}
    yield "preset_keep", {"picture": ID}, {"name": "plain", "tags": ""}
    yield "settle", {}, {"steps": "7", "guidance": "4.5", "size": "1:1", "count": "2", "model": "demo"}
    yield "settle", {}, {"steps": "", "guidance": "4.5", "size": "", "count": "", "model": ""}
    slots = {f"slot_{number}": f"{ODD} {number}" for number in range(1, 6)}
    for source in ({"preset": f"#{ID}"}, {"preset": "poster"}, {"code": ID}):
        yield "fill", {**source, "version": 2, "asks": "abc"}, None
        yield "fill", {**source, "version": 2, "asks": "abcd"}, {"slot_1": ODD, "slot_2": "", "slot_3": "x", "words": "at night"}
    yield "fill", {"preset": "poster", "version": 1, "asks": "abcde"}, slots
    yield "fill", {"preset": "poster", "version": 1, "asks": "a"}, {"slot_1": "", "words": ""}
    carried = {"size": "16:9", "steps": 7, "guidance": 4.5, "count": 2, "seed": 2**32 - 9, "scheduler": "euler a", "model": "demo"}
    for name, value in (*carried.items(), ("negative", "fog: 100%")):
        yield "fill", {"preset": "poster", "version": 1, "asks": "ab", name: value}, None
        yield "fill", {"preset": "poster", "version": 1, "asks": "ab", name: value}, {"slot_1": "cat", "words": ""}
    yield "fill", {"preset": "a", "version": 1, "asks": "a", **carried, "negative": "fog"}, None


if __name__ == "__main__":
    print(len(asyncio.run(varied())))

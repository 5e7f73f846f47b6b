"""Render job views and replies for Discord: a few lines, the images, and rows of buttons (Components V2).

Images become files of a message: unchanged if they fit, smaller if not, and otherwise only named.
"""

import asyncio
import io
import re
from collections.abc import Iterable, Sequence

import discord
import msgspec
from discord import ui
from PIL import Image

from bot.framework.reply import Attachment, Button, Reply, Shown
from bot.i18n.translate import text
from bot.store.images.blobs import BlobStore
from bot.views.job_card import JobView, in_order

#: The alt text of a file.
MOST_ALT = 1024


class File(msgspec.Struct, frozen=True):
    """A file of a message, which can be sent several times. `covered`: the image is hidden until a user presses on it."""

    name: str
    data: bytes
    words: str = ""
    covered: bool = False

    @property
    def uri(self) -> str:
        """Return what a part of the message calls it by; Discord goes by the name of what is covered, too."""
        return self.opened().uri

    def opened(self) -> discord.File:
        """Return it as the library takes it; each one is sent once."""
        return discord.File(io.BytesIO(self.data), self.name, spoiler=self.covered, description=self.words[:MOST_ALT] or None)


Files = Sequence[File]


class Packed(msgspec.Struct, frozen=True):
    """Files that fit, and the step of the ladder on which they do; on the last one there are none."""

    files: tuple[File, ...]
    step: int


#: Characters of a prompt that a job view shows: its settings show all of it.
_MOST_WORDS = 300

#: Maximum characters of a message, and its maximum number of components; the library refuses more.
_MOST_SHOWN, _MOST_PARTS = 3_900, 40

#: Images with buttons of their own; for more a list is quicker than rows.
_MOST_ROWS = 5

#: What a list of pictures is known by, and how many lines it has.
PICK, _MOST_PICKED = "pick", 25

_PREVIEW = "preview.jpg"


def of_card(card: JobView, files: Files, *, note: str = "") -> ui.LayoutView:
    """Return a job view with its attached images; `note` is a sentence under it."""
    view = _view()
    # The status of a finished job contains the prompt too.
    if card.state != "done":
        view.add_item(ui.TextDisplay(plain(card.words, _MOST_WORDS)))
    more = len(card.pictures) - len(card.pictures[:MOST_FILES])
    notes = [note, text("discord-more", count=more) if more else ""]
    words = card.words if len(card.words) <= _MOST_WORDS else f"{card.words[: _MOST_WORDS - 1].rstrip()}…"
    status = plain(card.status.replace(card.words, words), 2 * _MOST_WORDS)
    view.add_item(ui.TextDisplay("\n".join(small(line) for line in (status, *map(plain, notes)) if line)))
    _add_gallery(view, files)
    _add_buttons(view, card)
    return view


def preview_of(card: JobView) -> tuple[File, ...]:
    """Return the preview of an image in progress."""
    if card.progress is None or card.progress.preview is None:
        return ()
    return (File(_PREVIEW, card.progress.preview, card.words, card.covered),)


def of_reply(reply: Reply, files: Files = ()) -> ui.LayoutView:
    """Return the reply of a command."""
    view = _view()
    lines = [plain(line) for line in reply.text.splitlines()]
    lines += [f"**{plain(fact.name)}** {plain(fact.told)}" for fact in reply.facts]
    said = within(lines, _MOST_SHOWN)
    if said or not (files or reply.files):
        view.add_item(ui.TextDisplay(said or text("discord-done")))
    _add_gallery(view, (*files, *(file_of(one) for one in reply.files if one.is_picture)))
    for one in reply.files:
        if not one.is_picture:
            view.add_item(ui.File(f"attachment://{one.name}"))
    _add_deeds(view, reply.pictures)
    _add_rows(view, reply.buttons)
    return view


def file_of(attachment: Attachment) -> File:
    """Return a file that a command hands over."""
    return File(attachment.name, attachment.data, covered=attachment.covered)


def sentence(said: str, buttons: Sequence[Button] = ()) -> ui.LayoutView:
    """Return a sentence."""
    return of_reply(Reply(text=said, buttons=tuple(buttons)))


def _view() -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    # The library is not to wait for its buttons: they come as what they carry, whoever sent them, and whenever.
    view.stop()
    return view


def _add_gallery(view: ui.LayoutView, files: Files) -> None:
    if files:
        items = (discord.MediaGalleryItem(one.uri, description=one.words[:MOST_ALT] or None, spoiler=one.covered) for one in files)
        view.add_item(ui.MediaGallery(*items))


def _add_buttons(view: ui.LayoutView, card: JobView) -> None:
    """Add the actions: with one image in one row, with several in a row or a list for each action."""
    if len(card.pictures) <= 1:
        of_picture = card.pictures[0].buttons if card.pictures else ()
        _add_rows(view, in_order((*card.buttons, *of_picture)))
        return
    _add_rows(view, card.buttons)
    _add_deeds(view, card.pictures)


def _add_deeds(view: ui.LayoutView, pictures: Sequence[Shown]) -> None:
    """Add the actions for each of several images, or for the only image."""
    if len(pictures) == 1:
        _add_rows(view, pictures[0].buttons)
    elif pictures:
        for deed in range(min(len(one.buttons) for one in pictures)):
            _add_deed(view, pictures, deed)


def _add_deed(view: ui.LayoutView, pictures: Sequence[Shown], deed: int) -> None:
    buttons = [(one.index + 1, one.buttons[deed]) for one in pictures]
    # What takes something away is in a list, however few there are: rows of it would be what one sees first, and presses by mistake.
    if len(buttons) <= _MOST_ROWS and not buttons[0][1].careful:
        view.add_item(ui.ActionRow(*(_button(button, number) for number, button in buttons)))
        return
    label = buttons[0][1].said
    options = [discord.SelectOption(label=f"{label} {number}", value=button.wire) for number, button in buttons[:_MOST_PICKED]]
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    row.add_item(ui.Select(custom_id=f"{PICK}:{deed}", placeholder=text("discord-pick", label=label), options=options))
    view.add_item(row)


def _add_rows(view: ui.LayoutView, buttons: Iterable[Button]) -> None:
    """Add rows of five buttons; buttons beyond the message's limit are left out."""
    some = list({button.wire: button for button in buttons}.values())
    for first in range(0, len(some), 5):
        row = some[first : first + 5]
        if view.total_children_count + len(row) + 1 > _MOST_PARTS:
            return
        view.add_item(ui.ActionRow(*map(_button, row)))


def _button(button: Button, number: int | None = None) -> ui.Button[ui.LayoutView]:
    style = discord.ButtonStyle.danger if button.careful else discord.ButtonStyle.secondary
    label = button.said if number is None else f"{button.said} {number}"
    return ui.Button(label=label, custom_id=button.wire, style=style)


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


#: A message takes so many files, and so many bytes of them with everything else in it.
MOST_FILES, _MOST_BYTES = 10, 24 * 2**20


#: How pictures get smaller, step by step: the quality, and the longest side where that is bounded.
_LADDER: tuple[tuple[int, int], ...] = ((92, 0), (80, 0), (75, 1024), (70, 512))

#: How small pictures, for lists, begin; Discord goes by the name of a file.
_JPEG = b"\xff\xd8\xff"

#: Steps of the ladder, the pictures as they are before the first, and none at all after the last.
STEPS = len(_LADDER) + 2


async def pack(files: BlobStore, pictures: Sequence[Shown], limit: int, step: int = 0) -> Packed:
    """Return pictures of the store on the first step, from the given one on, on which each has at most `limit` bytes."""
    kept = [(one, data) for one in pictures[:MOST_FILES] if (data := await _kept(files, one.file)) is not None]
    while step < STEPS - 1:
        packed = tuple([await _packed(one, data, limit, step) for one, data in kept])
        if all(len(file.data) <= limit for file in packed) and sum(len(file.data) for file in packed) <= _MOST_BYTES:
            return Packed(packed, step)
        step += 1
    return Packed((), STEPS - 1)


async def _kept(files: BlobStore, key: str) -> bytes | None:
    """Return an image, or `None` if it was deleted at this moment."""
    try:
        return await files.get(key)
    except FileNotFoundError:
        return None


async def _packed(one: Shown, data: bytes, limit: int, step: int) -> File:
    name = f"{one.index}-{one.id}"
    # On the first step down only those that are too large: the others lose nothing.
    if step == 0 or (step == 1 and len(data) <= limit):
        return File(f"{name}.{'jpg' if data.startswith(_JPEG) else 'png'}", data, one.words, one.covered)
    quality, side = _LADDER[step - 1]
    return File(f"{name}.webp", await asyncio.to_thread(_smaller, data, quality, side), one.words, one.covered)


def _smaller(data: bytes, quality: int, side: int) -> bytes:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
        image = picture.convert("RGB")
    if side:
        # Not above: on the first steps only the coding loses something.
        image.thumbnail((side, side))
    made = io.BytesIO()
    image.save(made, "WEBP", quality=quality)
    return made.getvalue()

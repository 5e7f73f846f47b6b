"""Shows a request in a terminal: a progress line and a small preview while it runs, one result line after."""

import io
from types import TracebackType
from typing import Self

from PIL import Image
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.i18n.translate import text
from bot.views.job_card import JobView

#: Character columns of the longer side of a preview; half as many lines, for each holds two pixels.
_PREVIEW_SIDE = 32


def can_preview(console: Console) -> bool:
    """Return whether a terminal can show a picture made of coloured half blocks."""
    return console.is_terminal and console.color_system == "truecolor" and console.encoding.startswith("utf")


class ProgressBoard:
    """The progress of one request on a terminal; silent where standard output is a file or a pipe."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, transient=True, refresh_per_second=8) if console.is_terminal else None
        self._preview: Text | None = None
        self._jpeg: bytes | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
            self._live.update(Text(text("paint-loading"), style="dim"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.update("")
            self._live.stop()

    def show(self, card: JobView) -> None:
        """Show how far the request is."""
        progress = card.progress
        if not self._live or progress is None:
            return
        if progress.preview is not None and progress.preview is not self._jpeg:
            self._jpeg, self._preview = progress.preview, half_blocks(progress.preview)
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=progress.of, completed=progress.n, width=_PREVIEW_SIDE), card.status)
        shown: list[RenderableType] = [self._preview, row] if self._preview else [row]
        # At once: a quick model is done before the next regular refresh.
        self._live.update(Group(*shown), refresh=True)


def half_blocks(jpeg: bytes) -> Text:
    """Return a picture as text: each character is two pixels, one above the other."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    shown = Text()
    for top in range(0, image.height - 1, 2):
        if top:
            shown.append("\n")
        for left in range(image.width):
            upper, lower = (_colour(image, left, line) for line in (top, top + 1))
            shown.append("▀", Style(color=upper, bgcolor=lower))
    return shown


def _colour(image: Image.Image, left: int, top: int) -> str:
    pixel = image.getpixel((left, top))
    assert isinstance(pixel, tuple), "pixels of an RGB image are tuples"
    return "#{:02x}{:02x}{:02x}".format(*pixel)

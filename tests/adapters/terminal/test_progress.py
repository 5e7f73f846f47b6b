"""Progress in a terminal."""

import io

from PIL import Image
from rich.console import Console

from adapters.terminal.progress import ProgressBoard, can_preview, half_blocks
from bot.views.job_card import JobView, Progress


def jpeg(image):
    """Return an image encoded as the engine encodes previews."""
    held = io.BytesIO()
    image.save(held, "JPEG", quality=95)
    return held.getvalue()


def test_half_blocks():
    """A preview keeps its proportions, and each character shows two pixels."""
    image = Image.new("RGB", (128, 64), "red")
    image.paste("blue", (0, 32, 128, 64))
    shown = half_blocks(jpeg(image))
    assert shown.plain == "\n".join(["▀" * 32] * 8)
    first, last = shown.spans[0].style, shown.spans[-1].style
    assert first.color.triplet.red > 240
    assert last.bgcolor.triplet.blue > 240


def test_tiny_previews():
    """A preview of a single pixel shows nothing and does not fail."""
    assert half_blocks(jpeg(Image.new("RGB", (1, 1)))).plain == ""


def test_files_and_pipes_get_no_progress():
    """If standard output is not a terminal, no progress is shown."""
    console = Console(file=io.StringIO(), force_terminal=False)
    running = Progress(1, 2, preview=jpeg(Image.new("RGB", (8, 8))))
    with ProgressBoard(console) as board:
        board.show(JobView(job="", owner="", state="running", line="", words="", status="", width=8, height=8, count=1, progress=running))
    assert console.file.getvalue() == ""
    assert not can_preview(console)

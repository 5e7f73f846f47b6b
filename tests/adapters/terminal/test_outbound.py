"""What a terminal shows."""

import io

import msgspec
import pytest
from PIL import Image
from rich.console import Console

from adapters.terminal.outbound import Board, can_preview, duration, half_blocks, progress, result
from bot import prompt
from inference.request import PictureRequest, Step

REQUEST = PictureRequest(
    prompt=prompt.read("red circle on blue"), model="m", width=64, height=64, steps=20, guidance=1.0, scheduler="euler", seed=4294967295
)


def jpeg(image):
    """Return an image as the engine sends previews."""
    held = io.BytesIO()
    image.save(held, "JPEG", quality=95)
    return held.getvalue()


@pytest.mark.parametrize(
    ("n", "seconds", "line"),
    [
        (1, 0.0, "step 1 of 20"),
        (11, 5.5, "step 11 of 20, about 5 s"),
        (19, 0.1, "step 19 of 20, about 1 s"),
        (11, 200.0, "step 11 of 20, about 3 min"),
        (20, 9.0, "step 20 of 20"),
    ],
)
def test_progress(n, seconds, line):
    """The progress line says how far it is and, once that can be told, how long it will take."""
    assert progress(Step(n, 20), seconds) == line


def test_durations():
    """Times are said as people say them, never as nothing."""
    assert [duration(seconds) for seconds in (0.0, 4.4, 59.4, 60.0, 150.0)] == ["1 s", "4 s", "59 s", "1 min", "2 min"]


def test_result():
    """The result line has the prompt, the steps, the exact seed and the time."""
    assert result(REQUEST, 4.1234) == "red circle on blue · 20 steps · seed 4294967295 · 4.1 s"
    one = msgspec.structs.replace(REQUEST, steps=1, seed=7, prompt=prompt.read(""))
    assert result(one, 1.0) == "no words · 1 step · seed 7 · 1 s"


def test_half_blocks():
    """A preview keeps its shape, and each character its two colours."""
    image = Image.new("RGB", (128, 64), "red")
    image.paste("blue", (0, 32, 128, 64))
    shown = half_blocks(jpeg(image))
    assert shown.plain == "\n".join(["▀" * 32] * 8)
    first, last = shown.spans[0].style, shown.spans[-1].style
    assert first.color.triplet.red > 240
    assert last.bgcolor.triplet.blue > 240


def test_tiny_previews():
    """A preview of a single pixel shows nothing rather than failing."""
    assert half_blocks(jpeg(Image.new("RGB", (1, 1)))).plain == ""


def test_files_and_pipes_get_no_progress():
    """Where standard output is no terminal, the board stays silent."""
    console = Console(file=io.StringIO(), force_terminal=False)
    with Board(console) as board:
        board.step(Step(1, 2, jpeg(Image.new("RGB", (8, 8)))))
    assert console.file.getvalue() == ""
    assert not can_preview(console)

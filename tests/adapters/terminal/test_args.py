"""From what was typed to a request and its files."""

from pathlib import Path

import pytest

from adapters.cli.paint import wanted
from adapters.terminal.args import PaintArgs, files_of, write
from bot.core.errors import BadInput, BadOutput
from inference.contract.errors import BadPicture
from inference.contract.model_info import MAX_SEED, Defaults, Limits, ModelInfo

MODEL = ModelInfo(
    name="m",
    family="sd1",
    kind="folder",
    source="",
    prediction="epsilon",
    precision="",
    bytes=0,
    sha256="",
    limits=Limits(multiple=8, smallest=64, largest=256, most_pixels=65536),
    defaults=Defaults(width=128, height=96, steps=9, guidance=3.5, scheduler="heun"),
    schedulers=("heun", "euler a"),
)


def request_of(typed):
    """Return the request that a typed line makes."""
    return wanted(typed, MODEL).request


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch, tmp_path):
    """Let names without a folder be files of this test alone."""
    monkeypatch.chdir(tmp_path)


def test_what_is_left_out_is_the_models_choice():
    """A bare prompt is painted as the model does it best, with a seed drawn anew."""
    first, second = (request_of(PaintArgs(prompt="a (b:1.2)")) for _ in range(2))
    assert (first.width, first.height, first.steps, first.guidance, first.scheduler) == (128, 96, 9, 3.5, "heun")
    assert [one.weight for part in first.prompt.parts for one in part] == [1.0, 1.2]
    assert first.seed != second.seed


def test_what_is_typed_is_taken():
    """Every value that was given is in the request, zeros too."""
    typed = PaintArgs(
        prompt="a", given={"negative": "b", "steps": 1, "guidance": 0.0, "scheduler": " Euler A ", "seed": 0, "size": "64x72", "count": 3}
    )
    request = request_of(typed)
    assert (request.negative.text, request.steps, request.guidance, request.scheduler) == ("b", 1, 0.0, "euler a")
    assert (request.seed, request.width, request.height, request.count) == (0, 64, 72, 3)


def test_seeds_of_all_pictures_are_seeds(monkeypatch):
    """A drawn seed leaves room for the pictures that follow it."""
    monkeypatch.setattr("secrets.randbelow", lambda most: most - 1)
    assert request_of(PaintArgs(prompt="a", given={"count": 16})).seed + 15 <= MAX_SEED


def test_pictures_are_looked_at_before_anything_starts():
    """A source that is missing, a folder or no picture is refused."""
    Path("text.png").write_text("no")
    for name, kind in (("none.png", BadInput), (".", BadInput), ("text.png", BadPicture)):
        with pytest.raises(kind):
            request_of(PaintArgs(prompt="a", image=Path(name)))


def test_one_prompt_at_a_time():
    """Several prompts in one line have no file to go to each, so they are refused."""
    with pytest.raises(BadInput, match="input-one-prompt"):
        request_of(PaintArgs(prompt="a cat || a boat"))


@pytest.mark.parametrize(
    ("output", "count", "names"),
    [
        ("a.png", 1, ["a.png"]),
        ("a.PNG", 1, ["a.PNG"]),
        ("a", 1, ["a.png"]),
        ("v1.5", 1, ["v1.5.png"]),
        ("a.png", 3, ["a-1.png", "a-2.png", "a-3.png"]),
        (None, 1, ["a-red-circle-on-blue-7.png"]),
    ],
)
def test_names(output, count, names):
    """A file gets the name that was given, or one made of prompt and seed; several are numbered."""
    typed = PaintArgs(prompt="A red circle, on (blue)!", output=Path(output) if output else None)
    assert [str(path) for path in files_of(typed, 7, count)] == names


@pytest.mark.parametrize(("prompt", "name"), [("", "picture-7.png"), ("../../etc", "etc-7.png"), ("円" * 200, "円" * 48 + "-7.png")])
def test_prompts_make_harmless_names(prompt, name):
    """A name made of a prompt stays in the folder and within what file systems take."""
    assert str(files_of(PaintArgs(prompt=prompt), 7, 1)[0]) == name


def test_writing_keeps_the_old_picture_until_the_new_one_is_whole(tmp_path):
    """A picture that cannot be written is refused by name and leaves nothing behind."""
    path = tmp_path / "a.png"
    write(path, b"old")
    write(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(BadOutput, match="output-failed"):
        write(tmp_path / "none" / "a.png", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_names_that_no_file_system_takes():
    """A name that is too long is refused before anything is painted; the longest that is not is written."""
    with pytest.raises(BadOutput, match="output-failed"):
        files_of(PaintArgs(prompt="a", output=Path("n" * 300)), 7, 1)
    (longest,) = files_of(PaintArgs(prompt="a", output=Path("n" * 251)), 7, 1)
    write(longest, b"picture")
    assert longest.read_bytes() == b"picture"

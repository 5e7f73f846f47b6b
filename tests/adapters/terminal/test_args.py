"""Turning command-line arguments into a request and its files."""

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
    """Return the request for the given arguments."""
    return wanted(typed, MODEL).request


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch, tmp_path):
    """Use an empty folder as the working directory."""
    monkeypatch.chdir(tmp_path)


def test_what_is_left_out_is_the_models_choice():
    """A bare prompt uses the model's defaults and a random seed."""
    first, second = (request_of(PaintArgs(prompt="a (b:1.2)")) for _ in range(2))
    assert (first.width, first.height, first.steps, first.guidance, first.scheduler) == (128, 96, 9, 3.5, "heun")
    assert [one.weight for part in first.prompt.parts for one in part] == [1.0, 1.2]
    assert first.seed != second.seed


def test_what_is_typed_is_taken():
    """Every given value is in the request, including zeros."""
    typed = PaintArgs(
        prompt="a", given={"negative": "b", "steps": 1, "guidance": 0.0, "scheduler": " Euler A ", "seed": 0, "size": "64x72", "count": 3}
    )
    request = request_of(typed)
    assert (request.negative.text, request.steps, request.guidance, request.scheduler) == ("b", 1, 0.0, "euler a")
    assert (request.seed, request.width, request.height, request.count) == (0, 64, 72, 3)


def test_seeds_of_all_pictures_are_seeds(monkeypatch):
    """A random seed leaves room for the consecutive seeds of all pictures."""
    monkeypatch.setattr("secrets.randbelow", lambda most: most - 1)
    assert request_of(PaintArgs(prompt="a", given={"count": 16})).seed + 15 <= MAX_SEED


def test_pictures_are_looked_at_before_anything_starts():
    """A source that is missing, a folder or not a picture is refused."""
    Path("text.png").write_text("no")
    for name, kind in (("none.png", BadInput), (".", BadInput), ("text.png", BadPicture)):
        with pytest.raises(kind):
            request_of(PaintArgs(prompt="a", image=Path(name)))


def test_one_prompt_at_a_time():
    """Several prompts in one line are refused, because there is no file name for each."""
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
    """A file gets the given name or a name made of prompt and seed; several are numbered."""
    typed = PaintArgs(prompt="A red circle, on (blue)!", output=Path(output) if output else None)
    assert [str(path) for path in files_of(typed, 7, count)] == names


@pytest.mark.parametrize(("prompt", "name"), [("", "picture-7.png"), ("../../etc", "etc-7.png"), ("円" * 200, "円" * 48 + "-7.png")])
def test_prompts_make_harmless_names(prompt, name):
    """A name made of a prompt stays in the folder and within the limits of file systems."""
    assert str(files_of(PaintArgs(prompt=prompt), 7, 1)[0]) == name


def test_writing_keeps_the_old_picture_until_the_new_one_is_whole(tmp_path):
    """A picture that cannot be written is refused and leaves no partial file; an existing file is replaced as a whole."""
    path = tmp_path / "a.png"
    write(path, b"old")
    write(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(BadOutput, match="output-failed"):
        write(tmp_path / "none" / "a.png", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_names_that_no_file_system_takes():
    """A name that is too long is refused before the request runs; the longest valid name can be written."""
    with pytest.raises(BadOutput, match="output-failed"):
        files_of(PaintArgs(prompt="a", output=Path("n" * 300)), 7, 1)
    (longest,) = files_of(PaintArgs(prompt="a", output=Path("n" * 251)), 7, 1)
    write(longest, b"picture")
    assert longest.read_bytes() == b"picture"

"""The `easel` command in a separate process, with the real engine."""

import contextlib
import functools
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from adapters import bootstrap
from adapters.cli import main
from bot.config import Config
from inference.demo import WEIGHTS
from tests.running import ROOT

EASEL = [sys.executable, "-m", "tests.forked_easel"]

#: In seconds. Longer than any of these takes on a small machine under load; a test that waits this long has failed.
PATIENCE = 240


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Return the environment of a terminal without colours and without Easel settings."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("EASEL__", "FORCE_COLOR", "COLORTERM"))}
    return {
        **plain,
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "TERM": "dumb",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def easel(environment, tmp_path):
    """Return a function that runs the command in an empty folder."""

    def run(*words, **variables):
        return subprocess.run(
            [*EASEL, *words],
            cwd=tmp_path,
            env={**environment, **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def inside(environment, tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in this process, which spares its start, and returns exit code, output and errors."""

    def run(*words):
        monkeypatch.chdir(tmp_path)
        for name in set(os.environ) - set(environment):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["easel", *words])
        # The log of this process is that of all tests.
        monkeypatch.setattr(main.logging, "set_up", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            main.main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


def pictures(folder):
    """Return the names of the files in a folder, except the store."""
    return sorted(path.name for path in folder.iterdir() if path.name != "data")


def in_store(folder, statement):
    """Run a statement in the store of a folder; return the number of changed rows and the result rows."""
    with contextlib.closing(sqlite3.connect(f"file:{folder}/data/easel.db?mode=rw", uri=True, timeout=30)) as database, database:
        done = database.execute(statement)
        rows = done.fetchall()
    return done.rowcount, rows


def test_paint(easel, tmp_path):
    """A prompt becomes a PNG file with its settings, and one line reports them."""
    done = easel("paint", "a red circle on a blue background", "-o", "circle.png", "--seed", "7", "--steps", "4")
    assert (done.returncode, done.stderr) == (0, "")
    line, file = done.stdout.splitlines()
    assert re.fullmatch(r"a red circle on a blue background · 4 steps · seed 7 · [0-9.]+ s", line)
    assert file == "circle.png"
    with Image.open(tmp_path / file) as image:
        assert image.format == "PNG"
        assert "a red circle on a blue background" in image.info["parameters"]


def test_paint_again(easel, tmp_path):
    """The same command generates the same picture and overwrites the existing file."""
    seen = []
    for _ in range(2):
        assert easel("paint", "a green star", "-o", "star", "--seed", "3", "--steps", "2", "--scheduler", "Euler A").returncode == 0
        with Image.open(tmp_path / "star.png") as image:
            seen.append(image.tobytes())
    assert seen[0] == seen[1]
    assert pictures(tmp_path) == ["star.png"]


def test_paint_with_another_layer(easel, tmp_path):
    """An option that only some models have takes effect and is written to the file."""
    done = easel("paint", "a green star", "-o", "star.png", "--seed", "3", "--steps", "2", "--clip-skip", "2")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "star.png") as image:
        assert ", Clip skip: 2" in image.text["parameters"]


def test_paint_from_a_picture(easel, tmp_path):
    """A source picture determines the shape, and a low strength keeps its colours."""
    Image.new("RGB", (400, 200), (240, 220, 30)).save(tmp_path / "source.png")
    done = easel("paint", "a boat", "--image", "source.png", "--strength", "0.1", "--steps", "10", "-o", "boat.png")
    assert done.returncode == 0
    with Image.open(tmp_path / "boat.png") as image:
        assert image.width > 1.5 * image.height
        red, green, blue = image.resize((1, 1)).getpixel((0, 0))
    assert min(red, green) > 2 * blue


def test_paint_several(easel, tmp_path):
    """Several pictures are numbered, have consecutive seeds, and differ."""
    done = easel("paint", "a house", "-o", "house.png", "--count", "2", "--seed", "5", "--steps", "2")
    assert "2 pictures" in done.stdout
    assert "seeds 5 to 6" in done.stdout
    assert pictures(tmp_path) == ["house-1.png", "house-2.png"]
    assert (tmp_path / "house-1.png").read_bytes() != (tmp_path / "house-2.png").read_bytes()


def test_unknown_words_are_named(easel, tmp_path):
    """Words that the model does not know are reported with alternatives, and the picture is generated anyway."""
    done = easel("paint", "a red dragon", "--seed", "1", "--steps", "1")
    assert done.stderr.startswith("The model demo doesn't know the word dragon. It knows words such as ")
    assert done.returncode == 0
    assert (tmp_path / "a-red-dragon-1.png").exists()


NO_PICTURE = "Strength only works with a picture to start from. Add a picture, or leave strength out."


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["x", "--size", "big"], 2, "Write a size like 768x512; you wrote big."),
        (["x", "--strength", "0.5"], 2, NO_PICTURE),
        (["x", "--image", "none.png"], 2, "The file none.png does not exist."),
        (["x", "--config", "none.toml"], 2, "The file none.toml does not exist."),
        (["x", "-o", "none/x.png"], 2, "The folder none for the picture does not exist. Create it, or choose another."),
        (["x", "-o", "."], 2, ". is a folder. Give the name of a file in it."),
        (["x", "-o", "x.jpg"], 2, "Easel writes PNG files, which contain the settings. Name the file x.png."),
        (["x" * 2001], 2, "A prompt can have at most 2000 characters; this one has 2001."),
    ],
)
def test_refusals(inside, tmp_path, words, code, sentence):
    """Invalid input is refused with one sentence before anything starts, and no file is written."""
    assert inside("paint", *words) == (code, "", f"{sentence}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--steps", "600"], ("steps", "600")),
        (["--size", "10000x64"], ("width", "10000")),
        (["--count", "0"], ("count", "0")),
        (["--seed", "-2"], ("seed", "-2")),
        (["--scheduler", "eulr"], ("eulr", "euler")),
        (["--model", "dmeo"], ("dmeo", "demo")),
        (["--clip-skip", "5"], ("clip_skip", "1 to 4", "5")),
    ],
)
def test_refusals_of_the_model(inside, words, named):
    """Values that the model does not support are refused with the name, the value and a valid alternative."""
    code, _, told = inside("paint", "x", *words)
    assert code == 2
    assert all(word in told for word in named)
    assert told.count("\n") == 1


def test_a_picture_that_is_none(easel, tmp_path):
    """A source that is not a picture is refused before the engine starts."""
    (tmp_path / "notes.txt").write_text("no picture")
    done = easel("paint", "x", "--image", "notes.txt")
    assert done.returncode == 2
    assert "PNG" in done.stderr


def test_a_request_that_fails(easel, tmp_path):
    """A failure of the engine is reported in one sentence, with the exit code of its cause."""
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    done = easel("paint", "a house", "--image", "half.png", "-o", "house.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The PNG file is damaged or incomplete. Save or send it again.\n"
    assert not (tmp_path / "house.png").exists()


def test_cancel(environment, tmp_path):
    """Ctrl-C ends the command with one word, and leaves neither a file nor a worker process behind."""
    asked = [sys.executable, "-m", "adapters.cli", "paint", "a tree", "--steps", "60", "--count", "16", "-o", "tree.png"]
    # Background processes of a shell ignore Ctrl-C, and so would the processes that these tests start.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    easel = subprocess.Popen(asked, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, encoding="utf-8", preexec_fn=heard)
    workers = []
    until = time.monotonic() + PATIENCE
    while not workers and time.monotonic() < until:
        workers = [child for child in psutil.Process(easel.pid).children() if "inference.worker.main" in child.cmdline()]
        time.sleep(0.05)
    easel.send_signal(signal.SIGINT)
    _, told = easel.communicate(timeout=PATIENCE)
    assert (easel.returncode, told) == (130, "Cancelled.\n")
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []
    assert pictures(tmp_path) == []


def test_terminal(environment, tmp_path):
    """A terminal with colours shows a progress line and a preview, and ends with the result."""
    leader, follower = pty.openpty()
    colours = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "100", "LINES": "40"}
    asked = [*EASEL, "paint", "a red circle", "--steps", "60", "-o", "circle.png"]
    easel = subprocess.Popen(asked, cwd=tmp_path, env=colours, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    while select.select([leader], [], [], PATIENCE)[0]:
        try:
            shown += os.read(leader, 65536)
        except OSError:  # On Linux, reading fails this way when the other side of the terminal has closed.
            break
    os.close(leader)
    assert easel.wait(timeout=PATIENCE) == 0
    text = shown.decode()
    # A busy machine leaves steps out, the last one too.
    assert re.search(r"step \d+ of 60", text)
    assert "▀" in text
    assert text.rstrip().endswith("circle.png")


def test_tables_go_back_by_a_step(easel):
    """A negative number of steps is taken as a value, not as an option."""
    assert easel("db", "upgrade").returncode == 0
    done = easel("db", "downgrade", "-1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_picture_that_another_runner_takes(environment, tmp_path):
    """If a terminal is stopped for so long that a server takes its job, it reports that, and the job stays with the server."""
    easel = subprocess.Popen(
        [*EASEL, "paint", "a tree", "--steps", "60", "--count", "16"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    until, taken = time.monotonic() + PATIENCE, 0
    while not taken and time.monotonic() < until:
        time.sleep(0.1)
        # There is no database until the store is created.
        with contextlib.suppress(sqlite3.OperationalError):
            taken = in_store(tmp_path, "UPDATE job SET runner = 'a server', attempt = 2, lease = '2999-01-01 00:00:00.000000'")[0]
    _, told = easel.communicate(timeout=PATIENCE)
    assert (easel.returncode, told) == (1, "Another Easel process has taken over this picture. easel run paints it and writes its file.\n")
    assert in_store(tmp_path, "SELECT state, runner FROM job")[1] == [("running", "a server")]


def test_models(easel, tmp_path):
    """The list names the shipped model; a file that is no model is refused with the exit code of model problems."""
    listed = easel("models", "list")
    assert (listed.returncode, listed.stdout.splitlines()[1].split()[:2]) == (0, ["demo", "sd1"])
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    refused = easel("models", "inspect", "broken.safetensors")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "broken.safetensors" in refused.stderr


def test_inspect(easel):
    """Inspecting a model folder shows its family and format."""
    shown = easel("models", "inspect", str(WEIGHTS))
    assert shown.returncode == 0
    assert re.search(r"^family +sd1$", shown.stdout, re.MULTILINE)
    assert re.search(r"^format +folder$", shown.stdout, re.MULTILINE)


def test_doctor(easel, tmp_path):
    """The doctor reports no problem in a fresh installation and names the next command."""
    told = easel("doctor")
    assert told.returncode == 0
    assert "torch 2.13.0" in told.stdout
    assert "Model demo (sd1)" in told.stdout
    assert "The database data/easel.db will be created at the first start." in told.stdout
    assert "The chat page will be at http://127.0.0.1:8000/" in told.stdout
    assert told.stdout.splitlines()[-1] == "Next: easel run"
    assert pictures(tmp_path) == []
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "sentence", "code"),
    [
        ("[inference]\ndtyp = 1", "[inference] dtyp is not a setting; did you mean dtype?", 2),
        ('[inference]\ndefault_model = "dmeo"', "dmeo", 2),
        ('[[models]]\nname = "a"\nsource = "nowhere"', "nowhere", 3),
        ('[inference]\ndevices = ["cuda:0"]', "cuda:0", 1),
        ('[store]\nurl = "postgresql+psycopg://bob:s3cret@host:x/d"', "[store] url is not valid", 2),
        ('[files]\nurl = "nonsense://x"', "[files] url is not valid", 2),
    ],
)
def test_doctor_finds(easel, tmp_path, text, sentence, code):
    """A problem is reported in one marked line, and the exit code tells its kind."""
    (tmp_path / "easel.toml").write_text(text)
    told = easel("doctor", PATH="")
    (problem,) = (line for line in told.stdout.splitlines() if line.startswith("problem"))
    assert sentence in problem
    assert told.returncode == code


def test_a_defect_is_kept_for_later(tmp_path):
    """An unexpected error is reported in one sentence that names a file with the traceback."""
    script = "from adapters import bootstrap; from adapters.cli import main; bootstrap.chosen = lambda *_: 1 / 0; main.main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "paint", "x"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    (trace,) = tmp_path.glob("easel-*.log")
    assert done.returncode == 1
    assert done.stderr == f"Something went wrong inside Easel. The details are in {trace}.\n"
    assert "ZeroDivisionError" in trace.read_text()


@pytest.mark.parametrize("words", [["--help"], ["paint", "--help"], ["doctor"], ["models", "list"], ["--version"]])
def test_the_asking_process_stays_light(words, tmp_path):
    """No command imports the libraries of the engine into the command-line process."""
    script = """
import json, sys
from adapters import bootstrap
from adapters.cli import main
from bot.config import Config
try:
    main.main()
finally:
    print(json.dumps(sorted({"torch", "diffusers", "transformers", "compel", "scipy"} & sys.modules.keys())), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_version(easel):
    """The version is that of the package."""
    from importlib.metadata import version

    assert easel("--version").stdout == f"easel {version('easel')}\n"


def test_the_command_is_installed():
    """Installing the package creates the command."""
    assert Path(sys.executable).with_name("easel").exists()


def test_one_bad_model_stops_no_other(inside, tmp_path, caplog):
    """A configured model that is missing is named by the list, a picture with it is refused, and Easel starts with the demo model."""
    text = '[inference]\ndefault_model = "gone"\n[[models]]\nname = "gone"\nsource = "nowhere"'
    (tmp_path / "easel.toml").write_text(text)
    code, said, _ = inside("models", "list")
    assert code == 0
    assert "demo" in said
    assert "nowhere does not exist" in said
    code, _, errors = inside("paint", "a red circle", "--model", "gone")
    assert code == 3
    assert "nowhere does not exist" in errors
    found = bootstrap.catalogue(
        Config.model_validate({"inference": {"default_model": "gone"}, "models": [{"name": "gone", "source": "x/y/z"}]})
    )
    assert bootstrap._default(found, "gone") == "demo"
    assert any("gone" in record.getMessage() for record in caplog.records)

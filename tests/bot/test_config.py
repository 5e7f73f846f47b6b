"""The configuration."""

import os
import tomllib
from pathlib import Path

import pytest

from bot.config import Config, Model, TierSection, read
from bot.core.errors import BadConfig
from bot.i18n.translate import tell

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch, tmp_path):
    """Run each test in an empty folder and without the settings of the developer."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("EASEL__"):
            monkeypatch.delenv(name)


def refusal(text):
    """Return the sentence with which a configuration is refused."""
    Path("easel.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig) as caught:
        read()
    return tell(caught.value.problem)


def example():
    """Return the example as data, with the entries under [[models]] and [[quota.tiers]] uncommented."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for table in ("# [[models]]", "# [[quota.tiers]]"):
        begin = lines.index(table)
        end = lines.index("", begin)
        lines[begin:end] = [line.removeprefix("# ") for line in lines[begin:end]]
    return tomllib.loads("\n".join(lines))


def test_example_shows_every_key_with_its_default():
    """The example equals an empty configuration, key for key."""
    shown = example()
    models, tiers = shown.pop("models"), shown["quota"].pop("tiers")
    shown["quota"]["tiers"] = []
    assert shown == Config().model_dump(mode="json", exclude={"models"})
    assert models[0].keys() == Model.model_fields.keys()
    assert tiers[0].keys() == TierSection.model_fields.keys()
    said = {name: field.default for name, field in Model.model_fields.items() if field.default in ("", ())}
    assert {name: models[0][name] or field for name, field in said.items()} == said


def test_passwords_are_not_told(monkeypatch):
    """An invalid value is shown in the error, but without its password."""
    assert "bob:***@host" in refusal('[store]\nurl = ["postgresql+psycopg://bob:s3cret@host/d"]')
    monkeypatch.setenv("EASEL__STORE", "postgresql+psycopg://bob:s3cret@host/d")
    assert "s3cret" not in refusal("")


def test_example_is_read():
    """The example itself is a valid configuration."""
    assert read(EXAMPLE) == Config()


def test_a_byte_order_mark_is_no_error(tmp_path):
    """A file that an editor of Windows wrote is read."""
    file = tmp_path / "easel.toml"
    file.write_text("\ufeff[web]\nport = 8123\n", encoding="utf-8")
    assert read(file).web.port == 8123


def test_no_file_means_defaults():
    """Without a file every key has its default."""
    assert read() == Config()


def test_file_beside_the_caller_is_found():
    """`easel.toml` in the working folder is read without being named."""
    Path("easel.toml").write_text('[log]\nlevel = "debug"\n')
    assert read().log.level == "debug"


def test_environment_wins_over_the_file(monkeypatch):
    """An environment variable overrides its own key and leaves the other keys of the file."""
    Path("other.toml").write_text("[inference]\nmax_batch = 3\ncompile = true\n")
    monkeypatch.setenv("EASEL__INFERENCE__MAX_BATCH", "5")
    monkeypatch.setenv("EASEL__INFERENCE__DEVICES", "cuda:0, cuda:1")
    inference = read(Path("other.toml")).inference
    assert (inference.max_batch, inference.compile, inference.devices) == (5, True, ("cuda:0", "cuda:1"))


def test_variables_need_no_capitals(monkeypatch):
    """An environment variable may be in lower case, as on some systems."""
    monkeypatch.setenv("easel__web__port", "81")
    assert read().web.port == 81


def test_models_are_read():
    """Each [[models]] entry becomes a model, and missing keys are not set."""
    Path("easel.toml").write_text(
        '[[models]]\nname = "a"\nsource = "a.safetensors"\n[[models]]\nname = "b"\nsource = "o/b"\nguidance = 4\n'
    )
    assert read().models == (Model(name="a", source="a.safetensors"), Model(name="b", source="o/b", guidance=4.0))


def test_configuration_is_frozen():
    """Settings cannot be changed after they were read."""
    with pytest.raises(ValueError, match="frozen"):
        Config().inference.compile = True


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[inference]\ndtyp = 1", "[inference] dtyp is not a setting; did you mean dtype?"),
        ("[inferense]\n", "inferense is not a setting; did you mean inference?"),
        ('dtype = "auto"', "dtype is not a setting; did you mean [inference] dtype?"),
        ("qqq = 1", "qqq is not a setting. config.example.toml lists all settings."),
        ('[log]\nlevel = "loud"', "[log] level must be 'debug', 'info', 'warning' or 'error'; it is 'loud'."),
        ('[inference]\nmax_batch = "x"', "[inference] max_batch must be a whole number; it is 'x'."),
        ("[inference]\nmax_batch = 1.5", "[inference] max_batch must be a whole number; it is 1.5."),
        ("[inference]\nmax_batch = 0", "[inference] max_batch must be at least 1; it is 0."),
        ("[inference]\nmax_batch = 1000", "[inference] max_batch must be at most 256; it is 1000."),
        ("[inference]\ncompile = []", "[inference] compile must be true or false; it is []."),
        ('[inference]\ndevice_memory = "all"', "[inference] device_memory must be a number; it is 'all'."),
        ("[inference]\ndevice_memory = inf", "[inference] device_memory must be a number; it is inf."),
        ("[inference]\nmodels_dir = 7", "[inference] models_dir must be text in quotes; it is 7."),
        ("[inference]\ndevices = 1", '[inference] devices must be a list of texts such as ["auto"]; it is 1.'),
        ("[inference]\ndevices = []", "[inference] devices must not be empty."),
        ("inference = 1", "[inference] must be a section with its own keys; it is 1."),
        ('[[models]]\nsource = "x"', "[[models]] 1: name is missing."),
        ('[[models]]\nname = "a"\nsource = "x"\n[[models]]\nname = ""\nsource = "y"', "[[models]] 2: name must not be empty."),
        ('[[models]]\nname = "a"\nsource = "x"\nstep = 4', "[[models]] 1: step is not a setting; did you mean steps?"),
    ],
)
def test_refusals(text, sentence):
    """An invalid key or value is refused with one sentence that names it and gives the valid values."""
    assert refusal(text) == sentence


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("EASEL__INFERENCE__MAX_BATCH", "many", "EASEL__INFERENCE__MAX_BATCH must be a whole number; it is 'many'."),
        ("EASEL__INFERENCE__MAXBATCH", "4", "EASEL__INFERENCE__MAXBATCH is not a setting; did you mean max_batch?"),
        ("EASEL__INFERENC__MAX_BATCH", "4", "EASEL__INFERENC__MAX_BATCH is not a setting; did you mean EASEL__INFERENCE?"),
        ("EASEL__WEB", "no", "EASEL__WEB must be a section with its own keys; it is 'no'."),
        ("EASEL__WEB__PORT__NUMBER", "80", "[web] port must be a whole number; it is {'number': '80'}."),
    ],
)
def test_refusals_of_the_environment(monkeypatch, name, value, sentence):
    """An invalid environment variable is named as it is written there."""
    monkeypatch.setenv(name, value)
    with pytest.raises(BadConfig) as caught:
        read()
    assert tell(caught.value.problem) == sentence


def test_broken_file():
    """A file that is not TOML is refused with the position of the mistake."""
    assert refusal("[log\n").startswith("easel.toml is not valid TOML: ")
    assert "line 1" in refusal("[log\n")


def test_unreadable_files():
    """A file that is missing, a folder, or not text is refused by name."""
    Path("bytes.toml").write_bytes(b"\xff\xfe")
    said = []
    for name in ("none.toml", ".", "bytes.toml"):
        with pytest.raises(BadConfig) as caught:
            read(Path(name))
        said.append(tell(caught.value.problem))
    assert said == [
        "The file none.toml does not exist.",
        "The file . can't be read: it is a folder.",
        "The file bytes.toml can't be read: it is not UTF-8 text.",
    ]

"""The English catalogue of texts."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ast_of_fluent

from bot.core import errors as bot_errors
from bot.i18n import translate
from bot.i18n.translate import keys, speaking, tell, text
from inference.contract import errors as inference_errors
from inference.contract.errors import Problem

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "bot" / "i18n" / "locales" / "en.ftl"
CODE = sorted(path for package in ("adapters", "bot", "inference") for path in (ROOT / package).rglob("*.py"))

#: The web chat's templates also request sentences, by full key or by a prefix with a variable part.
PAGES = sorted((ROOT / "adapters" / "web" / "templates").glob("*.html"))
SHOWN = {
    (re.escape(key) + (".+" if joined else ""), page.name)
    for page in PAGES
    for key, joined in re.findall(r"\btext\(\"([^\"]+)\"( ~)?", page.read_text(encoding="utf-8"))
}

ERRORS = {
    name
    for module, base in ((bot_errors, bot_errors.BotError), (inference_errors, inference_errors.InferenceError))
    for name, thing in vars(module).items()
    if isinstance(thing, type) and issubclass(thing, base)
}


INFERENCE_ERRORS = {kind.__name__ for kind in inference_errors.KINDS.values()}


def asked_by(call: ast.Call, path: Path) -> list[str]:
    """Return the keys that a call requests, as patterns: an f-string matches any key that fits."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    # In inference `text` makes a chunk of a PNG file, in the store an SQL expression; neither requests sentences.
    is_mute = any(path.is_relative_to(ROOT / folder) for folder in ("inference", "bot/store"))
    # The label of a button is a key too.
    speaks = called in {"Problem", "button", *ERRORS} or (called == "text" and not is_mute)
    if called == "not_offered" and isinstance(call.args[0], ast.Constant):
        return [f"unknown-{call.args[0].value}"]
    return patterns(call.args[0]) if speaks and call.args else []


def patterns(argument: ast.expr) -> list[str]:
    """Return the possible texts of an expression as regular expressions; none if they are unknown."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return [re.escape(argument.value)]
    if isinstance(argument, ast.IfExp):
        return patterns(argument.body) + patterns(argument.orelse)
    if isinstance(argument, ast.JoinedStr):
        return ["".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in argument.values)]
    return []


@cache
def nodes():
    """Return each call and each constant of the whole code with its file."""
    found = ((path, node) for path in CODE for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return tuple((path, node) for path, node in found if isinstance(node, ast.Call | ast.Constant))


def test_every_key_has_a_sentence():
    """Every key that the code raises or requests has a sentence."""
    asked = {(key, path.name) for path, node in nodes() if isinstance(node, ast.Call) for key in asked_by(node, path)}
    assert len(asked) > 50
    assert not sorted(one for one in asked | SHOWN if not any(re.fullmatch(one[0], key) for key in keys()))


def test_every_sentence_is_used():
    """Every sentence is used by the code."""
    said = {node.value for _, node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    made = [key for path, node in nodes() if isinstance(node, ast.Call) for key in asked_by(node, path)] + [key for key, _ in SHOWN]
    assert not sorted(key for key in keys() - said if not any(re.fullmatch(pattern, key) for pattern in made))


def test_keys_of_problems_begin_with_their_class():
    """The first word of an error's key names its class, so that the other process can raise the same class."""
    for path, node in nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in INFERENCE_ERRORS:
            for key in asked_by(node, path):
                assert inference_errors.KINDS[key.replace("\\", "").split("-")[0]].__name__ == node.func.id


def test_every_sentence_reads():
    """The catalogue has no mistake: each sentence is parsed, exists once, and is complete."""
    body = FluentParser().parse(CATALOGUE.read_text(encoding="utf-8")).body
    assert not [entry.content for entry in body if isinstance(entry, ast_of_fluent.Junk)]
    assert sorted(entry.id.name for entry in body if isinstance(entry, ast_of_fluent.Message)) == sorted(keys())


def test_sentences_are_plain():
    """A sentence has no invisible characters, no exclamation mark and no apology."""
    told = {key: text(key) for key in sorted(keys())}
    assert not {key: said for key, said in told.items() if not said.isprintable()}
    assert not {key: said for key, said in told.items() if re.search(r"!|\b(sorry|please|oops)\b", said, re.IGNORECASE)}


@pytest.mark.parametrize(
    ("fact", "written"), [(5.0, "5"), (7.5, "7.5"), (1024, "1024"), (0.1 + 0.2, "0.3"), (2**32 - 1, "4294967295"), ("x", "x")]
)
def test_numbers_are_written_as_people_do(fact, written):
    """Whole numbers have no decimals, there are no thousands separators, and rounding errors do not show."""
    assert tell(Problem("config-least", {"key": "a", "ge": fact, "given": "b"})) == f"a must be at least {written}; it is b."


def test_nearest_is_said_where_there_is_one():
    """A sentence can leave out an empty fact."""
    assert text("config-unknown", key="a", nearest="b") == "a is not a setting; did you mean b?"
    assert "did you mean" not in text("config-unknown", key="a", nearest="")


def test_a_key_without_a_sentence_still_says_which():
    """If a sentence is missing, the user sees its key instead of nothing."""
    assert translate.tell(Problem("no-such-key")) == "Something went wrong (no-such-key)."


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The picture has 22.1 MB; the limit is 20 MB."),
        ("de", "Das Bild hat 22,1 MB; erlaubt sind höchstens 20 MB."),
        ("es", "La imagen tiene 22,1 MB; se admiten hasta 20 MB."),
    ],
)
def test_sizes_are_told_in_megabytes(language, sentence):
    """The size of a file is told in megabytes, and one that exceeds a limit by a byte does not look equal to it."""
    with speaking(language):
        assert tell(Problem("picture-bytes", {"given": 22_020_104, "most": 20_000_000})).startswith(sentence)
        assert "20.1" in tell(Problem("picture-bytes", {"given": 20_000_001, "most": 20_000_000})).replace(",", ".")

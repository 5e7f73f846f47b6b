"""The rules of the house that a machine can check."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "benchmarks", "bot", "inference", "migrations", "tests")
CODE = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES_OF_FILE = 500
MOST_LINES_OF_FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Return a file's name as seen from the root of the project."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[Function]:
    """Yield every function of a file, those within others too."""
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function))


def lines_of(function: Function) -> int:
    """Return how many lines the body of a function has without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", [path for path in CODE if path.is_relative_to(ROOT / "tests")], ids=name_of)
def test_every_test_says_what_it_promises(path):
    """Each test has a docstring of one line."""
    silent = [one.name for one in functions(path) if one.name.startswith("test_") and len((ast.get_docstring(one) or "").splitlines()) != 1]
    assert not silent


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_files_are_short(path):
    """No file is longer than what one can hold in mind, and no function longer than a screen."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES_OF_FILE
    long = {one.name: count for one in functions(path) if (count := lines_of(one)) > MOST_LINES_OF_FUNCTION}
    assert not long


@pytest.mark.parametrize("path", [path for path in CODE if not path.is_relative_to(ROOT / "tests")], ids=name_of)
def test_ignored_types_have_a_reason(path):
    """Every `type: ignore` names the rule that it breaks and says why."""
    marked = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "# type: ignore" in line]
    unexplained = [line for line in marked if "ignore[" not in line or "#" not in line.partition("ignore[")[2]]
    assert not unexplained

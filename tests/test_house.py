"""House rules that a machine can check."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "benchmarks", "bot", "inference", "migrations", "tests")
CODE = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES_OF_FILE = 500
MOST_LINES_OF_FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Return a file's name as seen from the root of the project."""
    return path.relative_to(ROOT).as_posix()


@cache
def functions(path: Path) -> tuple[Function, ...]:
    """Return every function of a file, including nested functions."""
    return tuple(node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function))


def lines_of(function: Function) -> int:
    """Return how many lines the body of a function has without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_test_says_what_it_promises():
    """Each test has a docstring of one line."""
    tests = [path for path in CODE if path.is_relative_to(ROOT / "tests")]
    promising = [(path, one) for path in tests for one in functions(path) if one.name.startswith("test_")]
    assert len(promising) > 1000
    assert not [f"{name_of(path)}::{one.name}" for path, one in promising if len((ast.get_docstring(one) or "").splitlines()) != 1]


def test_files_are_short():
    """Files are short enough to keep in mind, and functions fit on a screen."""
    files = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert not {name: lines for name, lines in files.items() if lines > MOST_LINES_OF_FILE}
    bodies = [(f"{name_of(path)}::{one.name}", lines_of(one)) for path in CODE for one in functions(path)]
    assert not [one for one in bodies if one[1] > MOST_LINES_OF_FUNCTION]


def test_ignored_types_have_a_reason():
    """Every `type: ignore` names the rule that it ignores and gives a reason."""
    product = [path for path in CODE if not path.is_relative_to(ROOT / "tests")]
    lines = [(name_of(path), line.strip()) for path in product for line in path.read_text(encoding="utf-8").splitlines()]
    marked = [(name, line) for name, line in lines if "# type: ignore" in line]
    assert not [one for one in marked if "ignore[" not in one[1] or "#" not in one[1].partition("ignore[")[2]]

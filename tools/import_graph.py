"""Print the import graph of the packages and fail if it has a circle: `python -m tools.import_graph [--package bot] [--rooms]`.

Unlike import-linter it shows what kind each import is: eager, lazy (inside a function) or typing (under `TYPE_CHECKING`). An import
inside a circle is a circle of the design even if Python never runs it, so all three kinds count. Files are read and never imported.
"""

import argparse
import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "bot", "inference")

#: From the strongest kind to the weakest: if several imports make an edge, it is shown with the strongest kind.
KINDS = ("eager", "lazy", "typing")


class Edge(NamedTuple):
    """An import of one module by another."""

    source: str
    target: str
    kind: str
    line: int


def modules(packages: Iterable[str], root: Path = ROOT) -> dict[str, Path]:
    """Return the file of every module of the packages, by the module's name; a package is the module of its `__init__`."""
    found: dict[str, Path] = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def edges(known: Mapping[str, Path]) -> list[Edge]:
    """Return every import among the modules, once per pair and with its strongest kind."""
    strongest: dict[tuple[str, str], Edge] = {}
    for source, path in known.items():
        for statement, kind in _imports(ast.parse(path.read_text(encoding="utf-8")).body, "eager"):
            for target in _targets(statement, known):
                before = strongest.get((source, target))
                if target != source and (before is None or KINDS.index(kind) < KINDS.index(before.kind)):
                    strongest[source, target] = Edge(source, target, kind, statement.lineno)
    return sorted(strongest.values())


def _imports(body: Iterable[ast.AST], kind: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Yield the import statements below the nodes; `kind` is the kind of an import directly among them."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node, kind
            case ast.If() if ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
                yield from _imports(node.body, "typing")
                yield from _imports(node.orelse, kind)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(ast.iter_child_nodes(node), "lazy" if kind == "eager" else kind)
            case _:
                yield from _imports(ast.iter_child_nodes(node), kind)


def _targets(statement: ast.Import | ast.ImportFrom, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules that a statement names: for `from a import b` the module `a.b` if there is one, otherwise `a`."""
    # Relative imports are forbidden by ruff, so `module` is always a full name.
    start = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
    for alias in statement.names:
        yield from _nearest(f"{start}{alias.name}", known)


def _nearest(name: str, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the module of a name, or the module that defines it; nothing if it belongs to a library."""
    for candidate in (name, name.rpartition(".")[0]):
        if candidate in known:
            yield candidate
            return


def circles(found: Iterable[Edge]) -> list[list[str]]:
    """Return the strongly connected components of more than one module, the largest first (Tarjan's algorithm)."""
    after: dict[str, list[str]] = defaultdict(list)
    for edge in found:
        after[edge.source].append(edge.target)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in after.get(name, ()):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            channel = stack.index(name)
            components.append(sorted(stack[channel:]))
            del stack[channel:]

    for name in sorted(after):
        if name not in index:
            visit(name)
    return sorted((one for one in components if len(one) > 1), key=lambda one: (-len(one), one))


def room(name: str, known: Mapping[str, Path]) -> str:
    """Return the room of a module: the folder that its file is in, such as `bot.store.jobs.jobs`."""
    return name if known[name].name == "__init__.py" else name.rpartition(".")[0]


def _show_rooms(known: Mapping[str, Path], found: Iterable[Edge], *, with_imports: bool) -> None:
    sizes = Counter(room(name, known) for name, path in known.items() if path.name != "__init__.py")
    used: dict[str, set[str]] = defaultdict(set)
    for edge in found:
        used[room(edge.source, known)].add(room(edge.target, known))
    for name in sorted(sizes):
        print(f"  {name:28} {sizes[name]:3} modules")
        if with_imports and (others := sorted(used[name] - {name})):
            print(f"    imports {', '.join(others)}")


def _show_circle(names: list[str], found: Iterable[Edge]) -> None:
    inside = [edge for edge in found if edge.source in names and edge.target in names]
    print(f"\ncircle of {len(names)} modules, {len(inside)} imports:")
    for edge in inside:
        print(f"  {edge.kind:6} {edge.source}:{edge.line} -> {edge.target}")


def main(arguments: list[str] | None = None) -> int:
    """Print modules, rooms and circles; return 1 if there is a circle."""
    parser = argparse.ArgumentParser(prog="python -m tools.import_graph", description="Print the import graph; exit 1 on a circle.")
    parser.add_argument("--package", action="append", choices=PACKAGES, help="only this package; may be repeated")
    parser.add_argument("--rooms", action="store_true", help="also print which rooms each room imports")
    options = parser.parse_args(arguments)
    known = modules(options.package or PACKAGES)
    found = edges(known)
    kinds = Counter(edge.kind for edge in found)
    files = sum(path.name != "__init__.py" for path in known.values())
    print(f"{files} modules (without __init__), {len(found)} imports: {', '.join(f'{kinds[kind]} {kind}' for kind in KINDS)}")
    _show_rooms(known, found, with_imports=options.rooms)
    there = circles(found)
    for names in there:
        _show_circle(names, found)
    print(f"\n{len(there)} circles" if there else "\nno circle")
    return 1 if there else 0


if __name__ == "__main__":
    sys.exit(main())

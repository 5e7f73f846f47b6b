"""Count the files of the chat process that one picture crosses on its way from Discord and back: `python -m tools.trace_picture`.

The real client library talks to the emulated Discord of the tests, and the demo model runs in its own process. A file counts if one of its
functions is entered or resumed between the slash command and the end of its delivery, progress messages included. Code that runs while a
module is imported does not count, and neither does the worker process.
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

# The only import of the project: only the stage of the Discord tests knows how to assemble a bot.
from tests.adapters.discord import stage

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "bot", "inference")

#: Seconds that a picture may take on a slow machine.
_PATIENCE = 300.0


class Trace:
    """Collects the functions of the project that are entered while it is open, in every thread started after `install`."""

    def __init__(self) -> None:
        self._is_open = False
        self._roots = tuple(f"{ROOT / package}/" for package in PACKAGES)
        self._thread = threading.local()
        self._codes: set[CodeType] = set()

    def install(self) -> None:
        """Start to watch this thread and all threads started later."""
        threading.setprofile(self._hear)
        sys.setprofile(self._hear)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Collect the functions entered inside the block."""
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False

    def files(self) -> dict[str, list[str]]:
        """Return the entered functions, by file."""
        found: dict[str, list[str]] = defaultdict(list)
        for code in self._codes:
            found[Path(code.co_filename).relative_to(ROOT).as_posix()].append(code.co_qualname)
        return {name: sorted(found[name]) for name in sorted(found)}

    def _hear(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        if code.co_name == "<module>":
            depth = getattr(self._thread, "imports", 0)
            self._thread.imports = depth + (1 if event == "call" else -1)
        elif event == "call" and self._is_open and not getattr(self._thread, "imports", 0) and code.co_filename.startswith(self._roots):
            self._codes.add(code)


def _has_arrived(database: Path, count: int) -> bool:
    """Return whether this many deliveries have arrived; reads the database file directly, so the check enters no code of the project."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        (arrived,) = connection.execute("SELECT count(*) FROM delivery WHERE state = 'sent'").fetchone()
    connection.close()
    return bool(arrived >= count)


async def _paint(scene: Any, database: Path, count: int) -> int:
    """Request a picture with a slash command, wait until it is delivered, and return how many requests Discord has received."""
    channel, user = scene
    use = await user.use(channel, "imagine", prompt="a red circle on a blue background", seed=7)
    await use.discord.until(lambda: use.message and use.message.files and _has_arrived(database, count), _PATIENCE)
    return len(use.discord.requests)


async def trace(*, is_warm: bool) -> tuple[dict[str, list[str]], int]:
    """Return the functions that a picture enters, by file, and the requests that Discord received for it.

    If `is_warm`, another picture is generated first.
    """
    watch = Trace()
    watch.install()
    with tempfile.TemporaryDirectory() as folder:
        async with stage.painting() as engine, stage.staged(engine, Path(folder)) as bot:
            scene, database = bot.scene("ann"), Path(folder) / "easel.db"
            before = await _paint(scene, database, 1) if is_warm else len(bot.discord.requests)
            with watch.open():
                after = await _paint(scene, database, 1 + is_warm)
    return watch.files(), after - before


def main(arguments: list[str] | None = None) -> int:
    """Print the count and the list."""
    parser = argparse.ArgumentParser(prog="python -m tools.trace_picture", description="Count the files that one picture crosses.")
    parser.add_argument("--warm", action="store_true", help="paint another picture first, which fills the caches")
    parser.add_argument("--functions", action="store_true", help="also list the functions of each file")
    options = parser.parse_args(arguments)
    files, requests = asyncio.run(trace(is_warm=options.warm))
    for name, functions in files.items():
        print(f"{len(functions):4} {name}")
        if options.functions:
            print("".join(f"       {function}\n" for function in functions), end="")
    print(f"{len(files)} files, {sum(map(len, files.values()))} functions; Discord received {requests} requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())

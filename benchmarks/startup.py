"""From the start of the chat process to its first acknowledged command, against importing only the two chat libraries."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.chatting import Served, Visitor
from benchmarks.measure import Timing, report

REPEATS = 7

#: The promise: at most one and a half times as long.
LEAST_RATIO = 1 / 1.5


def _acknowledged(folder: Path) -> tuple[float, float]:
    """Return the seconds from the start of the process to the answer to its first command, and its megabytes at that point."""
    with Served(folder) as served:
        visitor = Visitor(served.port)
        visitor.enter()
        visitor.say("/imagine a red circle")
        return time.perf_counter() - served.began, served.megabytes()


def _imported() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import discord, telegram"], check=True)
    return time.perf_counter() - began


def main() -> int:
    """Measure and report; the exit status tells whether the promise was kept."""
    with TemporaryDirectory() as name:
        # The first start also reads the disk and creates the store; the benchmark measures a restart.
        _acknowledged(Path(name))
        _imported()
        runs = [(_acknowledged(Path(name)), _imported()) for _ in range(REPEATS)]
    ours, peer = Timing.of([seconds for (seconds, _), _ in runs]), Timing.of([seconds for _, seconds in runs])
    ratio = peer.median / ours.median
    report(ratio=ratio, ours=ours, peer=peer, chat_process_mb=max(megabytes for (_, megabytes), _ in runs), promised=LEAST_RATIO)
    return 0 if ratio >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())

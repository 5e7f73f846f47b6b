"""`easel run` around stand-in workers. `python -m benchmarks.standing.web WORKERS SECONDS LAG` writes its loop lag to the file LAG."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from adapters import bootstrap
from adapters.cli import main as cli
from benchmarks.standing.engine import standing
from benchmarks.standing.lag import Lag


def main() -> None:
    """Run until stopped."""
    workers, seconds, file = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    run = bootstrap.run

    async def watched(*given: Any, **named: Any) -> None:
        watching = asyncio.create_task(Lag(file).watch())
        try:
            await run(*given, **named)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    # Only the composition root chooses the engine.
    bootstrap.engine = lambda _config, offered: standing(workers, seconds, offered)
    bootstrap.run = watched
    sys.argv[1:] = ["run"]
    cli.main()


if __name__ == "__main__":
    main()

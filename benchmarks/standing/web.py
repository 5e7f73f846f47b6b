"""`easel run` as it is, around workers that stand in. `python -m benchmarks.standing.web WORKERS SECONDS LAG` writes its lag to a file."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from adapters import bootstrap
from adapters.cli import main as cli
from benchmarks.standing.engine import standing
from benchmarks.standing.lag import Lag


def main() -> None:
    """Run until told to stop."""
    workers, seconds, file = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    run = bootstrap.run

    async def watched(*given: Any, **named: Any) -> None:
        watching = asyncio.create_task(Lag(file).watch())
        try:
            await run(*given, **named)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    # The composition root is the only place that knows which engine there is.
    bootstrap.engine = lambda _config, offered: standing(workers, seconds, offered)
    bootstrap.run = watched
    sys.argv[1:] = ["run"]
    cli.main()


if __name__ == "__main__":
    main()

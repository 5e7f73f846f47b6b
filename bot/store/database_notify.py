"""Hearing at once what other processes on the same PostgreSQL have done. Only a hint: whoever misses it finds out by looking."""

import asyncio
import logging
from collections.abc import Callable

from bot.store.database import CHANNEL, Database

log = logging.getLogger("easel.store")

#: Pauses before the connection is made anew.
_PAUSES = (0.5, 2.0, 10.0, 30.0)


async def listen(database: Database, heard: Callable[[str], None]) -> None:
    """Call `heard` with what is said, until cancelled; after every connection that was lost, once with nothing."""
    failures = 0
    while True:
        try:
            async with database.engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert raw is not None
                try:
                    # It must not sit in a transaction for as long as the process lives.
                    await raw.set_autocommit(True)
                    await raw.execute(f"LISTEN {CHANNEL}")
                    failures = 0
                    heard("")
                    async for notice in raw.notifies():
                        heard(notice.payload)
                finally:
                    # Nobody else must get a connection that listens and has no transactions.
                    await connection.invalidate()
        except Exception as error:
            log.warning("store.deaf reason=%s", type(error).__name__)
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1

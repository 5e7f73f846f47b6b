"""Receive notifications from other processes on the same PostgreSQL. They are only hints: a missed notification is covered by polling."""

import asyncio
import logging
from collections.abc import Callable

from bot.store.database import CHANNEL, Database

log = logging.getLogger("easel.store")

#: Pauses before a reconnect.
_PAUSES = (0.5, 2.0, 10.0, 30.0)


async def listen(database: Database, heard: Callable[[str], None]) -> None:
    """Call `heard` with every notification, until cancelled; after every reconnect, once with an empty text."""
    failures = 0
    while True:
        try:
            async with database.engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert raw is not None
                try:
                    # It must not stay in a transaction for the life of the process.
                    await raw.set_autocommit(True)
                    await raw.execute(f"LISTEN {CHANNEL}")
                    failures = 0
                    heard("")
                    async for notice in raw.notifies():
                        heard(notice.payload)
                finally:
                    # A listening connection without transactions must not return to the pool.
                    await connection.invalidate()
        except Exception as error:
            log.warning("store.deaf reason=%s", type(error).__name__)
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1

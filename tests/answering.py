"""A local TCP server that answers with a function of the test."""

import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def answering(answer):
    """Yield the URL of a server that answers each connection with `answer`; on exit, wait until every connection is handled."""
    handlers = set()

    async def handle(reader, writer):
        handlers.add(asyncio.current_task())
        await answer(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*handlers)

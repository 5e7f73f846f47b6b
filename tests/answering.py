"""Servers that answer in their own way."""

import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def answering(answer):
    """Give the address of a server that answers like this; at the end nobody is left who talks to it."""
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

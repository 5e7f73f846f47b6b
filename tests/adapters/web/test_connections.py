"""Connections that stay silent, send slowly or read slowly: they are closed, and cost neither memory nor places."""

import asyncio
import os
import resource
import subprocess
import sys

import pytest

from adapters.shared import http_connections
from adapters.web import file_stream, uploads
from bot.i18n.translate import tell
from bot.store.images import blobs
from inference.contract.errors import Problem
from tests.adapters.web.chat import Browser, open_chat
from tests.dispatching import until
from tests.stores import painted, png

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
async def chat(tmp_path):
    """Yield a page."""
    async with open_chat(tmp_path) as opened:
        yield opened


async def connected(chat):
    """Return a raw connection to the page."""
    return await asyncio.open_connection("127.0.0.1", chat.adapter.port)


@pytest.mark.parametrize("said", [b"", b"GET ", HEAD])
async def test_a_connection_without_a_request_is_closed(chat, monkeypatch, said):
    """A connection that sends nothing, or a part of a request's head, is closed after a time limit."""
    monkeypatch.setattr(http_connections, "HEAD_SECONDS", 0.05)
    reader, writer = await connected(chat)
    writer.write(said)
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


async def test_a_second_head_has_no_more_time_than_the_first(chat, monkeypatch):
    """The time limit holds for every request of a connection, also if its head comes letter by letter."""
    monkeypatch.setattr(http_connections, "HEAD_SECONDS", 0.2)
    reader, writer = await connected(chat)
    writer.write(HEAD + b"\r\n")
    assert b"200 OK" in await reader.readuntil(b"ok")
    async with asyncio.timeout(60):
        while not reader.at_eof():
            writer.write(b"G")
            try:
                await asyncio.wait_for(reader.read(1), 0.02)
            except (TimeoutError, ConnectionError):
                continue
    writer.close()


async def test_an_address_has_a_limit_of_connections(chat, monkeypatch):
    """An address gets no more connections than its limit, and another address is served all the same."""
    monkeypatch.setattr(http_connections, "MOST_PER_ADDRESS", 3)
    monkeypatch.setattr(http_connections, "_is_near", lambda _: False)
    held = [await connected(chat) for _ in range(3)]
    reader, refused = await connected(chat)
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    monkeypatch.setattr(http_connections, "_is_near", lambda _: True)
    reader, writer = await connected(chat)
    writer.write(HEAD + b"\r\n")
    assert b"200 OK" in await reader.readuntil(b"ok")
    for _, one in [*held, (None, writer), (None, refused)]:
        one.close()


async def big_file(chat, browser):
    """Let the visitor own a picture of several megabytes, and return its key."""
    job = await browser.job("a red circle")
    data = png("red") + os.urandom(8_000_000)
    key = await chat.store.files.put(data)
    claimed = await chat.store.attempts.claim("me")
    assert claimed.id == job
    await chat.store.attempts.finish(claimed, [painted(0, file=key)], 1.0)
    return key, data


async def test_a_slow_reader_holds_a_piece_and_not_a_file(chat, monkeypatch):
    """Of a picture whose reader takes nothing, only what the sockets hold is read, and the connection ends after a time limit."""
    read, whole = [], blobs.BlobStore.pieces

    async def counted(files, key):
        async for piece in whole(files, key):
            read.append(len(piece))
            yield piece

    monkeypatch.setattr(blobs.BlobStore, "pieces", counted)
    monkeypatch.setattr(blobs, "_PIECE", 2**16)
    monkeypatch.setattr(file_stream, "PIECE_SECONDS", 0.3)
    async with chat.client() as client:
        browser = Browser(client)
        await browser.open()
        key, data = await big_file(chat, browser)
        assert (await client.get(f"/files/{key}")).content == data
        read.clear()
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        reader, writer = await connected(chat)
        reader._transport.pause_reading()
        writer.write(f"GET /files/{key} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n".encode())
        await until(lambda: read and not chat.adapter._server.server_state.tasks)
        assert 0 < sum(read) < len(data)
        writer.close()


async def begun_upload(chat, browser, size):
    """Begin to send a line with a picture of this size, as the browser would, and stop in the middle; return the connection."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    head = f"POST /say HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nX-Easel-Token: {browser.token}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {size}\r\n\r\n--b\r\n"
    reader, writer = await connected(chat)
    writer.write(head.encode())
    return reader, writer


async def answered(browser, picture, status):
    """Send a picture until the answer has a status, because no event tells that another request has begun or ended; return the answer."""
    for _ in range(60):
        if (answer := await browser.say("a circle", picture)).status_code == status:
            return answer
        await asyncio.sleep(0.05)
    pytest.fail(f"the answer never was {status}")


async def test_uploads_in_progress_are_bounded(chat, monkeypatch):
    """Beyond a limit of bytes in progress a further upload is asked to wait, a line is not, and an upload that ends makes room."""
    monkeypatch.setattr(uploads, "MOST_IN_ALL", 500_000)
    large = png("red") + os.urandom(200_000)
    async with chat.client() as client, chat.client() as other:
        ann, ben = Browser(client), Browser(other)
        await ann.open()
        await ben.open()
        _, held = await begun_upload(chat, ann, 400_000)
        await until(lambda: chat.adapter._server.server_state.tasks)
        answer = await answered(ben, large, 503)
        assert tell(Problem("web-busy")) in answer.text
        assert (await ben.say("a blue circle")).status_code == 200
        held.close()
        await answered(ben, large, 200)


async def test_a_visitor_has_a_limit_of_uploads(chat, monkeypatch):
    """One visitor cannot use the room of all others, but a single request is never too large."""
    monkeypatch.setattr(uploads, "MOST_EACH", 300_000)
    large = png("red") + os.urandom(200_000)
    async with chat.client() as client, chat.client() as other:
        ann, ben = Browser(client), Browser(other)
        await ann.open()
        await ben.open()
        assert (await ann.say("a circle", large)).status_code == 200
        _, held = await begun_upload(chat, ann, 400_000)
        await answered(ann, large, 503)
        assert (await ben.say("a circle", large)).status_code == 200
        held.close()


async def test_an_upload_has_to_arrive_in_time(chat, monkeypatch):
    """A body that comes too slowly is refused with a sentence, and its room is free again."""
    monkeypatch.setattr(uploads, "_SECONDS", 0.05)
    monkeypatch.setattr(uploads, "_BYTES_A_SECOND", 10**9)
    async with chat.client() as client:
        browser = Browser(client)
        await browser.open()
        reader, writer = await begun_upload(chat, browser, 400_000)
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n")
        assert b"408" in answer
        writer.close()


def test_the_limit_of_open_files_is_raised():
    """A process that is allowed more open files than it has gets them, and a low limit leaves room for files beside connections."""
    code = "from adapters.shared.http_connections import raise_file_limit; print(raise_file_limit())"

    def lowered():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=lowered, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "256"

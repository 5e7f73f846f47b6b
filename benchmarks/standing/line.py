"""The protocol between a chat process and the platform: JSON objects, one per line, over a local socket."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

#: A JSON object; its contents depend on its `op`.
Message = dict[str, Any]


class Line:
    """One end of a connection. Each side may ask; an answer carries the number of its question."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self.is_gone = False
        #: The id of the process at the other end, once it has sent it.
        self.pid = 0

    def say(self, message: Message) -> None:
        """Send a message that needs no answer."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def answer(self, question: Message, message: Message) -> None:
        """Answer a question."""
        self.say(message | {"op": "answer", "n": question["n"]})

    async def ask(self, message: Message, seconds: float = 20.0) -> Message:
        """Send a question and return its answer; raises `ConnectionError` if none comes: it may still have been carried out."""
        if self.is_gone:
            raise ConnectionError("the other end is gone")
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self.say(message | {"n": number})
        try:
            return await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise ConnectionError("no answer came") from None
        finally:
            del self._asked[number]

    async def heard(self) -> AsyncIterator[Message]:
        """Yield the messages of the other end that are no answers, until it is gone."""
        try:
            # The last line of a killed process may be incomplete.
            while (raw := await self._reader.readline()).endswith(b"\n"):
                message = json.loads(raw)
                if message["op"] != "answer":
                    yield message
                elif (waiting := self._asked.get(message["n"])) is not None and not waiting.done():
                    waiting.set_result(message)
        except ConnectionError:
            return
        finally:
            self.is_gone = True
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the other end is gone"))
            self.close()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

"""The HTTP API: reads a request, applies the armed faults, calls the method, and responds as Telegram does."""

import asyncio
import inspect
import json

from aiohttp import web

from tests.emulators.telegram import account, answers, editing, places, reading, sending
from tests.emulators.telegram.errors import Refusal
from tests.emulators.telegram.faults import AROUND, Fault, dropped
from tests.emulators.telegram.flood import Flood
from tests.emulators.telegram.routing import Call, Request

METHODS = account.method | sending.method | editing.method | places.method | answers.method


class Api:
    """All paths under /bot and /file/bot."""

    def __init__(self, telegram):
        self.telegram, self.sent = telegram, Flood()
        self.faults: list[Fault] = []

    async def handle(self, request):
        """Handle a request, and record it with its response."""
        asked = Request(request.match_info["method"])
        self.telegram.requests.append(asked)
        try:
            return await self._handled(request, asked)
        finally:
            self.telegram.changed()

    async def _handled(self, request, asked):
        refusal, size = None, 0
        if self._struck(asked.method, early=True):
            await request.content.read(1024)
            return self._cut(request)
        try:
            args, asked.files, size = await reading.read(request)
            asked.args = args
            asked.args = reading.understood(args)
        except Refusal as refused:
            refusal = refused
        fault = self._struck(asked.method, asked.args.get("chat_id"))
        if fault and fault.name == "reset":
            return self._cut(request)
        if fault and fault.name not in AROUND:
            return self._answer(asked, *fault.refused())
        if fault and fault.name == "slow":
            await asyncio.sleep(fault.seconds)
        try:
            asked.result = await self._done(request, asked, refusal, size)
            status, body = 200, {"ok": True, "result": asked.result}
        except Refusal as refused:
            status, body = refused.status, refused.body
        return await self._told(request, asked, fault, status, body)

    async def _told(self, request, asked, fault, status, body):
        """Respond, as far as the fault allows."""
        if fault and fault.name == "timeout-after-success":
            return self._cut(request)
        if fault and fault.name == "hold":
            await asyncio.sleep(fault.seconds)
        if fault and fault.name == "half":
            return await half(request, json.dumps(body).encode(), "application/json")
        return self._answer(asked, status, body)

    def _struck(self, method, chat_id=None, *, early=False):
        """Return the fault that strikes: with `early` among those that strike before a request is read, otherwise among the others."""
        among = [one for one in self.faults if (one.name == "cut") is early]
        fault = next((one for one in among if one.matches(method, chat_id)), None)
        if fault:
            fault.strike()
        return fault

    def _cut(self, request):
        dropped(request)
        return web.Response()

    async def _done(self, request, asked, refusal, size):
        token = request.match_info["token"]
        if ":" not in token:
            raise Refusal("Not Found", 404)
        if token != self.telegram.token:
            raise Refusal("Unauthorized", 401)
        if size > reading.MOST_OF_UPLOAD:
            raise Refusal("Request Entity Too Large", 413)
        if refusal:
            raise refusal
        return await self._acted(asked, lambda: request.transport is None or request.transport.is_closing())

    async def _acted(self, asked, is_gone=lambda: False):
        """Execute the method, unless Telegram or the Bot API document forbids it."""
        handler = METHODS.get(asked.method.lower())
        if handler is None:
            self.telegram.rejected.append(f"{asked.method}: no such method here")
            raise Refusal("Not Found", 404)
        schema = self.telegram.schema
        strays = schema.check_request(asked.method, asked.args) if schema else []
        self.telegram.rejected += strays
        call = Call(self.telegram, asked.args, asked.files, is_gone)
        try:
            act = handler(call)
        except (TypeError, KeyError, AttributeError, ValueError) as broken:
            if not strays:
                raise
            raise Refusal(strays[0]) from broken
        if strays:
            raise Refusal(strays[0])
        self._count(call)
        result = act()
        result = await result if inspect.isawaitable(result) else result
        if schema and handler is not METHODS["getupdates"]:
            self.telegram.misspoken += schema.check_reply(asked.method, result)
        return result

    def _count(self, call):
        if self.telegram.flood is None or not call.cost:
            return
        try:
            self.sent.take(self.telegram.flood, call.channel, call.cost, self.telegram.minute)
        except Refusal:
            self.telegram.floods += 1
            raise

    async def perform(self, method, args):
        """Execute the method in the bot's response to a webhook; Telegram does not report its result."""
        asked = Request(method, is_by_webhook=True)
        self.telegram.requests.append(asked)
        try:
            asked.args = reading.understood(args)
            asked.result, asked.status = await self._acted(asked), 200
        except Refusal as refused:
            asked.status, asked.description = refused.status, refused.description

    def _answer(self, asked, status, body):
        asked.status = status
        if isinstance(body, str):
            asked.description = body.partition("<title>")[2].partition("<")[0]
            return web.Response(status=status, text=body, content_type="text/html")
        asked.description = body.get("description")
        return web.json_response(body, status=status)

    async def download(self, request):
        """Respond with the bytes of a file while its link is valid."""
        fault = self._struck("download")
        asked = Request("download", {"file_path": request.match_info["path"]})
        self.telegram.requests.append(asked)
        if fault and fault.name in ("reset", "timeout-after-success"):
            return self._cut(request)
        if fault and fault.name not in AROUND:
            return self._answer(asked, *fault.refused())
        if fault and fault.name in ("slow", "hold"):
            await asyncio.sleep(fault.seconds)
        data = self.telegram.fetched(request.match_info["path"])
        if request.match_info["token"] != self.telegram.token or data is None:
            return self._answer(asked, 404, Refusal("Not Found", 404).body)
        asked.status = 200
        if fault and fault.name == "half":
            return await half(request, data, "application/octet-stream")
        return web.Response(body=data, content_type="application/octet-stream")


async def half(request, body, kind):
    """Announce a whole body and send half of it."""
    answer = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": kind})
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    await asyncio.sleep(0.02)  # a moment for the data to leave
    dropped(request)
    return answer

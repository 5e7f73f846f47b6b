"""The HTTP API: reads a request, applies the armed faults, calls the route, and responds as Discord does."""

import asyncio
import json
import re

from aiohttp import web

from tests.emulators.discord import account, answers, channels, commands
from tests.emulators.discord.errors import Refusal, bad
from tests.emulators.discord.faults import AROUND, Buckets, Fault, dropped, limited
from tests.emulators.discord.routing import Call, Request

PREFIX = "/api/v10"
ROUTES = [*account.routes, *commands.routes, *answers.routes, *channels.routes]
MOST_OF_REQUEST = 25 * 1024 * 1024
UPLOAD = re.compile(r"files\[(\d+)\]")


class Api:
    """All paths under /api/v10."""

    def __init__(self, discord):
        self.discord = discord
        self.buckets = Buckets()
        self.faults: list[Fault] = []

    async def handle(self, request):
        """Handle a request, and record it with its response."""
        path = request.path.removeprefix(PREFIX)
        asked = Request(request.method, path)
        self.discord.requests.append(asked)
        try:
            return await self._handled(request, asked)
        finally:
            self.discord.changed()

    async def _handled(self, request, asked):
        fault = next((one for one in self.faults if one.matches(asked.method, asked.path)), None)
        if fault:
            fault.hits += 1
            if fault.name == "reset":
                return dropped(request)
        try:
            is_multipart, size = await _read(request, asked)
        except json.JSONDecodeError:
            return self._answer(asked, 400, Refusal(50109).body, {})
        if fault and fault.name not in AROUND:
            return self._answer(asked, *fault.refused())
        if fault and fault.name == "slow":
            await asyncio.sleep(fault.seconds)
        status, body, headers = self._done(request, asked, is_multipart=is_multipart, size=size)
        if fault and fault.name == "timeout-after-success":
            return dropped(request)
        return self._answer(asked, status, body, headers)

    def _done(self, request, asked, *, is_multipart, size):
        """Return (status, body, headers) of the response."""
        found = next(((route, names) for route in ROUTES if (names := route.match(asked.method, asked.path)) is not None), None)
        if found is None:
            known = any(route.match(route.method, asked.path) is not None for route in ROUTES)
            sentence = "405: Method Not Allowed" if known else "404: Not Found"
            return int(sentence[:3]), {"message": sentence, "code": 0}, {}
        call = Call(self.discord, *found, request.query, asked.body, asked.files)
        if call.route.needs_token and request.headers.get("Authorization") != f"Bot {self.discord.token}":
            return 401, Refusal(0).body, {}
        headers, seconds = self._counted(call)
        if seconds is not None:
            more = {"X-RateLimit-Scope": "user", "Retry-After": str(int(seconds) + 1)}
            return 429, limited(seconds), headers | more
        strays = self._strays(asked, is_multipart=is_multipart)
        try:
            if size > MOST_OF_REQUEST:
                raise Refusal(40005)
            return *call.route.handler(call), headers
        except Refusal as refusal:
            return refusal.status, refusal.body, headers
        except (TypeError, KeyError, AttributeError, ValueError) as broken:
            if not strays:
                raise
            return 400, bad("body", "MODEL_TYPE_CONVERT", str(broken)).body, headers

    def _counted(self, call):
        # The first response to an interaction has no rate limit: each interaction has its own token.
        if call.route.path.endswith("/callback"):
            return {}, None
        return self.buckets.take(f"{call.route.method} {call.route.path}", call.majors)

    def _strays(self, asked, *, is_multipart):
        """Return and record how a body differs from the OpenAPI document."""
        found = []
        if self.discord.schema and asked.method in ("POST", "PUT", "PATCH") and (asked.body is not None or is_multipart):
            found = self.discord.schema.check_request(asked.method, asked.path, asked.body, is_multipart=is_multipart)
            self.discord.rejected += found
        return found

    def _answer(self, asked, status, body, headers):
        asked.status, asked.code = status, body.get("code") if isinstance(body, dict) and status >= 400 else None
        if self.discord.schema and status < 300:
            self.discord.misspoken += self.discord.schema.check_reply(asked.method, asked.path, status, body)
        is_of_cloudflare = isinstance(body, str) and status == 429
        headers = headers if is_of_cloudflare else {"Via": "1.1 google", **headers}
        if body is None:
            return web.Response(status=status, headers=headers)
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html", headers=headers)
        # Exactly this content type: with a charset, discord.py takes the body for plain text.
        return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


async def _read(request, asked):
    """Read a request into `asked`; return whether it is multipart, and its size in bytes."""
    if not request.content_type.startswith("multipart/"):
        text = await request.read()
        asked.body = json.loads(text) if text else None
        return False, len(text)
    size = 0
    async for part in await request.multipart():
        data = await part.read()
        size += len(data)
        found = UPLOAD.fullmatch(part.name or "")
        if part.name == "payload_json":
            asked.body = json.loads(data)
        elif found:
            asked.files[found[1]] = (part.filename or "unknown", bytes(data))
    return True, size

"""The gateway: sessions that outlive their sockets, and the routing of events to sessions."""

import asyncio
import json
import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

GUILDS, MEMBERS, PRESENCES, GUILD_MESSAGES, DIRECT_MESSAGES, CONTENT = (1 << bit for bit in (0, 1, 8, 9, 12, 15))
DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT, MEMBERS_WANTED, INVALID, HELLO, ACK = (*range(5), *range(6, 12))
LONGEST_FROM_CLIENT = 4096
# The intent that an event requires; None means that every session gets it.
INTENT = {
    "GUILD": GUILDS,
    "CHANNEL": GUILDS,
    "THREAD": GUILDS,
    "MESSAGE": GUILD_MESSAGES,
    "INTERACTION": None,
    "READY": None,
    "RESUMED": None,
}


def _plain(text):
    return text


def _zlib():
    stream = zlib.compressobj()
    return lambda text: stream.compress(text.encode()) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd():
    import zstandard  # installed only if the bot uses it: discord.py requests this stream if it can read it

    stream = zstandard.ZstdCompressor().compressobj()
    return lambda text: stream.compress(text.encode()) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


STREAMS = {None: lambda: _plain, "zlib-stream": _zlib, "zstd-stream": _zstd}


@dataclass(eq=False)
class Session:
    """The session of the bot on one shard; its sockets may disconnect and reconnect."""

    shard: int
    count: int
    intents: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sequence: int = 0
    sent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=5000))
    socket: "Socket | None" = None
    presence: dict[str, Any] | None = None  # the presence that the bot requested on identify

    def has(self, guild):
        """Return whether events of this server belong to this shard; events without a server belong to the first shard."""
        return (int(guild.id) >> 22) % self.count == self.shard if guild else self.shard == 0

    def wants(self, event, guild):
        """Return whether the bot's intents include this event."""
        intent = INTENT[event.partition("_")[0]]
        if intent == GUILD_MESSAGES and guild is None:
            intent = DIRECT_MESSAGES
        return intent is None or bool(self.intents & intent)

    def dispatch(self, event, data):
        """Send an event, now or when the bot resumes."""
        self.sequence += 1
        told = {"op": DISPATCH, "t": event, "s": self.sequence, "d": data}
        self.sent.append(told)
        if self.socket:
            self.socket.send(told)


class Socket:
    """A connection of the bot."""

    def __init__(self, websocket, compress):
        self.websocket = websocket
        self._compress = STREAMS[compress]()
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self.session: Session | None = None
        self.heartbeats = 0

    def send(self, told):
        """Queue a payload for sending."""
        self._waiting.put_nowait(told)

    async def _write(self):
        while True:
            told = self._compress(json.dumps(await self._waiting.get()))
            try:
                await (self.websocket.send_str if isinstance(told, str) else self.websocket.send_bytes)(told)
            except ConnectionError:
                return
            finally:
                self._waiting.task_done()

    async def sent(self):
        """Wait until the queued payloads are sent."""
        joined = asyncio.ensure_future(self._waiting.join())
        # A writer whose peer is gone never finishes the queue.
        await asyncio.wait([joined, self._writer], timeout=2.0, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()

    def leave(self):
        """Detach from the session, which stays available for a resume."""
        if self.session and self.session.socket is self:
            self.session.socket = None

    async def close(self, code):
        """Close the connection with a code."""
        self.leave()
        await self.sent()
        await self.websocket.close(code=code)

    def end(self):
        """Stop the writer."""
        self.leave()
        self._writer.cancel()


class Gateway:
    """All sessions and sockets."""

    def __init__(self, discord):
        self.discord = discord
        self.sessions: dict[str, Session] = {}
        self.sockets: set[Socket] = set()
        self.heartbeat_seconds = 41.25
        self.acknowledges = True
        self.refusals: list[int | None] = []  # the next connections are refused with these codes

    def dispatch(self, event, data, guild=None):
        """Send an event to the sessions that want it; `data` may be a function that takes whether the bot has the content intent."""
        for session in list(self.sessions.values()):
            if session.has(guild) and session.wants(event, guild):
                session.dispatch(event, data(bool(session.intents & CONTENT)) if callable(data) else data)

    def is_ready(self):
        """Return whether every shard is connected."""
        shards = {one.shard: one.count for one in self.sessions.values() if one.socket}
        return bool(shards) and len(shards) == max(shards.values())

    async def serve(self, request):
        """Serve a connection until it ends."""
        if self.refusals and self.refusals[0] is None:
            self.refusals.pop(0)
            return web.Response(status=503, text="no upstream")
        websocket = web.WebSocketResponse(timeout=2.0, max_msg_size=0, compress=False)
        await websocket.prepare(request)
        socket = Socket(websocket, request.query.get("compress"))
        self.sockets.add(socket)
        socket.send({"op": HELLO, "d": {"heartbeat_interval": int(self.heartbeat_seconds * 1000), "_trace": []}})
        try:
            await self._listen(socket)
        finally:
            self._ended(socket)
        return websocket

    async def _listen(self, socket):
        async for message in socket.websocket:
            if message.type is not WSMsgType.TEXT or len(message.data) > LONGEST_FROM_CLIENT:
                return await socket.close(4002)
            told = json.loads(message.data)
            code = self._heard(socket, told["op"], told.get("d"))
            self.discord.changed()
            if code:
                return await socket.close(code)
        return None

    def _ended(self, socket):
        session = socket.session
        # A normal close ends the session; after any other disconnect the bot may resume it.
        if session and session.socket is socket and socket.websocket.close_code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY):
            self.sessions.pop(session.id, None)
        socket.end()
        self.sockets.discard(socket)
        self.discord.changed()

    def _heard(self, socket, op, data):
        """Handle a payload from the bot; return the code to close with, or None."""
        if op == HEARTBEAT:
            socket.heartbeats += 1
            if self.acknowledges:
                socket.send({"op": ACK})
            return None
        if op in (IDENTIFY, RESUME):
            return self._begin(socket, op, data)
        if socket.session is None:
            return 4003
        return None if op in (PRESENCE, VOICE, MEMBERS_WANTED) else 4001

    def _begin(self, socket, op, data):
        if self.refusals:
            return self.refusals.pop(0)
        if data["token"] != self.discord.token:
            return 4004
        if socket.session:
            return 4005
        return self._resume(socket, data) if op == RESUME else self._identify(socket, data)

    def _identify(self, socket, data):
        self.discord.identifies += 1
        limit = self.discord.session_start_limit
        limit["remaining"] = max(0, limit["remaining"] - 1)
        shard, count = data.get("shard", (0, 1))
        if not 0 <= shard < count:
            return 4010
        if data["intents"] & (MEMBERS | PRESENCES | CONTENT) & ~self.discord.privileged_intents:
            return 4014
        for old in [one for one in self.sessions.values() if one.shard == shard and one.socket is None]:
            del self.sessions[old.id]
        session = socket.session = Session(shard, count, data["intents"], socket=socket, presence=data.get("presence"))
        self.sessions[session.id] = session
        session.dispatch("READY", self._ready(session))
        for guild in self._guilds(session):
            if session.wants("GUILD_CREATE", guild):
                session.dispatch("GUILD_CREATE", guild.created())
        return None

    def _guilds(self, session):
        return [one for one in self.discord.guilds if one.has_bot and session.has(one)]

    def _ready(self, session):
        return {
            **{"v": 10, "user": self.discord.bot.payload() | {"verified": True, "mfa_enabled": True, "email": None}},
            **{"guilds": [{"id": one.id, "unavailable": True} for one in self._guilds(session)], "session_id": session.id},
            **{"resume_gateway_url": f"{self.discord.gateway_url}/resume", "shard": [session.shard, session.count], "_trace": []},
            "application": {"id": self.discord.application_id, "flags": 0},
        }

    def _resume(self, socket, data):
        session = self.sessions.get(data["session_id"])
        if session is None:
            socket.send({"op": INVALID, "d": False})
            return None
        if data["seq"] > session.sequence:
            return 4007
        if session.socket:
            session.socket.leave()
        self.discord.resumes += 1
        session.socket, socket.session = socket, session
        for told in [one for one in session.sent if one["s"] > data["seq"]]:
            socket.send(told)
        session.dispatch("RESUMED", {"_trace": []})
        return None

    async def tell_all(self, op, data=None):
        """Send an opcode to every connection, and consider none ready until it has reconnected."""
        for socket in [one for one in self.sockets if one.session]:
            socket.leave()
            socket.send({"op": op, "d": data})
            await socket.sent()

    async def close_all(self, code):
        """Close every connection with a code."""
        await asyncio.gather(*(one.close(code) for one in list(self.sockets)))

"""The emulated Discord: starts and stops, stores its objects, and lets tests wait for events."""

import asyncio
import base64
import contextlib
import datetime
import inspect
import secrets
import time

from aiohttp import web

from tests.emulators.discord import schema
from tests.emulators.discord.api import PREFIX, Api
from tests.emulators.discord.faults import Fault
from tests.emulators.discord.gateway import CONTENT, INVALID, RECONNECT, Gateway
from tests.emulators.discord.messages import EPHEMERAL, Message
from tests.emulators.discord.person import Person
from tests.emulators.discord.routing import Request
from tests.emulators.discord.uses import Use
from tests.emulators.discord.world import Channel, Guild, Ids, User

NONCE_SECONDS = 300
MIB = 1024 * 1024
# The avatar of users without their own picture: 64 pixels square, all black.
PORTRAIT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAD0lEQVR42mNgGAWjgHwAAAJAAAHgTR1EAAAAAElFTkSuQmCC")

#: Waiting is driven by events; only a condition that never becomes true takes this long, in seconds.
PATIENCE = 200.0


class Discord:
    """An emulated Discord on this machine: `async with Discord() as discord`."""

    def __init__(self, token="test.token.secret", port=0, *, privileged_intents=0, shards=1):
        self.token, self.port, self.privileged_intents, self.shards = token, port, privileged_intents, shards
        self.ids, self.schema = Ids(), schema.document()
        self.bot, self.application_id = User(self, "easel", is_bot=True), self.ids()
        self.bot.id = self.application_id  # as for every app made since 2016
        self.users: dict[str, Person] = {}
        self.guilds: list[Guild] = []
        self.channels: dict[str, Channel] = {}
        self.attachments = {}
        self.uses: list[Use] = []
        self.requests: list[Request] = []
        self.rejected: list[str] = []  # how the bot's requests differ from the OpenAPI document
        self.misspoken: list[str] = []  # how this emulator's responses do
        self.commands, self.registered, self.puts = [], {}, 0
        self.identifies, self.resumes = 0, 0
        self.session_start_limit = {"total": 1000, "remaining": 1000, "reset_after": 86400000, "max_concurrency": 1}
        self.ack_seconds, self.token_seconds, self.cdn_seconds = 3.0, 900.0, 86400
        self.attachment_size_limit = 10 * MIB
        self.gateway, self.api = Gateway(self), Api(self)
        self._pulse, self._runner, self._nonces = asyncio.Event(), None, {}
        self.owner = self.user("owner")

    @property
    def is_validating(self):
        """Whether Discord's OpenAPI document is available."""
        return self.schema is not None

    @property
    def cdn_base(self):
        """The base URL of pictures and attachments."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_base(self):
        """The base URL of the routes."""
        return self.cdn_base + PREFIX

    @property
    def gateway_url(self):
        """The URL of the gateway."""
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        """Start listening; after a stop, at the same address and with all objects kept."""
        app = web.Application(client_max_size=100 * MIB)
        app.router.add_route("*", PREFIX + "/{path:.*}", self.api.handle)
        app.router.add_get("/attachments/{channel}/{id}/{name}", self._attachment)
        app.router.add_get("/{kind:avatars|embed|icons}/{path:.*}", self._asset)
        app.router.add_get("/", self.gateway.serve)
        app.router.add_get("/resume", self.gateway.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self):
        """Stop listening, as in an outage."""
        if self._runner:
            await self.gateway.close_all(1001)
            await self._runner.cleanup()
            self._runner = None

    async def _attachment(self, request):
        file = self.attachments.get(request.match_info["id"])
        expires, signature = request.query.get("ex", ""), request.query.get("hm", "")
        if file is None or signature != file.signed(expires) or int(expires, 16) < self.wall_clock():
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=file.data, content_type=file.content_type)

    async def _asset(self, _request):
        return web.Response(body=PORTRAIT, content_type="image/png")

    def guild(self, name, *, has_bot=True, locale="en-US"):
        """Create a server, with or without the bot."""
        made = Guild(self, name, has_bot=has_bot, locale=locale)
        if has_bot:
            made.add(self.bot)
        self.guilds.append(made)
        self.dispatch("GUILD_CREATE", made.created() if has_bot else {}, guild=made)
        return made

    def user(self, name, *, dm_closed=False):
        """Create a user."""
        made = Person(self, name)
        made.dm_closed = dm_closed
        self.users[made.id] = made
        return made

    def wall_clock(self):
        """Return the seconds since 1970."""
        return int(time.time())

    def now(self):
        """Return the time in Discord's format."""
        return datetime.datetime.now(datetime.UTC).isoformat()

    def dispatch(self, event, data, guild=None):
        """Send an event to the bot, if it is in the server and its intents include the event."""
        if guild is None or guild.has_bot:
            self.gateway.dispatch(event, data, guild)
        self.changed()

    def reads_content(self):
        """Return whether the bot has the content intent, and so may read messages that are not meant for it."""
        return any(one.intents & CONTENT for one in self.gateway.sessions.values())

    def is_user_installable(self):
        """Return whether users can install the bot for themselves, according to its commands."""
        return any(1 in (one.get("integration_types") or []) for one in self.commands)

    def add_message(
        self, channel, author, draft, *, use=None, flags=0, nonce=None, reference=None, mentions=(), id=None, is_original=False
    ):
        """Add a message to a channel."""
        made = Message(
            self, id or self.ids(), channel, author, flags=flags, nonce=nonce, reference=reference, use=use, mentions=[*mentions]
        )
        made.created_at = self.now()
        if draft:
            draft.put(made)
        if is_original:
            use.original = made
        channel.every_message.append(made)
        if nonce is not None:
            self._nonces[channel.id, str(nonce)] = made, time.monotonic()
        self._told("MESSAGE_CREATE", made)
        return made

    def said_with(self, channel, nonce):
        """Return the bot's message with this nonce if it was sent in the last minutes."""
        message, at = self._nonces.get((channel.id, str(nonce)), (None, 0.0))
        return message if message and time.monotonic() - at < NONCE_SECONDS else None

    def repeat(self, event):
        """Send the event of a message or an interaction to the bot a second time."""
        if isinstance(event, Use):
            self.gateway.dispatch("INTERACTION_CREATE", event.payload(), event.channel.guild)
        else:
            self._told("MESSAGE_CREATE", event)

    def edit_message(self, message, draft):
        """Change a message."""
        message.before_edit()
        draft.put(message)
        message.edited_at = self.now()
        self._told("MESSAGE_UPDATE", message)

    def delete_message(self, message):
        """Delete a message."""
        message.is_deleted = True
        told = {"id": message.id, "channel_id": message.channel.id}
        if message.channel.guild:
            told["guild_id"] = message.channel.guild.id
        if not message.is_ephemeral:
            self.dispatch("MESSAGE_DELETE", told, message.channel.guild)

    def _told(self, event, message):
        if not message.flags & EPHEMERAL and message.channel.bot_may("view_channel"):
            self.dispatch(event, message.event, message.channel.guild)
        self.changed()

    def changed(self):
        """Wake the waiting tests."""
        self._pulse.set()

    async def until(self, condition, timeout=PATIENCE):  # noqa: ASYNC109 - says in its error what happened meanwhile
        """Wait until a condition is true and return its value; it may be a coroutine function."""
        deadline = time.monotonic() + timeout
        while True:
            self._pulse.clear()
            found = condition()
            found = await found if inspect.isawaitable(found) else found
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"Not within {timeout} s. The last requests:\n" + "\n".join(map(str, self.requests[-12:])))
            # Poll for changes that do not call `changed`.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pulse.wait(), min(left, 0.05))

    async def ready(self, timeout=PATIENCE):  # noqa: ASYNC109 - as above
        """Wait until the bot is connected on every shard."""
        await self.until(self.gateway.is_ready, timeout)
        await asyncio.gather(*(one.sent() for one in list(self.gateway.sockets)))
        await asyncio.sleep(0.05)  # a moment for the bot to process what was sent

    def fault(self, method, path, kind, times=1):
        """Arm a fault for the next requests to a path; see `faults` for the kinds."""
        self.api.faults.append(Fault(method, path, kind, times))
        return self.api.faults[-1]

    def bucket(self, limit, seconds=5.0):
        """Set how many requests a route allows per period; None removes the limit."""
        self.api.buckets.set(limit, seconds)

    def clock(self, ack=3.0, token=900.0):
        """Set how long interactions may stay unanswered and how long their tokens live, in seconds."""
        self.ack_seconds, self.token_seconds = ack, token

    async def close_gateway(self, code):
        """Close every connection with a code."""
        await self.gateway.close_all(code)

    async def reconnect(self):
        """Ask the bot to reconnect."""
        await self.gateway.tell_all(RECONNECT)

    async def invalidate(self, resumable=False):
        """Invalidate the bot's session; a resumable session is only interrupted."""
        await self.gateway.tell_all(INVALID, resumable)
        if not resumable:
            self.gateway.sessions.clear()

    def refuse_gateway(self, times, code=4004):
        """Refuse the next connections with a code; None refuses the connection itself."""
        self.gateway.refusals += [code] * times

    def new_token(self):
        """Replace the bot's token, as its owner can, and return the new token."""
        self.token = f"test.{secrets.token_hex(8)}.secret"
        return self.token

"""The emulated Telegram: starts and stops, stores its objects, and lets tests wait for events."""

import asyncio
import contextlib
import inspect
import secrets
import time

from aiohttp import web

from tests.emulators.telegram import schema
from tests.emulators.telegram.access import ADMINISTRATOR, MEMBER, is_heard
from tests.emulators.telegram.api import Api
from tests.emulators.telegram.faults import Fault
from tests.emulators.telegram.flood import Limits
from tests.emulators.telegram.messages import Draft, Message
from tests.emulators.telegram.person import Person
from tests.emulators.telegram.updates import Updates
from tests.emulators.telegram.uses import Press, Query
from tests.emulators.telegram.world import ANONYMOUS, CHANNEL_BOT, Chat, Ids, User

MIB = 1024 * 1024

#: Waiting is driven by events; only a condition that never becomes true takes this long, in seconds.
PATIENCE = 200.0


class Telegram:
    """An emulated Telegram on this machine: `async with Telegram() as telegram`."""

    def __init__(self, token="7000000001:AAtest-token_of_an_emulated_bot_12", port=0, *, privacy=True, inline=True):
        self.token, self.port, self.privacy, self.is_inline = token, port, privacy, inline
        self.ids, self.schema = Ids(), schema.document()
        self.users: dict[int, User] = {}
        self.chats: dict[int, Chat] = {}
        self.stored = {}  # files by file_id
        self.presses: list[Press] = []
        self.queries: list[Query] = []
        self.requests = []
        self.rejected: list[str] = []  # how the bot's requests differ from the Bot API document
        self.misspoken: list[str] = []  # how this emulator's responses do
        self.commands, self.descriptions, self.menu_buttons = {}, {}, {}
        self.actions: list[tuple[Chat, str, int | None]] = []
        # The seconds that presses and inline queries may stay unanswered, and that links to files are valid.
        self.callback_seconds, self.inline_seconds, self.file_seconds = 15.0, 10.0, 3600.0
        self.webhook_seconds, self.webhook_retry_seconds, self.https_only = 60.0, 0.2, False
        # It is unknown whether Telegram treats a picture that is uploaded again in an edit as unchanged.
        self.same_upload_is_same = False
        self._flood: Limits | None = None
        self.floods, self.minute = 0, 60.0  # refused messages; seconds in a minute
        self._pulse, self._runner = asyncio.Event(), None
        self.bot = self._known(User(self, "easel", is_bot=True, id=int(token.partition(":")[0])))
        self.anonymous = self._known(User(self, "Group", is_bot=True, id=ANONYMOUS, username="GroupAnonymousBot"))
        self.channel_bot = self._known(User(self, "Channel", is_bot=True, id=CHANNEL_BOT, username="Channel_Bot"))
        self.updates, self.api = Updates(self), Api(self)

    def _known(self, user):
        self.users[user.id] = user
        return user

    @property
    def is_validating(self):
        """Whether Telegram's document is available."""
        return self.schema is not None

    @property
    def api_base(self):
        """The base URL of the methods, to which the token is appended."""
        return f"http://127.0.0.1:{self.port}/bot"

    @property
    def file_base(self):
        """The base URL of the files, to which the token is appended."""
        return f"http://127.0.0.1:{self.port}/file/bot"

    @property
    def faults(self):
        """The armed faults."""
        return self.api.faults

    @property
    def flood(self):
        """The rate limits: `flood.Limits` or a dictionary of changes to its defaults; None, as at first, means no limits."""
        return self._flood

    @flood.setter
    def flood(self, limits):
        self._flood = Limits(**limits) if isinstance(limits, dict) else limits
        self.api.sent.clear()

    @property
    def updates_waiting(self):
        """The number of updates that the bot has not confirmed."""
        return len(self.updates.waiting)

    @property
    def updates_delivered(self):
        """The number of updates that reached the bot at least once."""
        return sum(one.times > 0 for one in self.updates.every)

    @property
    def updates_confirmed(self):
        """The number of updates that the bot has confirmed."""
        return sum(one.is_confirmed for one in self.updates.every)

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        """Start listening; after a stop, at the same address and with all objects kept."""
        app = web.Application(client_max_size=100 * MIB)
        app.router.add_route("*", "/bot{token}/{method}", self.api.handle)
        app.router.add_get("/file/bot{token}/{path:.*}", self.api.download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        self.updates.webhook.resume()

    async def stop(self):
        """Stop listening, as in an outage."""
        if self._runner:
            self.updates.stop_poll()
            await self.updates.webhook.stop()
            await self._runner.cleanup()
            self._runner = None

    def user(self, name, *, language="en", is_bot=False):
        """Create a user or another bot."""
        if is_bot:
            return self._known(User(self, name, is_bot=True))
        made = self._known(Person(self, name, language=language))
        self.chats[made.id] = made.dm()
        return made

    def _chat(self, kind, id, title, members, bot, **more):
        made = Chat(self, kind, id, title, **more)
        for one in members:
            made.add(one)
        if bot:
            made.add(self.bot, bot)
        self.chats[made.id] = made
        return made

    def group(self, title, *members, bot=MEMBER):
        """Create a group in which the bot has this status, or is missing if None. The bot gets no update, as if it had joined long ago."""
        return self._chat("group", self.ids.group(), title, members, bot)

    def supergroup(self, title, *members, bot=MEMBER, username=None):
        """Create a supergroup, which is public if it has a username."""
        return self._chat("supergroup", self.ids.channel(), title, members, bot, username=username)

    def forum(self, title, *members, bot=MEMBER):
        """Create a supergroup with topics."""
        return self._chat("supergroup", self.ids.channel(), title, members, bot, is_forum=True)

    def channel(self, title, *members, bot=ADMINISTRATOR, username=None):
        """Create a channel in which the given users may post."""
        made = self._chat("channel", self.ids.channel(), title, (), bot, username=username)
        for one in members:
            made.add(one, ADMINISTRATOR)
        return made

    def find_chat(self, wanted):
        """Return a chat by its id or @username, or None."""
        if isinstance(wanted, str) and wanted.startswith("@"):
            return next((one for one in self.chats.values() if one.username and one.username.lower() == wanted[1:].lower()), None)
        return self.chats.get(wanted) if isinstance(wanted, int) else None

    def me(self):
        """Return the result of getMe."""
        more = {"can_connect_to_business": False, "has_main_web_app": False, "has_topics_enabled": False}
        more |= {"allows_users_to_create_topics": False, "can_manage_bots": False}
        reads_all = {"can_join_groups": True, "can_read_all_group_messages": not self.privacy, "supports_inline_queries": self.is_inline}
        return self.bot.payload() | reads_all | more

    def commands_for(self, user, chat):
        """Return the commands that a user sees in a chat: of the narrowest scope that has any, in the user's language if available."""
        scopes = [("chat", chat.id), ("all_private_chats",)] if chat.user else [("chat_member", chat.id, user.id)]
        if not chat.user:
            if chat.is_admin(user):
                scopes += [("chat_administrators", chat.id), ("chat", chat.id), ("all_chat_administrators",)]
            scopes += [("chat", chat.id), ("all_group_chats",)]
        keys = [(scope, language) for scope in (*scopes, ("default",)) for language in (user.language, "")]
        return next((self.commands[key] for key in keys if self.commands.get(key)), [])

    def now(self):
        """Return the seconds since 1970."""
        return int(time.time())

    def add_message(self, chat, sender, draft, *, thread=None, group_id=None, **more):
        """Add a message or a service message to a chat."""
        if thread is None and chat.kind == "supergroup" and not chat.is_forum and more.get("reply_to"):
            answered = more["reply_to"]
            thread = answered.message_thread_id or answered.id
        made = Message(self, chat.next_id(), chat, sender, message_thread_id=thread, media_group_id=group_id, **more)
        (draft or Draft()).put(made)
        chat.every_message.append(made)
        if sender and sender.is_bot and not made.sender_chat:
            chat.last_bot = sender
        made.was_heard = is_heard(made)
        self._told("channel_post" if chat.kind == "channel" else "message", made)
        return made

    def _told(self, kind, message):
        if message.was_heard:
            self.updates.add(kind, message.payload(), about=message, key=message.chat.id)
        self.changed()

    def edit_message(self, message, after):
        """Give a message the content of another message."""
        message.edits.append(message.before_edit())
        for name in vars(Draft()):
            setattr(message, name, getattr(after, name))
        message.edited_at = self.now()
        self._told("edited_channel_post" if message.chat.kind == "channel" else "edited_message", message)

    def delete_message(self, message):
        """Delete a message; nobody is notified."""
        message.is_deleted = True
        self.changed()
        return True

    def published(self, stored):
        """Return the path of a file, and renew its link."""
        if not stored.path:
            stored.path = f"{stored.media.kind}s/file_{sum(bool(one.path) for one in self.stored.values())}{stored.suffix}"
        stored.path_until = time.monotonic() + self.file_seconds
        return stored.path

    def fetched(self, path):
        """Return the bytes at a path while its link is valid."""
        found = next((one for one in self.stored.values() if one.path == path and time.monotonic() < one.path_until), None)
        return found and found.data

    def repeat(self, about):
        """Send the update about a message, a press or a query to the bot a second time, with the same number."""
        self.updates.repeat(about)

    def asked(self, method):
        """Return the requests for a method, oldest first."""
        return [one for one in self.requests if one.method.lower() == method.lower()]

    def fault(self, method, kind, times=1, chat=None):
        """Arm a fault for the next requests for a method; see `faults.Fault` for the kinds."""
        self.api.faults.append(Fault(method, kind, times, chat))
        return self.api.faults[-1]

    def new_token(self):
        """Replace the bot's token, as its owner can, and return the new token."""
        self.token = f"{self.bot.id}:AA{secrets.token_urlsafe(24)}"
        return self.token

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
        """Wait until the bot polls or has set a webhook."""
        await self.until(lambda: self.updates.is_polled or self.updates.webhook.url, timeout)

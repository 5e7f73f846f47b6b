"""The emulated Telegram: starts and stops, keeps what there is, and says to tests what happened."""

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

#: What is waited for is announced; only what never comes takes so long.
PATIENCE = 90.0


class Telegram:
    """An emulated Telegram on this machine: `async with Telegram() as telegram`."""

    def __init__(self, token="7000000001:AAtest-token_of_an_emulated_bot_12", port=0, *, privacy=True, inline=True):
        self.token, self.port, self.privacy, self.is_inline = token, port, privacy, inline
        self.ids, self.schema = Ids(), schema.document()
        self.users: dict[int, User] = {}
        self.chats: dict[int, Chat] = {}
        self.stored = {}  # files by their file_id
        self.presses: list[Press] = []
        self.queries: list[Query] = []
        self.requests = []
        self.rejected: list[str] = []  # where the bot strayed from the document
        self.misspoken: list[str] = []  # where this emulator did
        self.commands, self.descriptions, self.menu_buttons = {}, {}, {}
        self.actions: list[tuple[Chat, str, int | None]] = []
        # How long presses and queries may go unanswered, and links of files live.
        self.callback_seconds, self.inline_seconds, self.file_seconds = 15.0, 10.0, 3600.0
        self.webhook_seconds, self.webhook_retry_seconds, self.https_only = 60.0, 0.2, False
        # Unknown of the real one: whether a picture that is uploaded again in an edit counts as the one that is there.
        self.same_upload_is_same = False
        self._flood: Limits | None = None
        self.floods, self.minute = 0, 60.0  # how often it was too fast; how many seconds a minute has
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
        """Whether Telegram's document is at hand."""
        return self.schema is not None

    @property
    def api_base(self):
        """Where the methods are; the token is put behind it."""
        return f"http://127.0.0.1:{self.port}/bot"

    @property
    def file_base(self):
        """Where the files are; the token is put behind it."""
        return f"http://127.0.0.1:{self.port}/file/bot"

    @property
    def faults(self):
        """What was armed to go wrong."""
        return self.api.faults

    @property
    def flood(self):
        """What is too fast, `flood.Limits` or a dictionary of what differs from them; None, as at first, for nothing."""
        return self._flood

    @flood.setter
    def flood(self, limits):
        self._flood = Limits(**limits) if isinstance(limits, dict) else limits
        self.api.sent.clear()

    @property
    def updates_waiting(self):
        """How many updates the bot has not confirmed."""
        return len(self.updates.waiting)

    @property
    def updates_delivered(self):
        """How many updates reached the bot at least once."""
        return sum(one.times > 0 for one in self.updates.every)

    @property
    def updates_confirmed(self):
        """How many updates the bot has confirmed."""
        return sum(one.is_confirmed for one in self.updates.every)

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        """Begin to listen; after a stop at the same address as before, and with all that there was."""
        app = web.Application(client_max_size=100 * MIB)
        app.router.add_route("*", "/bot{token}/{method}", self.api.handle)
        app.router.add_get("/file/bot{token}/{path:.*}", self.api.download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        self.updates.webhook.resume()

    async def stop(self):
        """Be gone, as in an outage."""
        if self._runner:
            self.updates.stop_poll()
            await self.updates.webhook.stop()
            await self._runner.cleanup()
            self._runner = None

    def user(self, name, *, language="en", is_bot=False):
        """Make a person, or another bot."""
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
        """Make a group, with the bot as this in it; None for without. The bot is not told: it has been there for long."""
        return self._chat("group", self.ids.group(), title, members, bot)

    def supergroup(self, title, *members, bot=MEMBER, username=None):
        """Make a supergroup; with a username it is public."""
        return self._chat("supergroup", self.ids.channel(), title, members, bot, username=username)

    def forum(self, title, *members, bot=MEMBER):
        """Make a supergroup with topics."""
        return self._chat("supergroup", self.ids.channel(), title, members, bot, is_forum=True)

    def channel(self, title, *members, bot=ADMINISTRATOR, username=None):
        """Make a channel; persons given here may post."""
        made = self._chat("channel", self.ids.channel(), title, (), bot, username=username)
        for one in members:
            made.add(one, ADMINISTRATOR)
        return made

    def find_chat(self, wanted):
        """Return a chat by its id or @username; None for one that there is not."""
        if isinstance(wanted, str) and wanted.startswith("@"):
            return next((one for one in self.chats.values() if one.username and one.username.lower() == wanted[1:].lower()), None)
        return self.chats.get(wanted) if isinstance(wanted, int) else None

    def me(self):
        """Return what getMe tells."""
        more = {"can_connect_to_business": False, "has_main_web_app": False, "has_topics_enabled": False}
        more |= {"allows_users_to_create_topics": False, "can_manage_bots": False}
        reads_all = {"can_join_groups": True, "can_read_all_group_messages": not self.privacy, "supports_inline_queries": self.is_inline}
        return self.bot.payload() | reads_all | more

    def commands_for(self, user, chat):
        """Return the commands that somebody is shown in a chat: of the narrowest scope that has any, in their language if there are."""
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
        """Have something said, or happen."""
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
        """Have a message say what another one says."""
        message.edits.append(message.before_edit())
        for name in vars(Draft()):
            setattr(message, name, getattr(after, name))
        message.edited_at = self.now()
        self._told("edited_channel_post" if message.chat.kind == "channel" else "edited_message", message)

    def delete_message(self, message):
        """Take a message away; nobody is told."""
        message.is_deleted = True
        self.changed()
        return True

    def published(self, stored):
        """Return the path at which a file is from now on."""
        if not stored.path:
            stored.path = f"{stored.media.kind}s/file_{sum(bool(one.path) for one in self.stored.values())}{stored.suffix}"
        stored.path_until = time.monotonic() + self.file_seconds
        return stored.path

    def fetched(self, path):
        """Return the bytes at a path, as long as its link lives."""
        found = next((one for one in self.stored.values() if one.path == path and time.monotonic() < one.path_until), None)
        return found and found.data

    def repeat(self, about):
        """Tell the bot once more, in an update of the same number: of a message, a press or a query."""
        self.updates.repeat(about)

    def asked(self, method):
        """Return the requests for a method, oldest first."""
        return [one for one in self.requests if one.method.lower() == method.lower()]

    def fault(self, method, kind, times=1, chat=None):
        """Have the next requests for a method go wrong; see `faults.Fault` for the kinds."""
        self.api.faults.append(Fault(method, kind, times, chat))
        return self.api.faults[-1]

    def new_token(self):
        """Change the bot's token, as its owner may; returns the new one."""
        self.token = f"{self.bot.id}:AA{secrets.token_urlsafe(24)}"
        return self.token

    def changed(self):
        """Wake those who wait for something."""
        self._pulse.set()

    async def until(self, condition, timeout=PATIENCE):  # noqa: ASYNC109 - says in its error what happened meanwhile
        """Wait until a condition holds and return what it returned; it may be a coroutine function."""
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
            # What does not go through here is looked for now and then.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pulse.wait(), min(left, 0.05))

    async def ready(self, timeout=PATIENCE):  # noqa: ASYNC109 - as above
        """Wait until the bot asks for updates or has them sent."""
        await self.until(lambda: self.updates.is_polled or self.updates.webhook.url, timeout)

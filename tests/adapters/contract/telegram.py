"""Telegram for the contract tests: an emulated server, and users in their private chats with the bot."""

from contextlib import asynccontextmanager

from bot.i18n.translate import text
from tests.adapters.contract.talker import Heard
from tests.adapters.telegram.chat import configured, quick, words_of
from tests.adapters.web.chat import PATIENCE
from tests.emulators.telegram.messages import Draft

#: Telegram's limit on the length of a message.
MOST_TYPED = 4_096

#: The visible states of a running job.
RUNNING = ("running", "step")


def card(version):
    """Return the job and the state of a version of a message, or None if it is not a card."""
    wires = [wire.partition(":")[::2] for _, wire in version.buttons()]
    jobs = {rest for name, rest in wires if name in ("cancel", "again")}
    if len(jobs) != 1:
        return None
    said = words_of(version).splitlines()[-1]
    return (*jobs, _state(said, {name for name, _ in wires}))


def _state(said, names):
    if "retry" in names:
        return "failed"
    if "cancel" not in names:
        return "cancelled" if said == text("card-cancelled") else "done"
    if said.startswith("step "):
        return "step"
    return {text("card-starting"): "running", text("card-paused"): "paused"}.get(said, "waiting")


class TelegramTalker:
    """A user in their private chat."""

    def __init__(self, telegram, user):
        self._telegram = telegram
        self._person = user
        self._dm = user.dm()
        #: Messages that only carry a guessed or copied button.
        self._copied = []
        self._events = {}

    async def say(self, line, event="", pictures=(), file=None):
        """Send a message; with a known event, send its update to the bot a second time."""
        said = self._events.get(event)
        if said is None:
            said = await self._sent(line[:MOST_TYPED], pictures, file)
            await self._until(lambda: self._is_answered(self._after(said), line.count("||") + 1))
        else:
            await self._repeated(said)
        if event:
            self._events[event] = said
        return self._heard(self._after(said))

    async def _sent(self, line, pictures, file):
        """Send a line and pictures as files, because photos are re-encoded. Several are an album with the text in the first message."""
        if len(pictures) > 1:
            return (await self._person.album(self._dm, pictures, caption=line, documents=True))[0]
        name, data = file or ("picture.png", pictures[0] if pictures else None)
        return await (self._person.say(self._dm, line) if data is None else self._person.document(self._dm, data, name, caption=line))

    async def press(self, wire, event=""):
        """Press a button in the last message that has it; if none has it, in a message of the bot made for it."""
        press = self._events.get(event)
        if press is None:
            shown = [one for one in self._dm.messages if any(wire == carried for _, carried in one.buttons())]
            target = shown[-1] if shown else self._copy(wire)
            press = await self._person.press(target, wire)
            press.before = self._last()
            await self._until(lambda: press.answer is not None)
        else:
            await self._repeated(press)
        if event:
            self._events[event] = press
        answers = [one for one in self._ours() if one.id > press.before]
        heard = self._heard(answers)
        said = press.answer.text or heard.said
        return Heard(heard.jobs, said, not heard.jobs and bool(press.answer.show_alert))

    async def handed(self):
        """Wait for a document in the latest messages of the bot."""

        def found():
            documents = (one.media for one in reversed(self._ours()) if one.media is not None and one.media.kind == "document")
            return next(documents, None)

        await self._until(lambda: found() is not None)
        return found().name, found().data

    def _copy(self, wire):
        markup = {"inline_keyboard": [[{"text": "Copied", "callback_data": wire}]]}
        message = self._telegram.add_message(self._dm, self._telegram.bot, Draft(text="Copied", reply_markup=markup))
        self._copied.append(message)
        return message

    def _last(self):
        return max((one.id for one in self._ours()), default=0)

    async def _repeated(self, event):
        """Send an update to the bot a second time, and wait until the bot has processed it and is idle."""
        self._telegram.repeat(event)
        await self._until(lambda: not self._telegram.updates_waiting)
        await self._until(lambda: not any(state in ("waiting", *RUNNING) for _, state in self._shown()))

    def _is_answered(self, answers, prompts):
        heard = self._heard(answers)
        return heard.is_refused or len(heard.jobs) >= prompts

    def _heard(self, answers):
        shown = [found for one in answers for version in (*one.edits, one) if (found := card(version))]
        jobs = tuple(dict.fromkeys(job for job, _ in shown))
        said = " ".join(words_of(one) for one in answers if not card(one))
        listed = any(entity["type"] == "bold" for one in answers for entity in one.entities or ())
        return Heard(jobs, said, bool(said) and not jobs and not listed)

    def _ours(self):
        return [one for one in self._dm.every_message if one.sender is self._telegram.bot and one not in self._copied]

    def _after(self, said):
        """Return the bot's messages after a message."""
        return [one for one in self._ours() if one.id > said.id]

    def _shown(self):
        """Return the cards that are visible now."""
        return [found for one in self._dm.messages if one not in self._copied and (found := card(one))]

    async def until(self, job, state):
        """Wait for the state in the messages."""
        wanted = RUNNING if state == "running" else (state,)
        await self._until(lambda: any(one in wanted for one in self.seen(job)))

    async def _until(self, is_there):
        await self._telegram.until(is_there, PATIENCE)

    def seen(self, job):
        """Return the states in all versions of the messages."""
        versions = [version for one in self._ours() for version in (*one.edits, one)]
        return [found[1] for version in versions if (found := card(version)) and found[0] == job]

    def covered(self, job):
        """Return the spoiler flags of the photos in all versions of the messages."""
        versions = [version for one in self._ours() for version in (*one.edits, one)]
        return [one.has_spoiler for one in versions if one.photo and (found := card(one)) and found[0] == job]

    async def hears(self, words):
        """Wait for the words in the messages of the bot."""
        found = []

        def is_said():
            found[:] = [one for one in self._ours() if words in words_of(one)]
            return found

        await self._until(is_said)
        (message,) = found
        return words_of(message)

    async def cards(self):
        """Return the jobs of all cards in the chat."""
        return [job for job, _ in self._shown()]


class TelegramWorld:
    """An emulated Telegram."""

    platform = "telegram"

    def __init__(self, telegram):
        self._telegram = telegram
        self._people = {}

    def config(self, folder):
        """Return the configuration of a bot on it, and of a web page that is not used."""
        return configured(folder, self._telegram)

    @asynccontextmanager
    async def user(self, adapter, name):
        """Yield a user, who has started a chat with the bot, when the bot is connected."""
        del adapter
        await self._telegram.ready()
        if name not in self._people:
            self._people[name] = user = self._telegram.user(name)
            await user.start()
            await self._telegram.until(lambda: any(one.sender is self._telegram.bot for one in user.dm().messages))
        yield TelegramTalker(self._telegram, self._people[name])


@asynccontextmanager
async def world():
    """Yield an emulated Telegram."""
    async with quick() as telegram:
        yield TelegramWorld(telegram)

"""Discord for the contract's tests: an emulated one, and people in their direct messages with the bot."""

from contextlib import asynccontextmanager

from bot.i18n.translate import text
from tests.adapters.contract.talker import Heard
from tests.adapters.discord.chat import configured, quick, read
from tests.adapters.web.chat import PATIENCE
from tests.emulators.discord.composing import compose
from tests.emulators.discord.messages import COMPONENTS_V2

#: Discord lets nobody type more, however much they pay.
MOST_TYPED = 4_000

#: What is seen of a job while it runs.
RUNNING = ("running", "step")


def wires(message):
    """Return what the buttons of a message carry, as pairs of a name and the rest."""
    return [(wire.partition(":")[0], wire.partition(":")[2]) for _, wire, _ in message.buttons()]


def card(version):
    """Return the job that a version of a message shows, and its state; nothing where it is no card."""
    jobs = {rest for name, rest in wires(version) if name in ("cancel", "again")}
    if len(jobs) != 1 or version.is_ephemeral:
        return None
    said = version.texts()[-1].splitlines()[0].removeprefix("-# ")
    return (*jobs, _state(said, {name for name, _ in wires(version)}))


def _state(said, names):
    if "retry" in names:
        return "failed"
    if "cancel" not in names:
        return "cancelled" if said == text("card-cancelled") else "done"
    if said.startswith("step "):
        return "step"
    return {text("card-starting"): "running", text("card-paused"): "paused"}.get(said, "waiting")


def plain(message):
    """Return what a message says as people read it; what only announces an answer is none."""
    said = read(message)
    return "" if said == text("card-starting") else said


class DiscordTalker:
    """A person in their direct messages."""

    def __init__(self, discord, user):
        self._discord = discord
        self._person = user
        self._dm = user.dm()
        #: Messages of which only the buttons count: somebody guessed or copied them.
        self._copied = []
        self._events = {}

    async def say(self, line, event="", pictures=(), file=None):
        """Send a message; the same event is the same message, of which the bot is told once more."""
        said = self._events.get(event)
        if said is None:
            files = [("picture.png", one) for one in pictures] if file is None else [file]
            said = await self._person.say(self._dm, line[:MOST_TYPED], files=files)
            await self._until(lambda: self._is_answered(self._after(said), line.count("||") + 1))
        else:
            await self._repeated(said, f"/channels/{self._dm.id}/messages")
        if event:
            self._events[event] = said
        return self._heard(self._after(said))

    async def press(self, wire, event=""):
        """Press a button in the last message that has it; where none has, one of the bot's is put there for as long as it takes."""
        use = self._events.get(event)
        if use is None:
            shown = [one for one in self._dm.messages if any(wire == carried for _, carried, _ in one.buttons())]
            use = await self._person.click(shown[-1] if shown else self._copy(wire), wire)
            await self._until(lambda: self._is_acted_on(use, wire))
        else:
            await self._repeated(use, f"/interactions/{use.id}/")
        if event:
            self._events[event] = use
        if use.source in self._copied and not use.source.is_deleted:
            self._discord.delete_message(use.source)
        return self._heard([*([use.original] if use.original is not use.source else []), *use.followups])

    async def handed(self):
        """Look for a file among what the bot said last."""

        def found():
            ours = (one for one in reversed(self._dm.messages) if one.author is self._discord.bot)
            return next((file for one in ours for file in one.files if file.filename.endswith((".json", ".csv"))), None)

        await self._until(lambda: found() is not None)
        return found().filename, found().data

    def _copy(self, wire):
        button = {"type": 2, "style": 2, "label": "Copied", "custom_id": wire}
        body = {"flags": COMPONENTS_V2, "components": [{"type": 1, "components": [button]}]}
        self._copied.append(self._discord.add_message(self._dm, self._discord.bot, compose(self._discord, self._dm, body, {})))
        return self._copied[-1]

    async def _repeated(self, event, path):
        """Have the bot told once more, and wait until it has heard and has nothing more to do."""

        def asked():
            return sum(one.method == "POST" and one.path.startswith(path) and one.status is not None for one in self._discord.requests)

        before = asked()
        self._discord.repeat(event)
        await self._until(lambda: asked() > before and not any(state in ("waiting", *RUNNING) for _, state in self._shown()))

    def _is_answered(self, answers, prompts):
        heard = self._heard(answers)
        return heard.is_refused or len(heard.jobs) >= prompts

    def _is_acted_on(self, use, wire):
        """Return whether a press has come to something: a card, a sentence, or a button that is gone."""
        if use.kind is None:
            return False
        if use.original is use.source:
            return bool(use.followups) or all(wire != carried for _, carried, _ in use.source.buttons())
        if use.original.is_deleted:
            return bool(use.followups)
        return self._is_answered([use.original], 1)

    def _heard(self, answers):
        shown = [found for one in answers for version in (*one.edits, one) if (found := card(version))]
        jobs = tuple(dict.fromkeys(job for job, _ in shown))
        said = " ".join(filter(None, (plain(one) for one in answers if not one.is_deleted and not card(one))))
        # Whoever gets neither a card nor a change nor a list was refused.
        return Heard(jobs, said, bool(said) and not jobs and "**" not in said)

    def _after(self, said):
        """Return what the bot said after a message."""
        return [one for one in self._dm.every_message if int(one.id) > int(said.id) and one.author is self._discord.bot]

    def _shown(self):
        """Return the cards that are there now."""
        return [found for one in self._dm.messages if one not in self._copied and (found := card(one))]

    async def until(self, job, state):
        """Look at the message until it is so."""
        wanted = RUNNING if state == "running" else (state,)
        await self._until(lambda: any(one in wanted for one in self.seen(job)))

    async def _until(self, is_there):
        await self._discord.until(is_there, PATIENCE)

    def seen(self, job):
        """Return what the versions of the messages showed."""
        versions = [version for one in self._dm.every_message if one not in self._copied for version in (*one.edits, one)]
        return [found[1] for version in versions if (found := card(version)) and found[0] == job]

    def covered(self, job):
        """Return it of what the galleries among the versions of the messages hold."""
        versions = [version for one in self._dm.every_message for version in (*one.edits, one)]
        return [covered for one in versions if (found := card(one)) and found[0] == job for covered in one.covered()]

    async def hears(self, words):
        """Look at what the bot has written."""
        found = []

        def is_said():
            found[:] = [one for one in self._dm.messages if one.author is self._discord.bot and words in read(one)]
            return found

        await self._until(is_said)
        (message,) = found
        return read(message)

    async def cards(self):
        """Look through the channel."""
        return [job for job, _ in self._shown()]


class DiscordWorld:
    """An emulated Discord."""

    platform = "discord"

    def __init__(self, discord):
        self._discord = discord
        self._people = {}

    def config(self, folder):
        """Ask for a bot there, and for a page, which nobody opens."""
        return configured(folder, self._discord)

    @asynccontextmanager
    async def user(self, adapter, name):
        """Give somebody once the bot is there."""
        del adapter
        await self._discord.ready(PATIENCE)
        if name not in self._people:
            self._people[name] = self._discord.user(name)
        yield DiscordTalker(self._discord, self._people[name])


@asynccontextmanager
async def world():
    """Give a Discord."""
    async with quick() as discord:
        yield DiscordWorld(discord)

"""Discord for the contract tests: an emulated server, and users in their direct messages with the bot."""

from contextlib import asynccontextmanager

from bot.i18n.translate import text
from tests.adapters.contract.talker import Heard
from tests.adapters.discord.chat import configured, quick, read
from tests.adapters.web.chat import PATIENCE
from tests.emulators.discord.composing import compose
from tests.emulators.discord.messages import COMPONENTS_V2

#: Discord's limit on the length of a message, with any subscription.
MOST_TYPED = 4_000

#: The visible states of a running job.
RUNNING = ("running", "step")


def wires(message):
    """Return the button data of a message, as pairs of the name and the rest."""
    return [(wire.partition(":")[0], wire.partition(":")[2]) for _, wire, _ in message.buttons()]


def card(version):
    """Return the job and the state of a version of a message, or None if it is not a card."""
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
    """Return the visible text of a message, or nothing if it is only a placeholder."""
    said = read(message)
    return "" if said == text("card-starting") else said


class DiscordTalker:
    """A user in their direct messages."""

    def __init__(self, discord, user):
        self._discord = discord
        self._person = user
        self._dm = user.dm()
        #: Messages that only carry a guessed or copied button.
        self._copied = []
        self._events = {}

    async def say(self, line, event="", pictures=(), file=None):
        """Send a message; with a known event, send its update to the bot a second time."""
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
        """Press a button in the last message that has it; if none has it, in a temporary message of the bot."""
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
        """Wait for a file in the latest messages of the bot."""

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
        """Send an update to the bot a second time, and wait until the bot has processed it and is idle."""

        def asked():
            return sum(one.method == "POST" and one.path.startswith(path) and one.status is not None for one in self._discord.requests)

        before = asked()
        self._discord.repeat(event)
        await self._until(lambda: asked() > before and not any(state in ("waiting", *RUNNING) for _, state in self._shown()))

    def _is_answered(self, answers, prompts):
        heard = self._heard(answers)
        return heard.is_refused or len(heard.jobs) >= prompts

    def _is_acted_on(self, use, wire):
        """Return whether a press has had an effect: a card, a message, or a removed button."""
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
        # An answer without a card, a change or a list is a refusal.
        return Heard(jobs, said, bool(said) and not jobs and "**" not in said)

    def _after(self, said):
        """Return the bot's messages after a message."""
        return [one for one in self._dm.every_message if int(one.id) > int(said.id) and one.author is self._discord.bot]

    def _shown(self):
        """Return the cards that are visible now."""
        return [found for one in self._dm.messages if one not in self._copied and (found := card(one))]

    async def until(self, job, state):
        """Wait for the state in the messages."""
        wanted = RUNNING if state == "running" else (state,)
        await self._until(lambda: any(one in wanted for one in self.seen(job)))

    async def _until(self, is_there):
        await self._discord.until(is_there, PATIENCE)

    def seen(self, job):
        """Return the states in all versions of the messages."""
        versions = [version for one in self._dm.every_message if one not in self._copied for version in (*one.edits, one)]
        return [found[1] for version in versions if (found := card(version)) and found[0] == job]

    def covered(self, job):
        """Return the spoiler flags of the galleries in all versions of the messages."""
        versions = [version for one in self._dm.every_message for version in (*one.edits, one)]
        return [covered for one in versions if (found := card(one)) and found[0] == job for covered in one.covered()]

    async def hears(self, words):
        """Wait for the words in the messages of the bot."""
        found = []

        def is_said():
            found[:] = [one for one in self._dm.messages if one.author is self._discord.bot and words in read(one)]
            return found

        await self._until(is_said)
        (message,) = found
        return read(message)

    async def cards(self):
        """Return the jobs of all cards in the channel."""
        return [job for job, _ in self._shown()]


class DiscordWorld:
    """An emulated Discord."""

    platform = "discord"

    def __init__(self, discord):
        self._discord = discord
        self._people = {}

    def config(self, folder):
        """Return the configuration of a bot on it, and of a web page that is not used."""
        return configured(folder, self._discord)

    @asynccontextmanager
    async def user(self, adapter, name):
        """Yield a user when the bot is connected."""
        del adapter
        await self._discord.ready(PATIENCE)
        if name not in self._people:
            self._people[name] = self._discord.user(name)
        yield DiscordTalker(self._discord, self._people[name])


@asynccontextmanager
async def world():
    """Yield an emulated Discord."""
    async with quick() as discord:
        yield DiscordWorld(discord)

"""The bot: takes an invocation, finds and binds the command, runs it, and accepts what it wants painted. Knows no platform."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bot import asking, given
from bot.bind import Raw, bind
from bot.errors import BadInput, NotAllowed
from bot.given import Fetch, Sources
from bot.nearest import nearest
from bot.prompt import Reading
from bot.reply import Reply
from bot.spec import Command, Param
from bot.store.jobs import Job, NewJob
from bot.store.people import Person
from bot.store.pictures import KeptPicture
from bot.store.store import Store
from bot.values import Address, Caller, Invocation, new_id, writable
from bot.wish import Wish
from inference.passport import Passport, not_offered
from inference.request import PictureRequest

#: A command of whatever parameters.
AnyCommand = Command[Any]

#: Of a name that nobody knows no more is shown, or compared.
_LONGEST_NAME = 40


@dataclass(frozen=True)
class Offer:
    """What may be asked for now: models by name, and the names of all commands that are not hidden."""

    passports: Mapping[str, Passport]
    default_model: str
    commands: tuple[str, ...] = ()

    def passport(self, name: str | None) -> Passport:
        """Return a model's passport, or the default model's; raises `NotOffered`."""
        wanted = self.default_model if name is None else name
        # People do not remember capitals.
        known = {one.casefold(): passport for one, passport in self.passports.items()}
        if wanted.casefold() not in known:
            raise not_offered("model", wanted, tuple(self.passports))
        return known[wanted.casefold()]


@dataclass(frozen=True)
class Context:
    """What a command's handler has: who asks, where, and the parts of the bot that it may use."""

    app: "App"
    person: Person
    address: Address
    line: str
    sources: Sources
    key: str = ""
    drafts: list[NewJob] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.app.store

    async def read(self, wish: Wish) -> "Read":
        """Return a wish as read; raises `BadInput`, `BadPicture`, `OutOfRange` or `NotOffered` where it cannot be painted."""
        return await self.app.read(wish, self.sources)

    async def submit(self, wish: Wish) -> NewJob:
        """Want something painted and return its job, which is accepted together with all others when the command is done.

        Raises what `read` raises.
        """
        read = await self.read(wish)
        number = len(self.drafts)
        draft = NewJob(
            id=new_id(),
            person=self.person.id,
            address=self.address,
            line=self.line,
            wish=read.wish.model_dump_json(exclude_none=True),
            request=msgspec.structs.replace(read.request, share=self.person.id, previews=True),
            source=read.wish.image,
            key=f"{self.key}#{number}" if self.key else None,
        )
        self.drafts.append(draft)
        return draft

    async def job(self, job_id: str) -> Job:
        """Return a job of this person, or one that was shown in this place; raises `NotAllowed` for any other, there or not."""
        job = await self.store.jobs.get(job_id)
        if job is None or not (job.person == self.person.id or _same_place(job.address, self.address)):
            raise NotAllowed("denied-job")
        return job

    async def own_job(self, job_id: str) -> Job:
        """Return a job of this person; raises `NotAllowed` for any other, there or not."""
        job = await self.store.jobs.get(job_id)
        if job is None or job.person != self.person.id:
            raise NotAllowed("denied-job")
        return job

    async def picture(self, picture_id: str) -> tuple[KeptPicture, Job]:
        """Return a picture and its job, of this person or shown in this place; raises `NotAllowed` for any other."""
        picture = await self.store.pictures.get(picture_id)
        if picture is None:
            raise NotAllowed("denied-picture")
        try:
            return picture, await self.job(picture.job)
        except NotAllowed:
            raise NotAllowed("denied-picture") from None

    async def own_picture(self, picture_id: str) -> KeptPicture:
        """Return a picture of this person; raises `NotAllowed` for any other."""
        picture = await self.store.pictures.get(picture_id)
        if picture is None or picture.person != self.person.id:
            raise NotAllowed("denied-picture")
        return picture


def _same_place(one: Address, other: Address) -> bool:
    return (one.platform, one.place) == (other.platform, other.place)


class Read(msgspec.Struct, frozen=True):
    """A wish as read: its prompt, its model, the complete request, and the wish with its picture as a key."""

    reading: Reading
    passport: Passport
    request: PictureRequest
    wish: Wish


class App:
    """The bot. `handle` and `pressed` are all that platforms need; `wake` is called when something was accepted or changed."""

    def __init__(
        self,
        commands: Sequence[AnyCommand],
        store: Store,
        offer: Offer,
        *,
        fetch: Fetch | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.commands = {one.name: one for one in commands}
        self.store = store
        self.offer = Offer(offer.passports, offer.default_model, tuple(one.name for one in commands if not one.hidden))
        self._fetch = fetch
        self.wake = wake

    def find(self, name: str) -> AnyCommand:
        """Return a command by name; raises `BadInput` with the nearest one."""
        known = self.commands.get(name.casefold())
        if known is None:
            raise BadInput("input-command", given=name[:_LONGEST_NAME], nearest=nearest(name[:_LONGEST_NAME], self.offer.commands))
        return known

    async def handle(self, call: Invocation) -> Reply:
        """Run a command and return what it says; jobs in the reply are accepted for good.

        Raises `BotError` or `InferenceError`, whose sentence is for the person.
        """
        command = self.find(call.command)
        person = await self._person(call.caller)
        sources = self._sources()
        return await self._run(command, await given.runs(command, call, sources, person.id), call, person, sources)

    async def pressed(self, wire: str, caller: Caller, address: Address, *, line: str = "", key: str = "") -> Reply:
        """Run the command that a button carries; raises what `handle` raises, and `BadInput` for what no button carries."""
        name, *values = wire.split(":")
        command = self.commands.get(name)
        if command is None:
            raise BadInput("input-button")
        person = await self._person(caller)
        sources = self._sources()
        run = await given.with_keys(command, command.pressed(values), sources, person.id)
        call = Invocation(command=name, given=run, caller=caller, address=address, line=line, key=key)
        return await self._run(command, [run], call, person, sources)

    async def read(self, wish: Wish, sources: Sources | None = None) -> Read:
        """Return a wish as read; `sources` holds pictures that are not kept yet.

        Raises `BadInput`, `BadPicture`, `OutOfRange` or `NotOffered`.
        """
        sources = sources or self._sources()
        passport = self.offer.passport(wish.model)
        seed = asking.seed_for(wish)
        reading = asking.reading_of(wish, seed)
        if wish.image is None and reading.image is not None:
            if not reading.image:
                raise BadInput("input-image-missing")
            wish = wish.model_copy(update={"image": await sources.fetched(reading.image)})
        source = None if wish.image is None else await sources.header(wish.image)
        return Read(reading, passport, asking.request_of(wish, reading, passport, seed, source), wish)

    def suggestions(self, param: Param, typed: str, most: int = 25) -> tuple[str, ...]:
        """Return values to offer for a parameter while it is typed."""
        names = param.choices if param.suggested is None else tuple(param.suggested.names(self.offer))
        starting = [name for name in names if name.casefold().startswith(typed.casefold())]
        holding = [name for name in names if typed.casefold() in name.casefold() and name not in starting]
        return tuple([*starting, *holding][:most])

    async def _run(self, command: AnyCommand, given_runs: Sequence[Raw], call: Invocation, person: Person, sources: Sources) -> Reply:
        """Run a command as often as it was asked for; everything is accepted, or nothing."""
        # All is read before anything is run: the third prompt's mistake is told before the first one is looked at.
        wants = [bind(command, one) for one in given_runs]
        ctx = Context(self, person, call.address, writable(call.line), sources, call.key)
        replies = [await command.run(ctx, want) for want in wants]
        jobs: dict[str, str] = {}
        if ctx.drafts:
            # Pictures first: an accepted job must find what it starts from.
            await sources.keep(draft.source for draft in ctx.drafts if draft.source is not None)
            accepted = await self.store.jobs.accept(ctx.drafts)
            jobs = {draft.id: job.id for draft, job in zip(ctx.drafts, accepted, strict=True)}
        reply = _merged(replies, jobs)
        if reply.jobs or reply.refresh:
            self.wake()
        return reply

    async def _person(self, caller: Caller) -> Person:
        return await self.store.people.person(msgspec.structs.replace(caller, name=writable(caller.name)))

    def _sources(self) -> Sources:
        return Sources(self.store.files, self.store.pictures, self._fetch)


def _merged(replies: Sequence[Reply], jobs: Mapping[str, str]) -> Reply:
    """Return several replies as one; jobs that were accepted before under the same key are those."""
    return Reply(
        text="\n".join(dict.fromkeys(one.text for one in replies if one.text)),
        facts=tuple(fact for one in replies for fact in one.facts),
        pictures=tuple(picture for one in replies for picture in one.pictures),
        buttons=tuple(button for one in replies for button in one.buttons),
        jobs=tuple(jobs.get(job, job) for one in replies for job in one.jobs),
        refresh=tuple(dict.fromkeys(job for one in replies for job in one.refresh)),
    )

"""What a command's handler has: who asks, where, and the parts of the bot that it may use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bot.commands.inputs import Sources
from bot.core import limits
from bot.core.errors import BadInput, NotAllowed
from bot.core.limits import WHOLE
from bot.core.provenance import First
from bot.core.values import Address, Caller, new_id
from bot.framework.binding import Raw, bind
from bot.framework.command import Command, Params
from bot.generation import defaults, resolve
from bot.generation.defaults import Origin
from bot.generation.params import Wish
from bot.i18n.translate import spoken
from bot.prompting.grammar import Reading
from bot.store.images.images import KeptPicture
from bot.store.jobs.job import Job, NewJob
from bot.store.store import Store
from bot.store.users.settings import Wanted
from bot.store.users.users import OPERATOR, Person
from inference.contract.model_info import Passport
from inference.contract.provenance import differences
from inference.contract.request import PictureRequest

if TYPE_CHECKING:
    from bot.app import App

P = TypeVar("P", bound=Params)


class Read(msgspec.Struct, frozen=True):
    """A wish as read: its prompt, its model, the complete request, and the wish with its picture as a key."""

    reading: Reading
    passport: Passport
    request: PictureRequest
    wish: Wish


@dataclass(frozen=True)
class Context:
    """What a command's handler has: who asks, where, and the parts of the bot that it may use."""

    app: "App"
    person: Person
    address: Address
    line: str
    sources: Sources
    #: Whether their platform says that they look after this place.
    moderates: bool = False
    key: str = ""
    #: What was settled, by them and for this place.
    wanted: Wanted = field(default_factory=Wanted)
    drafts: list[NewJob] = field(default_factory=list)
    #: What was shared and is used when a draft is accepted, by the draft's id.
    uses: dict[str, str] = field(default_factory=dict)
    #: Who decided the values that the command was given, by the names of its parameters.
    origins: Mapping[str, Origin] = field(default_factory=dict)
    #: Who asks as their platform knows them.
    caller: Caller = field(default_factory=lambda: Caller("", ""))

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.app.store

    async def bound(self, command: Command[P], given: Raw, slots: Mapping[str, str] | None = None) -> tuple[P, Mapping[str, Origin]]:
        """Return the parameters of a command over what this person and this place settled, and who decided each; raises `BadInput`.

        `slots` are values that a preset's form asked for.
        """
        (run,) = await self.app.layering.runs(command, [given], self.person.id, self.address, self.wanted, slots)
        return bind(command, run.given, *run.values), defaults.origins(run.given, run.layers)

    async def read(self, wish: Wish) -> "Read":
        """Return a wish as read; raises `BadInput`, `BadPicture`, `OutOfRange` or `NotOffered` where it cannot be painted."""
        return await self.app.read(wish, self.sources)

    async def submit(self, wish: Wish) -> NewJob:
        """Want something painted and return its job, which is accepted together with all others when the command is done.

        Raises what `read` raises.
        """
        read = await self._within(wish)
        return self._draft(read, read.wish)

    async def repeat(self, job: Job) -> NewJob:
        """Want what a job painted once more, to the last bit, and return the job of that, like `submit`."""
        wish = await self.wish_of(job)
        read = await self._within(resolve.pinned(wish, job.request))
        wish = wish.model_copy(update={"seed": job.request.seed, "image": read.wish.image})
        proof = job.evidence.painted
        seats = tuple(picture.seats for picture in proof.pictures) if proof is not None else ()
        request = msgspec.structs.replace(read.request, seats=seats)
        first = First(proof, differences(job.request, read.request))
        return self._draft(msgspec.structs.replace(read, request=request), wish, first)

    def _draft(self, read: Read, wish: Wish, first: First | None = None) -> NewJob:
        number = len(self.drafts)
        draft = NewJob(
            id=new_id(),
            person=self.person.id,
            address=self.address.of(number),
            line=self.line,
            wish=wish.model_dump_json(exclude_none=True),
            request=msgspec.structs.replace(read.request, share=self.person.id, previews=True),
            source=read.wish.image,
            key=f"{self.key}#{number}" if self.key else None,
            credits=self.app.offer.credits(read.request),
            cost=self.app.seconds(read.request, has_source=read.wish.image is not None),
            # Everybody in a place sees what comes of it, so a place's own language goes before that of who asks.
            language=self.wanted.language or spoken(),
            first=first,
        )
        self.drafts.append(draft)
        return draft

    async def _within(self, wish: Wish) -> Read:
        """Return a wish as read, under the ceilings of its place and of its preset.

        What is given now is refused above the place's, all else is made less. Raises what `read` raises, and `BadInput`.
        """
        read = await self.read(wish)
        preset = await self.store.presets.referred(wish.preset)
        of_place = {} if self.may_operate else self.wanted.most
        # What was given above a preset's own ceiling was refused with the preset.
        most = limits.lower(of_place, {} if preset is None else preset.body.most)
        less: dict[str, float] = {}
        for name, ceiling in most.items():
            value = float(getattr(read.request, name))
            if value <= ceiling or (name == "strength" and read.wish.image is None):
                continue
            if self.origins.get(name) == "you" and value > of_place.get(name, value):
                raise BadInput("input-place-most", name=name, most=of_place[name])
            less[name] = int(ceiling) if name in WHOLE else ceiling
        if not less:
            return read
        return msgspec.structs.replace(read, request=msgspec.structs.replace(read.request, **less), wish=read.wish.model_copy(update=less))

    async def wish_of(self, job: Job) -> Wish:
        """Return what a job was asked for with; of somebody else's without a preset that this person may not see."""
        wish = Wish.model_validate_json(job.wish)
        if wish.preset is None or job.person == self.person.id:
            return wish
        reader = await self.store.presets.reader(self.person.id, self.address)
        is_seen = await self.store.presets.find(wish.preset, reader) is not None
        return wish if is_seen else wish.model_copy(update={"preset": None})

    async def job(self, job_id: str) -> Job:
        """Return a job of this person, or one that was shown in this place; raises `NotAllowed` for any other, there or not."""
        job = await self.store.jobs.get(job_id)
        if job is None or not (job.person == self.person.id or _same_place(job.address, self.address)):
            raise NotAllowed("denied-job")
        return job

    @property
    def may_operate(self) -> bool:
        """Return whether this person runs Easel."""
        return self.person.role == OPERATOR

    @property
    def may_moderate(self) -> bool:
        """Return whether this person looks after this place, or after all of them."""
        return self.moderates or self.person.moderates

    async def own_job(self, job_id: str) -> Job:
        """Return a job that this person may change: their own, or of a place that they look after; raises `NotAllowed` for any other."""
        job = await self.store.jobs.get(job_id)
        if job is None:
            raise NotAllowed("denied-job")
        looks_after = self.person.moderates or (self.moderates and _same_place(job.address, self.address))
        if job.person != self.person.id and not looks_after:
            raise NotAllowed("denied-job")
        return job

    async def audit(self, act: str, *, person: str | None = None, place: Address | None = None, **facts: str | int | float) -> None:
        """Write down what this person did with more rights than others have, in a place that is this one unless said otherwise."""
        place_id = await self.store.people.place(place or self.address)
        await self.store.audit.note(self.person.id, act, person=person, place=place_id, facts=facts)

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

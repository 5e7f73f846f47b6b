"""The context of a command handler: the user, the channel, and the parts of the bot that handlers use."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from bot.commands.inputs import Layering, Sources
from bot.core import limits
from bot.core.errors import BadInput, NotAllowed
from bot.core.scheduling import Forecast
from bot.core.values import First, MessageRef, UserRef, new_id
from bot.framework.binding import Raw, bind
from bot.framework.command import Command
from bot.framework.params import Param, Params
from bot.generation import resolve
from bot.generation.fields import FIELDS, WHOLE, GenerationParams, read_params
from bot.generation.resolve import ModelCatalog, Origin, SavedDefaults
from bot.i18n.translate import spoken
from bot.prompting.grammar import Reading
from bot.store.images.images import StoredImage
from bot.store.jobs.job import Job, NewJob
from bot.store.store import Store
from bot.store.users.users import OPERATOR, User
from inference.contract.inputs import Role
from inference.contract.model_info import ModelInfo
from inference.contract.modes import mode_of
from inference.contract.provenance import differences
from inference.contract.request import PictureRequest

P = TypeVar("P", bound=Params)


class Read(msgspec.Struct, frozen=True):
    """Parsed parameters: the prompt, the model, the complete request, and the parameters with pictures as keys."""

    reading: Reading
    model_info: ModelInfo
    request: PictureRequest
    params: GenerationParams

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return the role of each picture."""
        return tuple(one.role for one in self.params.inputs)


class Bot(Protocol):
    """What handlers use of the application (`bot.app.App`)."""

    commands: dict[str, Command[Any]]
    store: Store
    offer: ModelCatalog
    layering: Layering
    foresee: Callable[[Job], Awaitable[Forecast]]
    least_free: int

    def find(self, name: str) -> Command[Any]:
        """Return a command by name; raises `BadInput`."""
        ...

    async def read(self, params: GenerationParams, sources: Sources | None = None, mode: str = "") -> "Read":
        """Return the parsed parameters; raises `BadInput`, `BadPicture`, `OutOfRange` or `NotOffered`."""
        ...

    def seconds(self, request: PictureRequest, roles: Collection[Role]) -> float:
        """Return the device seconds that a request with such inputs is estimated to take."""
        ...

    def suggestions(self, param: Param, typed: str, most: int = 25) -> tuple[str, ...]:
        """Return values for a parameter that begin with or contain what was typed."""
        ...


@dataclass(frozen=True)
class Context:
    """The context of a command handler: the user, the channel, and the parts of the bot that handlers use."""

    app: Bot
    user: User
    address: MessageRef
    line: str
    sources: Sources
    #: Whether the user moderates this channel according to the platform.
    moderates: bool = False
    key: str = ""
    #: The settings of the user and of the channel.
    wanted: SavedDefaults = field(default_factory=SavedDefaults)
    drafts: list[NewJob] = field(default_factory=list)
    #: The shared items that are used when drafts are accepted, by the ids of the drafts.
    uses: dict[str, str] = field(default_factory=dict)
    #: The origins of the command's values, by parameter name.
    origins: Mapping[str, Origin] = field(default_factory=dict)
    #: The user as their platform knows them.
    caller: UserRef = field(default_factory=lambda: UserRef("", ""))

    @property
    def store(self) -> Store:
        """Return the store."""
        return self.app.store

    async def bound(self, command: Command[P], given: Raw, slots: Mapping[str, str] | None = None) -> tuple[P, Mapping[str, Origin]]:
        """Return the parameters of a command over the settings of this user and channel, and the origin of each value; raises `BadInput`.

        `slots` are values from the form of a preset.
        """
        (run,) = await self.app.layering.runs(command, [given], self.user.id, self.address, self.wanted, slots)
        return bind(command, run.given, *run.values), resolve.origins(run.given, run.layers)

    async def read(self, params: GenerationParams) -> "Read":
        """Return parsed parameters; raises `BadInput`, `BadPicture`, `OutOfRange` or `NotOffered` if they cannot be painted."""
        return await self.app.read(params, self.sources)

    async def submit(self, params: GenerationParams, mode: str = "") -> NewJob:
        """Add a job and return it; all jobs of a command are accepted together when the command is done.

        `mode` is the name of the mode; if it is empty, the input pictures imply it. Raises what `read` raises.
        """
        read = await self._within(params, mode)
        return self._draft(read, read.params)

    async def repeat(self, job: Job) -> NewJob:
        """Add a job that repeats another job exactly, and return it, like `submit`."""
        params = await self.wish_of(job)
        read = await self._within(resolve.pinned(params, job.request), job.request.mode)
        params = params.model_copy(update={"seed": job.request.seed, "image": read.params.image})
        proof = job.evidence.painted
        seats = tuple(picture.seats for picture in proof.pictures) if proof is not None else ()
        request = msgspec.structs.replace(read.request, seats=seats)
        first = First(proof, differences(job.request, read.request))
        return self._draft(msgspec.structs.replace(read, request=request), params, first)

    def _draft(self, read: Read, params: GenerationParams, first: First | None = None) -> NewJob:
        number = len(self.drafts)
        draft = NewJob(
            id=new_id(),
            user=self.user.id,
            address=self.address.of(number),
            line=self.line,
            params=params.model_dump_json(exclude_none=True),
            request=msgspec.structs.replace(read.request, share=self.user.id, previews=True),
            inputs=read.params.inputs,
            key=f"{self.key}#{number}" if self.key else None,
            credits=self.app.offer.credits(read.request, read.roles),
            cost=self.app.seconds(read.request, read.roles),
            # Everybody in a channel sees the result, so the channel's language comes before the user's.
            language=self.wanted.language or spoken(),
            first=first,
        )
        self.drafts.append(draft)
        return draft

    async def _within(self, params: GenerationParams, mode: str) -> Read:
        """Return parsed parameters within the limits of the channel and of the preset.

        A given value above the channel's limit is refused; other values are reduced to it. Raises what `read` raises, and `BadInput`.
        """
        read = await self.app.read(params, self.sources, mode)
        preset = await self.store.presets.referred(params.preset) if params.preset else None
        of_channel = {} if self.may_operate else self.wanted.most
        # A value above the preset's own limit was refused before.
        most = limits.lower(of_channel, {} if preset is None else preset.body.most)
        less: dict[str, float] = {}
        idle = resolve.idle(mode_of(read.request, read.roles))
        for name, limit in most.items():
            value = float(FIELDS[name].value(read.request) or 0)
            if value <= limit or name in idle:
                continue
            if self.origins.get(name) == "you" and value > of_channel.get(name, value):
                raise BadInput("input-place-most", name=name, most=of_channel[name])
            less[name] = int(limit) if name in WHOLE else limit
        if not less:
            return read
        return msgspec.structs.replace(
            read, request=msgspec.structs.replace(read.request, **less), params=read.params.model_copy(update=less)
        )

    async def wish_of(self, job: Job) -> GenerationParams:
        """Return the parameters of a job; of another user's job without a preset that this user may not see.

        Raises `BadInput` if the job has input pictures that its parameters lack: without them the result would be different.
        """
        params = read_params(job.params)
        if set(job.inputs) - set(params.inputs):
            raise BadInput("job-unreadable")
        if params.preset is None or job.user == self.user.id:
            return params
        reader = await self.store.presets.reader(self.user.id, self.address)
        is_seen = await self.store.presets.find(params.preset, reader) is not None
        return params if is_seen else params.model_copy(update={"preset": None})

    async def job(self, job_id: str) -> Job:
        """Return a job of this user, or one that was shown in this channel; raises `NotAllowed` for any other, whether it exists or not."""
        job = await self.store.jobs.get(job_id)
        if job is None or not (job.user == self.user.id or _same_place(job.address, self.address)):
            raise NotAllowed("denied-job")
        return job

    @property
    def may_operate(self) -> bool:
        """Return whether this user is an operator."""
        return self.user.role == OPERATOR

    @property
    def may_moderate(self) -> bool:
        """Return whether this user moderates this channel, or all channels."""
        return self.moderates or self.user.moderates

    async def own_job(self, job_id: str) -> Job:
        """Return a job that this user may change: their own, or one of a channel that they moderate; raises `NotAllowed` for any other."""
        job = await self.store.jobs.get(job_id)
        if job is None:
            raise NotAllowed("denied-job")
        moderates_here = self.user.moderates or (self.moderates and _same_place(job.address, self.address))
        if job.user != self.user.id and not moderates_here:
            raise NotAllowed("denied-job")
        return job

    async def audit(self, act: str, *, user: str | None = None, channel: MessageRef | None = None, **facts: str | int | float) -> None:
        """Record an action that needed special rights in the audit log; the channel is this one by default."""
        place_id = await self.store.people.channel(channel or self.address)
        await self.store.audit.note(self.user.id, act, user=user, channel=place_id, facts=facts)

    async def picture(self, picture_id: str) -> tuple[StoredImage, Job]:
        """Return a picture and its job, of this user or shown in this channel; raises `NotAllowed` for any other."""
        picture = await self.store.pictures.get(picture_id)
        if picture is None:
            raise NotAllowed("denied-picture")
        try:
            return picture, await self.job(picture.job)
        except NotAllowed:
            raise NotAllowed("denied-picture") from None

    async def own_picture(self, picture_id: str) -> StoredImage:
        """Return a picture of this user; raises `NotAllowed` for any other."""
        picture = await self.store.pictures.get(picture_id)
        if picture is None or picture.user != self.user.id:
            raise NotAllowed("denied-picture")
        return picture


def _same_place(one: MessageRef, other: MessageRef) -> bool:
    return (one.platform, one.channel) == (other.platform, other.channel)

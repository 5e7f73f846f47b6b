"""The bot: finds and binds the command of an invocation, runs it, and accepts its jobs. Independent of any platform."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from bot.commands import inputs
from bot.commands.context import Context, Read
from bot.commands.inputs import Fetch, Layering, Run, Sources
from bot.core.errors import BadInput, BotError, NotAllowed
from bot.core.scheduling import Costs, Forecast
from bot.core.suggest import nearest
from bot.core.values import Given, InputFile, Invocation, MessageRef, UserRef, writable
from bot.framework import forms
from bot.framework.binding import Raw, bind
from bot.framework.command import Command
from bot.framework.params import Param
from bot.framework.reply import Reply, command_of, covered
from bot.generation import resolve
from bot.generation.fields import GenerationParams, read_params
from bot.generation.resolve import ModelCatalog, Origin
from bot.i18n.translate import speak, tell
from bot.jobs.eta import EtaService
from bot.store.jobs.job import Job, NewJob
from bot.store.store import Store
from bot.store.users.users import User
from inference.contract.errors import InferenceError
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest

#: A command with any parameters.
AnyCommand = Command[Any]

#: Characters of an unknown name that are compared and shown.
_LONGEST_NAME = 40


class App:
    """The bot. Platforms need only `handle` and `pressed`; `wake` is called when a job was accepted or changed.

    `foresee` forecasts when a job will be painted, `learned` estimates the time of jobs, `in_work` returns how many pictures are being
    painted. `least_free` is the free disk space in bytes below which no job is accepted, `most_brought` how many bytes of pictures a
    user may upload within a day (0: no limit).
    """

    def __init__(
        self,
        commands: Sequence[AnyCommand],
        store: Store,
        offer: ModelCatalog,
        *,
        fetch: Fetch | None = None,
        wake: Callable[[], None] = lambda: None,
        foresee: Callable[[Job], Awaitable[Forecast]] | None = None,
        learned: Costs | None = None,
        in_work: Callable[[], int] = lambda: 0,
        least_free: int = 0,
        most_brought: int = 0,
    ) -> None:
        self.commands = {one.name: one for one in commands}
        self.store = store
        names = tuple(one.name for one in commands if not one.hidden)
        self.offer = ModelCatalog(offer.model_infos, offer.default_model, names, offer.factors)
        self.layering = Layering(store, self.offer)
        self._fetch = fetch
        self.wake = wake
        self.foresee = foresee or EtaService(store).foresee
        self._learned = learned or Costs()
        self._in_work = in_work
        self.least_free = least_free
        self.most_brought = most_brought

    def named(self, name: str, words: str) -> tuple[str, str]:
        """Return the name of the called command, and the rest of the text: `/preset use poster` calls `preset_use`."""
        first, *rest = words.split(maxsplit=1) or [""]
        joined = f"{name}_{first}".casefold().replace("-", "_")
        if name.casefold() not in self.commands and joined in self.commands:
            return joined, "".join(rest)
        return name, words

    def find(self, name: str) -> AnyCommand:
        """Return a command by name; raises `BadInput` with the nearest one."""
        known = self.commands.get(name.casefold())
        if known is None:
            raise BadInput("input-command", given=name[:_LONGEST_NAME], nearest=nearest(name[:_LONGEST_NAME], self.offer.commands))
        return known

    async def handle(self, call: Invocation) -> Reply:
        """Run a command and return its reply; the jobs in the reply are accepted.

        Raises `BotError` or `InferenceError`, whose sentence is shown to the user.
        """
        name, words = self.named(call.command, call.words)
        command, call = self.find(name), msgspec.structs.replace(call, command=name, words=words)
        ctx = await self._met(call.caller, call.address, call.line, call.key)
        runs = await inputs.runs(command, call, ctx.sources, ctx.user.id, tuple(self.offer.model_infos))
        return await self._still(ctx.user, self._run(command, runs, ctx))

    async def pressed(
        self,
        wire: str,
        caller: UserRef,
        address: MessageRef,
        *,
        filled: Mapping[str, Given] | None = None,
        line: str = "",
        key: str = "",
    ) -> Reply:
        """Run the command of a button, or of a form with the values in `filled`.

        Raises what `handle` raises, and `BadInput` for an invalid wire.
        """
        command = self.commands.get(command_of(wire))
        if command is None:
            raise BadInput("input-button")
        ctx = await self._met(caller, address, line, key)
        said = {**command.pressed(wire.split(":")[1:]), **forms.read(command, filled or {})}
        run = await inputs.with_keys(command, said, ctx.sources, ctx.user.id)
        return await self._still(ctx.user, self._run(command, [run], ctx))

    async def read(self, params: GenerationParams, sources: Sources | None = None, mode: str = "") -> Read:
        """Return parsed parameters; `sources` holds pictures that are not stored yet, `mode` names the mode, if the command has one.

        Raises `BadInput`, `BadPicture`, `OutOfRange` or `NotOffered`.
        """
        sources = sources or self._sources()
        model_info = self.offer.model_info(params.model)
        seed = resolve.seed_for(params)
        reading = resolve.reading_of(params, seed)
        if params.image is None and reading.image is not None:
            if not reading.image:
                raise BadInput("input-image-missing")
            params = params.model_copy(update={"image": await sources.fetched(reading.image)})
        pictures = [(one.role, await sources.header(one.file)) for one in params.inputs]
        return Read(reading, model_info, resolve.request_of(params, reading, model_info, seed, pictures, mode), params)

    def seconds(self, request: PictureRequest, roles: Collection[Role]) -> float:
        """Return the estimated device seconds of a request with such inputs, beside the pictures that are being painted now."""
        return self._learned.estimate_of(request, roles, self._in_work())

    def suggestions(self, param: Param, typed: str, most: int = 25) -> tuple[str, ...]:
        """Return suggestions for a parameter while it is typed."""
        names = param.choices if param.suggested is None else tuple(param.suggested.names(self.offer))
        starting = [name for name in names if name.casefold().startswith(typed.casefold())]
        holding = [name for name in names if typed.casefold() in name.casefold() and name not in starting]
        return tuple([*starting, *holding][:most])

    async def complete(self, param: Param, typed: str, caller: UserRef, address: MessageRef, most: int = 25) -> tuple[str, ...]:
        """Return suggestions for a parameter while it is typed; presets only as far as the user may see them."""
        if param.completed is None:
            return self.suggestions(param, typed, most)
        user = await self.store.people.find(caller)
        reader = await self.store.presets.reader("" if user is None else user.id, address)
        return await self.store.presets.complete(reader, typed.strip(), most)

    async def _run(self, command: AnyCommand, given_runs: Sequence[Raw], ctx: Context) -> Reply:
        """Run a command for each of its prompts; either all jobs are accepted, or none."""
        if command.name in ctx.wanted.closed and not ctx.may_moderate:
            raise NotAllowed("denied-closed", name=command.name.replace("_", " "))
        # Everything is parsed before anything runs: an error in the third prompt is reported before the first one is used.
        runs = await self.layering.runs(command, given_runs, ctx.user.id, ctx.address, ctx.wanted)
        wants = [self._bound(command, one) for one in runs]
        each = [replace(ctx, origins=resolve.origins(one.given, one.layers)) for one in runs]
        replies = [await _ran(command, one, want) for one, want in zip(each, wants, strict=True)]
        jobs: dict[str, str] = {}
        if ctx.drafts:
            if not await self.store.files.room(self.least_free):
                raise NotAllowed("denied-disk")
            # Pictures first: an accepted job must find what it starts from.
            files = [one.file for draft in ctx.drafts for one in draft.inputs]
            await ctx.sources.keep(files, ctx.user.id, self.most_brought)
            accepted = await self.store.jobs.accept(_sized(ctx.drafts, ctx.sources.sizes(files)))
            jobs = {draft.id: job.id for draft, job in zip(ctx.drafts, accepted, strict=True)}
            await self._count([draft for draft in ctx.drafts if jobs[draft.id] == draft.id], ctx.uses)
        reply = _merged(replies, jobs)
        if (reply.pictures or reply.files or reply.form) and await self.store.settings.covers(ctx.address):
            reply = covered(reply)
        if reply.jobs or reply.refresh:
            self.wake()
        return reply

    async def _still(self, user: User, running: Awaitable[Reply]) -> Reply:
        """Return the reply of a command; raises `NotAllowed` if its user was linked with another or deleted in the meantime."""
        try:
            return await running
        except (BotError, InferenceError):
            raise
        except Exception:
            if await self.store.people.is_known(user.id):
                raise
            raise NotAllowed("denied-person-new") from None

    def _bound(self, command: AnyCommand, run: Run) -> Any:
        try:
            return bind(command, run.given, *run.values)
        except BadInput as error:
            raise _blamed(error, resolve.origins(run.given, run.layers)) from None

    async def _count(self, drafts: Sequence[NewJob], uses: Mapping[str, str]) -> None:
        """Count uses of presets and shared items."""
        for shared in filter(None, (uses.get(one.id) for one in drafts)):
            await self.store.boards.used(shared)
        named = [preset for one in drafts if (preset := read_params(one.params).preset) is not None]
        if ids := {one.partition("#")[2] for one in named} - {""}:
            await self.store.presets.used(ids)

    async def _met(self, caller: UserRef, address: MessageRef, line: str, key: str) -> Context:
        """Return the context of a user, and switch to their language or to that of the channel."""
        said = {"name": writable(caller.name), "language": writable(caller.language)}
        user = await self.store.people.user(msgspec.structs.replace(caller, **said))
        wanted = await self.store.settings.of(user.id, address)
        if locale := user.speaks(wanted.language):
            speak(locale)
        return Context(self, user, address, writable(line), self._sources(), caller.moderates, key, wanted=wanted, caller=caller)

    def _sources(self) -> Sources:
        return Sources(self.store.files, self.store.pictures, self._fetch)


def _sized(drafts: Sequence[NewJob], sizes: Mapping[str, int]) -> list[NewJob]:
    """Return drafts with the sizes of the uploaded input pictures."""

    def sized(one: InputFile) -> InputFile:
        return msgspec.structs.replace(one, bytes=sizes.get(one.file, 0))

    return [msgspec.structs.replace(draft, inputs=tuple(map(sized, draft.inputs))) for draft in drafts]


async def _ran(command: AnyCommand, ctx: Context, want: Any) -> Reply:
    try:
        return await command.run(ctx, want)
    except (BotError, InferenceError) as error:
        raise _blamed(error, ctx.origins) from None


def _blamed(error: BotError | InferenceError, origins: Mapping[str, Origin]) -> BotError | InferenceError:
    """Return an error; if it is about a saved setting, return one that names the setting, because the user did not give the value now."""
    name = str(error.problem.facts.get("name") or error.problem.key.removeprefix("unknown-"))
    name = "size" if name in ("width", "height") else name
    if origins.get(name) not in ("settings", "place"):
        return error
    return BadInput("input-settled", name=name, reason=tell(error.problem), here="yes" if origins[name] == "place" else "")


def _merged(replies: Sequence[Reply], jobs: Mapping[str, str]) -> Reply:
    """Return several replies as one; jobs that were accepted before under the same key replace their drafts."""
    return Reply(
        text="\n".join(dict.fromkeys(one.text for one in replies if one.text)),
        facts=tuple(fact for one in replies for fact in one.facts),
        pictures=tuple(picture for one in replies for picture in one.pictures),
        buttons=tuple(button for one in replies for button in one.buttons),
        form=next((one.form for one in replies if one.form is not None), None),
        jobs=tuple(jobs.get(job, job) for one in replies for job in one.jobs),
        refresh=tuple(dict.fromkeys(job for one in replies for job in one.refresh)),
        whole=any(one.whole for one in replies),
        files=tuple(file for one in replies for file in one.files),
    )

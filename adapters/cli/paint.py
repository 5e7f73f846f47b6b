"""`easel paint`: one request through the same queue and store as all others, with this process as its runner."""

import asyncio
from pathlib import Path

import msgspec
from rich.console import Console

from adapters import bootstrap
from adapters.terminal import args, progress
from adapters.terminal.file_delivery import PLATFORM, deliver
from bot.commands.generate import Imagine
from bot.config import Config
from bot.core.errors import BadInput, BotError
from bot.core.values import MessageRef, UserRef, new_id
from bot.framework.params import picture_fields
from bot.framework.reply import Reply
from bot.generation import resolve
from bot.jobs.delivery import Later, Outcome, OutgoingResult
from bot.jobs.dispatcher import Dispatcher
from bot.prompting import grammar
from bot.store.jobs.job import DONE, Job, NewJob
from bot.store.store import Store
from bot.views.job_card import JobView, summary
from inference.contract.errors import InferenceError
from inference.contract.model_info import ModelInfo
from inference.contract.request import PictureRequest
from inference.images import validation


class PaintOptions(msgspec.Struct, frozen=True):
    """What is to be painted and where it goes: checked, but nothing done yet. `pictures` are by their parameters."""

    params: Imagine
    request: PictureRequest
    pictures: dict[str, bytes]
    files: tuple[Path, ...]


def wanted(typed: args.PaintArgs, model_info: ModelInfo) -> PaintOptions:
    """Return what was typed as a request, or raise what is wrong with it, before anything is started or written."""
    if len(grammar.split(typed.prompt)) > 1:
        raise BadInput("input-one-prompt")
    params, pictures = args.wish_of(typed), args.pictures_of(typed)
    seed = resolve.seed_for(params)
    reading = resolve.reading_of(params, seed)
    roles = picture_fields(Imagine)
    headers = [(roles[name], validation.check_bytes(data)) for name, data in pictures.items()]
    request = resolve.request_of(params, reading, model_info, seed, headers)
    return PaintOptions(params, request, pictures, args.files_of(typed, seed, request.count))


async def paint(config: Config, model_info: ModelInfo, want: PaintOptions, console: Console) -> None:
    """Paint what is wanted, into its files, and say what came of it; raises what it failed with."""
    async with bootstrap.opened(config) as store, bootstrap.engine(config, {model_info.name: model_info}) as engine:
        with progress.ProgressBoard(console) as board:
            # None but its own: what waits for others is theirs, and their model may not be loaded here.
            async with Dispatcher(store, engine, _Terminal(board), platforms=(), most=0) as dispatcher:
                job = await _accepted(store, want, dispatcher.runner, progress.can_preview(console))
                try:
                    # Not the task itself: it is also stopped where another runner took the job over, and that must not stop us.
                    await asyncio.wait([dispatcher.paint(job)])
                    await dispatcher.show(job.id)
                except asyncio.CancelledError:
                    await asyncio.shield(store.jobs.cancel(job.id))
                    raise
        job = await _ended(store, job)
        await deliver(store, job)
        await store.outbox.arrived(job.id)
    print(summary(job))
    print(*want.files, sep="\n", flush=True)


class _Terminal:
    """Shows progress on a board; the files are written by whoever waits for them."""

    def __init__(self, board: progress.ProgressBoard) -> None:
        self._board = board

    async def show(self, card: JobView, _address: MessageRef) -> None:
        """Show a card."""
        self._board.show(card)

    def is_mirrored(self, _platform: str) -> bool:
        """Return False: there is nothing to show twice."""
        return False

    async def settle(self, _job: str, _address: MessageRef) -> None:
        """Do nothing: the board shows a view at once."""

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Do nothing: no platform is served here."""
        return Later(outgoing.id)

    async def post(self, _address: MessageRef, _reply: Reply, key: str) -> Outcome:
        """Do nothing, for the same reason."""
        return Later(key)


async def _accepted(store: Store, want: PaintOptions, runner: str, previews: bool) -> Job:
    """Accept the request, leased to this process from its first moment on."""
    user = await store.people.user(UserRef(PLATFORM, "local"))
    kept = {name: await store.files.put(data) for name, data in want.pictures.items()}
    params = want.params.model_copy(update=kept)
    new = NewJob(
        id=new_id(),
        user=user.id,
        address=MessageRef(PLATFORM, str(want.files[0].resolve().parent), "/".join(path.name for path in want.files)),
        line=want.params.prompt,
        params=params.model_dump_json(exclude_none=True),
        request=msgspec.structs.replace(want.request, share=user.id, previews=previews),
        inputs=params.inputs,
    )
    (job,) = await store.jobs.accept([new], runner)
    return job


async def _ended(store: Store, job: Job) -> Job:
    """Return the job as it ended; raises what it failed with, or that it is left to another runner."""
    ended = await store.jobs.get(job.id)
    if ended is not None and ended.is_open:
        raise BotError("paint-left")
    if ended is None or ended.state != DONE:
        raise InferenceError.of(ended.problem) if ended is not None and ended.problem is not None else BotError("paint-cancelled")
    return ended

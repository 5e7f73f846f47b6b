"""`easel paint`: one request through the same queue and store as everybody's, with this process as its runner."""

import asyncio
from pathlib import Path

import msgspec
from rich.console import Console

from adapters import bootstrap as parts
from adapters.terminal import args, progress
from adapters.terminal.file_delivery import PLATFORM, deliver
from bot.commands.generate import Imagine
from bot.config import Config
from bot.core.errors import BadInput, BotError
from bot.core.values import Address, Caller, new_id
from bot.framework.reply import Reply
from bot.generation import resolve as asking
from bot.jobs.delivery import Later, Outcome, Parcel
from bot.jobs.dispatcher import Dispatcher
from bot.prompting import grammar
from bot.store.jobs.job import DONE, Job, NewJob
from bot.store.store import Store
from bot.views.job_card import Card, summary
from inference.contract.errors import InferenceError
from inference.contract.model_info import Passport
from inference.contract.request import PictureRequest
from inference.images import validation


class Wanted(msgspec.Struct, frozen=True):
    """What is to be painted and where it goes: checked, but nothing done yet."""

    wish: Imagine
    request: PictureRequest
    source: bytes | None
    files: tuple[Path, ...]


def wanted(typed: args.Typed, passport: Passport) -> Wanted:
    """Return what was typed as a request, or raise what is wrong with it, before anything is started or written."""
    if len(grammar.split(typed.prompt)) > 1:
        raise BadInput("input-one-prompt")
    wish, source = args.wish_of(typed), args.source_of(typed)
    seed = asking.seed_for(wish)
    reading = asking.reading_of(wish, seed)
    request = asking.request_of(wish, reading, passport, seed, None if source is None else validation.check_bytes(source))
    return Wanted(wish, request, source, args.files_of(typed, seed, request.count))


async def paint(config: Config, passport: Passport, want: Wanted, console: Console) -> None:
    """Paint what is wanted, into its files, and say what came of it; raises what it failed with."""
    async with parts.opened(config) as store, parts.engine(config, {passport.name: passport}) as engine:
        with progress.Board(console) as board:
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

    def __init__(self, board: progress.Board) -> None:
        self._board = board

    async def show(self, card: Card, _address: Address) -> None:
        """Show a card."""
        self._board.show(card)

    def is_mirrored(self, _platform: str) -> bool:
        """Say no: there is nothing to show twice."""
        return False

    async def settle(self, _job: str, _address: Address) -> None:
        """Do nothing: the board shows a card at once."""

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Leave it: no platform is served here."""
        return Later(parcel.id)

    async def post(self, _address: Address, _reply: Reply, key: str) -> Outcome:
        """Leave it likewise."""
        return Later(key)


async def _accepted(store: Store, want: Wanted, runner: str, previews: bool) -> Job:
    """Accept the request, leased to this process from its first moment on."""
    person = await store.people.person(Caller(PLATFORM, "local"))
    source = None if want.source is None else await store.files.put(want.source)
    new = NewJob(
        id=new_id(),
        person=person.id,
        address=Address(PLATFORM, str(want.files[0].resolve().parent), "/".join(path.name for path in want.files)),
        line=want.wish.prompt,
        wish=want.wish.model_copy(update={"image": source}).model_dump_json(exclude_none=True),
        request=msgspec.structs.replace(want.request, share=person.id, previews=previews),
        source=source,
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

"""A chat process with the product's own app, dispatcher, store and engine supervisor; only its platform and its workers are stand-ins.

`python -m benchmarks.standing.chat SETUP` (JSON) connects to a platform's socket, runs the commands that arrive there, and reports
"accepted" once the store has committed. It exits when the platform hangs up.
"""

import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

import msgspec

from benchmarks.standing.engine import DEMO_INFO, PAINT_SECONDS, standing
from benchmarks.standing.line import Line, Message
from bot.app import App
from bot.commands import COMMANDS
from bot.core.errors import BadStore, BotError
from bot.core.limits import Policy, Tier
from bot.core.scheduling import Costs
from bot.core.values import Invocation, MessageRef, UserRef
from bot.generation.resolve import ModelCatalog
from bot.jobs import delivery
from bot.jobs.delivery import Later, Outcome, OutgoingResult, Sent, Unknown
from bot.jobs.dispatcher import Dispatcher
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs import attempts, jobs, outbox
from bot.store.store import Store
from bot.views.job_card import JobView
from inference.contract.errors import InferenceError

PLATFORM = "stand-in"

#: Enough for every request, but every credit is still held, captured and recorded.
POLICY = Policy(tiers={"": Tier(credits=10**9)}, channel=10**9)

#: Kinds of channels: one where a reply is edited, one where a post has a number that identifies it, and one with neither.
REPLY, NUMBERED, BLIND = "reply", "numbered", "blind"


class Setup(msgspec.Struct, frozen=True):
    """The setup of a chat process. `lease` (seconds) replaces the product's own lease if that would make a test too long."""

    url: str
    files: str
    socket: str
    workers: int = 2
    paint: float = PAINT_SECONDS
    lease: float | None = None


def shorten(seconds: float) -> float:
    """Set the leases of jobs and deliveries to this length in this process, and return the interval between heartbeats."""
    lease = timedelta(seconds=seconds)
    # The product itself needs no setting for this.
    attempts.LEASE = jobs.LEASE = lease
    outbox.SENDING_LEASE = 2 * lease
    delivery._SILENCE_SECONDS = 1.6 * seconds
    return seconds / 6


class StandIn:
    """The adapter of a platform that can be asked what users saw."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show progress in the reply, if there is one."""
        self._line.say({"op": "show", "message": address.message, **_shown(card)})

    def is_mirrored(self, _platform):
        """Return False: all processes write to one and the same platform."""
        return False

    async def settle(self, _job, _address):
        """Do nothing: this adapter sends every view at once."""

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Show how a job ended, as reliably as the kind of channel allows."""
        kind, message = outgoing.address.channel.partition(" ")[0], {"parcel": outgoing.id, **_shown(outgoing.card)}
        try:
            if kind == REPLY:
                said = await self._line.ask({"op": "edit", "message": outgoing.address.message, **message})
            elif kind == NUMBERED:
                said = await self._line.ask({"op": "post", "number": outgoing.id, **message})
            elif outgoing.unsure:
                await self._line.ask({"op": "unsure", **message})
                return Unknown("nothing tells whether it arrived")
            else:
                said = await self._line.ask({"op": "post", **message})
        except ConnectionError:
            return Later("disconnected", unsure=True)
        return Sent(said["message"])


def _shown(card: JobView) -> Message:
    return {"job": card.job, "state": card.state, "status": card.status, "pictures": [one.file for one in card.pictures]}


async def answered(app: App, dispatcher: Dispatcher, asked: Message, line: Line) -> None:
    """Run a command and send its result."""
    call = Invocation(
        command=asked["command"],
        given=asked.get("given", {}),
        words=asked.get("words", ""),
        line=f"/{asked['command']} {asked.get('words', '')}",
        caller=UserRef(PLATFORM, asked["person"], asked["person"]),
        address=MessageRef(PLATFORM, asked["place"], asked.get("message", "")),
        key=asked.get("key", ""),
    )
    try:
        reply = await app.handle(call)
        for job_id in reply.refresh:
            await dispatcher.show(job_id)
    except BadStore as error:
        # Nothing was changed: a user would ask again.
        line.answer(asked, {"broke": str(error)})
    except (BotError, InferenceError) as error:
        line.answer(asked, {"refused": str(error)})
    except Exception as error:
        logging.getLogger("stand-in").exception("chat.broke")
        line.answer(asked, {"broke": type(error).__name__})
    else:
        line.answer(asked, {"jobs": reply.jobs})


async def live(setup: Setup) -> None:
    """Serve until the platform hangs up."""
    quick = {} if setup.lease is None else {"beat_seconds": shorten(setup.lease)}
    line = Line(*await asyncio.open_unix_connection(setup.socket, limit=2**20))
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(setup.url))
        store, learned = Store.of(database, BlobStore(setup.files), POLICY), Costs()
        engine = await stack.enter_async_context(standing(setup.workers, setup.paint))
        dispatcher = Dispatcher(store, engine, StandIn(line), [PLATFORM], costs=learned, devices=setup.workers, **quick)
        app = App(
            COMMANDS,
            store,
            ModelCatalog({DEMO_INFO.name: DEMO_INFO}, DEMO_INFO.name),
            wake=dispatcher.wake,
            foresee=dispatcher.sight.foresee,
            learned=learned,
            in_work=lambda: dispatcher.pictures_in_work,
        )
        stack.callback(line.close)
        hearing = line.heard()
        await stack.enter_async_context(dispatcher)
        line.say({"op": "hello", "pid": os.getpid()})
        answering: set[asyncio.Task[None]] = set()
        async for asked in hearing:
            task = asyncio.create_task(answered(app, dispatcher, asked, line))
            answering.add(task)
            task.add_done_callback(answering.discard)


def main() -> None:
    """Serve with the setup in the first argument."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")
    asyncio.run(live(msgspec.json.decode(sys.argv[1], type=Setup)))


if __name__ == "__main__":
    main()

"""Commands that take several pictures, on every platform, with a command and a mode that only these tests have."""

from typing import Annotated

import msgspec
import pytest
import pytest_asyncio
from pydantic import Field

from adapters.bootstrap import catalogue
from bot.commands import COMMANDS
from bot.core.scheduling import credits
from bot.framework.command import painting_command
from bot.framework.params import PictureMark
from bot.framework.reply import Reply
from bot.generation.fields import GenerationParams
from inference.contract.inputs import Input, Role
from inference.contract.modes import MODES, Mode, Needs
from tests.adapters.contract.test_contract import names, staged, world
from tests.adapters.web.chat import png
from tests.dispatching import Script

__all__ = ["names", "world"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGE, MASK = png("yellow"), png("white")

REPAINT = Mode(name="repaint", inputs=(Needs(Role.INIT), Needs(Role.MASK)), fields=frozenset({"strength"}), factor=2.0)


class Repaint(GenerationParams):
    """What to paint into a part of a picture."""

    mask: Annotated[str | None, Field(description="Where to paint"), PictureMark(Role.MASK)] = None


@painting_command
async def repaint(ctx, want: Repaint) -> Reply:
    """Paint into a part of a picture."""
    return Reply(jobs=((await ctx.submit(want, REPAINT.name)).id,))


class Seeing(Script):
    """An engine that records the inputs of its requests."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def run(self, request):
        """Record the inputs and run the request."""
        self.seen.append(request.inputs)
        return super().run(request)


def able(settings):
    """Return the models as if they supported every mode."""
    return {name: msgspec.structs.replace(one, modes=()) for name, one in catalogue(settings).models.items()}


@pytest_asyncio.fixture(loop_scope="module")
async def engine():
    """Return an engine that can run every request."""
    return Seeing()


@pytest_asyncio.fixture(loop_scope="module")
async def stage(world, engine, tmp_path, monkeypatch):
    """Yield a bot that has the command and a model with the mode."""
    monkeypatch.setitem(MODES, REPAINT.name, REPAINT)
    async with staged(world, engine, tmp_path, commands=(*COMMANDS, repaint), models=able) as opened:
        yield opened


async def test_pictures_fill_the_parameters_in_order(stage, engine, names):
    """Pictures sent with a line fill the command's parameters in order; job, price and engine receive both by role."""
    async with stage.user(names[0]) as ada:
        (job,) = (await ada.say("/repaint a blue star --steps 4 --size 64x64", pictures=[IMAGE, MASK])).jobs
        await ada.until(job, "done")
        kept = await stage.store.jobs.get(job)
        assert kept.roles == (Role.INIT, Role.MASK)
        assert [await stage.store.files.get(one.file) for one in kept.inputs] == [IMAGE, MASK]
        assert engine.seen == [(Input(Role.INIT, IMAGE), Input(Role.MASK, MASK))]
        assert kept.credits == credits(1, 4, 64, 64, REPAINT.factor)
        # The params of the product's commands have no mask: Again reports that and does not run the job without it.
        assert (await ada.press(f"again:{job}")).is_refused


async def test_too_many_pictures_are_refused(stage, names):
    """More pictures than a command takes are refused with its limit, and so is a mode without a picture that it needs."""
    async with stage.user(names[0]) as ada:
        heard = await ada.say("/repaint a blue star", pictures=[IMAGE, MASK, png("red")])
        assert heard.is_refused
        assert "/repaint takes up to 2 pictures" in heard.said
        assert "the number of mask pictures must be 1" in (await ada.say("/repaint a blue star", pictures=[IMAGE])).said
        assert await ada.cards() == []

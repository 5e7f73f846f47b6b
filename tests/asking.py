"""Paint one picture in a worker process: `paint_one` imports nothing that loads torch."""

from contextlib import aclosing

from inference.contract.request import PictureRequest, Prompt
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine


async def paint_one():
    """Return the name of the last event of a request to the demo model."""
    async with LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS)) as engine:
        return await warmed(engine)


async def warmed(engine):
    """Run one small request and return the name of its last event; afterwards, libraries and model are loaded for later requests."""
    prompt = Prompt.plain("a red circle")
    request = PictureRequest(prompt=prompt, model="demo", width=128, height=128, steps=2, guidance=4.0, scheduler="euler", seed=1)
    async with aclosing(engine.run(request)) as events:
        async for event in events:
            last = type(event).__name__
    return last

"""Progress comes to rest before the end of a job is kept: whichever process tells the end, nothing of it comes later."""

import pytest

from inference.contract.errors import Problem
from inference.contract.request import Failed
from tests.dispatching import PAINTED, Script, Wall, dispatching
from tests.stores import accepted, user_of


class Rests(Wall):
    """A platform that looks what is known of a job when it is to come to rest, and may break its promise."""

    def __init__(self, store, error=None):
        super().__init__()
        self.store, self.error, self.found = store, error, []

    async def settle(self, job, address):
        """Look at the job."""
        assert address.platform == "web"
        self.found.append((await self.store.jobs.get(job)).state)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("events", [PAINTED, (Failed(Problem("memory-spent")),)], ids=["painted", "failed"])
@pytest.mark.parametrize("error", [None, OSError("away")], ids=["rests", "breaks"])
async def test_progress_rests_before_the_end_is_kept(store, events, error):
    """When a platform is asked to rest the job is still open, and it ends whatever comes of that."""
    wall = Rests(store, error)
    job = await accepted(store, await user_of(store))
    async with dispatching(store, Script(**{"a red circle": [events]}), wall) as dispatcher:
        dispatcher.wake()
        await wall.until(job.id, "done" if events is PAINTED else "failed")
    assert wall.found == ["running"]

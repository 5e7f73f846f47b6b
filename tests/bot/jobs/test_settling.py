"""Progress stops before the end of a job is stored, so no progress comes after the end, whichever process shows it."""

import pytest

from inference.contract.errors import Problem
from inference.contract.request import Failed
from tests.dispatching import PAINTED, Script, Wall, dispatching
from tests.stores import accepted, user_of


class Rests(Wall):
    """A platform that reads the job when it has to settle, and may raise then."""

    def __init__(self, store, error=None):
        super().__init__()
        self.store, self.error, self.found = store, error, []

    async def settle(self, job, address):
        """Read the job."""
        assert address.platform == "web"
        self.found.append((await self.store.jobs.get(job)).state)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("events", [PAINTED, (Failed(Problem("memory-spent")),)], ids=["painted", "failed"])
@pytest.mark.parametrize("error", [None, OSError("away")], ids=["rests", "breaks"])
async def test_progress_rests_before_the_end_is_kept(store, events, error):
    """When a platform has to settle, the job is still open, and the job ends whatever the platform does."""
    wall = Rests(store, error)
    job = await accepted(store, await user_of(store))
    async with dispatching(store, Script(**{"a red circle": [events]}), wall) as dispatcher:
        dispatcher.wake()
        await wall.until(job.id, "done" if events is PAINTED else "failed")
    assert wall.found == ["running"]

"""What all tests share."""

import os

import pytest
from hypothesis import settings

# Speed is measured in benchmarks; here a slow machine must not fail a test.
settings.register_profile("easel", deadline=None, print_blob=True)
settings.load_profile("easel")

# Several tests run at a time: one engine that has nothing to do must not keep the cores of another busy with waiting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Nothing that a test starts may look anything up on the way.
os.environ["HF_HUB_OFFLINE"] = "1"

#: Where a failure is never tried again: what may be lost, or done twice, must not be so once in a hundred times either.
_NEVER_AGAIN = ("tests/bot/", "tests/crash/")


def pytest_collection_modifyitems(items):
    """Have CI's second try, for what shares its cores with browsers and processes, pass by the promises of the store and the queue."""
    for item in items:
        if item.nodeid.startswith(_NEVER_AGAIN):
            item.add_marker(pytest.mark.flaky(reruns=0))

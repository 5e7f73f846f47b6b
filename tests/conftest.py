"""Settings and fixtures of all tests."""

import os
import shutil

import pytest
from hypothesis import settings

from tests import stores

# Speed is measured in benchmarks, so a slow machine must not fail a test here. Each run tries the same examples;
# `--hypothesis-seed` tries others.
settings.register_profile("easel", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("easel")

# Several test processes run in parallel: an idle engine must not occupy the cores of another by busy-waiting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No test, and no process that a test starts, may access the Hugging Face hub.
os.environ["HF_HUB_OFFLINE"] = "1"

# No test needs a real disk; each removes its files after it has passed.
_MEMORY, _ENOUGH = "/dev/shm", 2**31
if os.path.isdir(_MEMORY) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)


#: The seed of the test order and of random values, unless `--randomly-seed` is given. The first line of a run prints it.
_SEED = 20261121


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Use the same seed in every run, so that a failure can be reproduced."""
    if config.getoption("randomly_seed", None) == "default":
        config.option.randomly_seed = _SEED


@pytest.fixture(scope="session", autouse=True)
def _compiled_once():
    with stores.compiled_once():
        yield


def pytest_sessionfinish():
    """Remove the test database from the server."""
    stores.tidy()

"""Settings and fixtures of all tests."""

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

from tests import forked_worker, stores

# Speed is measured in benchmarks, so a slow machine must not fail a test here. Each run tries the same examples;
# `--hypothesis-seed` tries others.
settings.register_profile("easel", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("easel")

# Several test processes run in parallel: an idle engine must not occupy the cores of another by busy-waiting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Each test process uses one core for torch, because there are as many test processes as cores. Worker processes set their own number.
os.environ.setdefault("OMP_NUM_THREADS", "1")

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
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="easel-test-")
        config.add_cleanup(folder.cleanup)
        forked_worker.choose(folder.name)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once():
    with stores.compiled_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def _forked_workers():
    forked_worker.install()


def pytest_sessionfinish():
    """Remove the test database from the server."""
    stores.tidy()

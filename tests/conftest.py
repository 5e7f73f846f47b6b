"""What all tests share."""

import os
import shutil

import pytest
from hypothesis import settings

from tests import stores

# Speed is measured in benchmarks; here a slow machine must not fail a test. Each run tries the same examples; `--hypothesis-seed`
# tries others.
settings.register_profile("easel", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("easel")

# Several tests run at a time: one engine that has nothing to do must not keep the cores of another busy with waiting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Nothing that a test starts may look anything up on the way.
os.environ["HF_HUB_OFFLINE"] = "1"

# Nothing that the tests promise needs a disk; each of them removes its files when it has passed.
_MEMORY, _ENOUGH = "/dev/shm", 2**31
if os.path.isdir(_MEMORY) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)


#: The order of the tests, and what they draw by chance, unless `--randomly-seed` says otherwise; the first line of a run names it.
_SEED = 20261121


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Have every run be like the last, so that a failure can be looked at."""
    if config.getoption("randomly_seed", None) == "default":
        config.option.randomly_seed = _SEED


@pytest.fixture(scope="session", autouse=True)
def _compiled_once():
    with stores.compiled_once():
        yield


def pytest_sessionfinish():
    """Leave nothing on the database server."""
    stores.tidy()

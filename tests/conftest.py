"""What all tests share."""

import os

from hypothesis import settings

# Speed is measured in benchmarks; here a slow machine must not fail a test.
settings.register_profile("easel", deadline=None, print_blob=True)
settings.load_profile("easel")

# Several tests run at a time: one engine that has nothing to do must not keep the cores of another busy with waiting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Nothing that a test starts may look anything up on the way.
os.environ["HF_HUB_OFFLINE"] = "1"

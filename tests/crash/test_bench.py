"""The short form of `make crash`: its promises hold, whichever process is killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.standing.processes import postgresql
from tests.stores import ALL

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_that_was_accepted_is_lost(database):
    """Dozens of `kill -9` lose nothing, show nothing twice and charge nothing twice; PostgreSQL's server is killed too."""
    if database == "postgresql" and postgresql() is None:
        pytest.skip("PostgreSQL's programs are not here")
    part = 10 if ALL else 30
    command = [sys.executable, "-m", "benchmarks.crash", "--only", database, "--part", str(part)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    kills = {"sqlite": (300, 0), "postgresql": (100, 20)}[database]
    assert figures["kills"] == sum(-(-kills[1] // part) if one else kills[0] // part for one in (0, 1))
    assert figures["lost"] == figures["shown_twice"] == figures["charged_twice"] == figures["ledger_mistakes"] == 0

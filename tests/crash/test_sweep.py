"""A single fault, at every place in turn: whichever call into the database or the file system fails, all promises are kept."""

import os
import random
from contextlib import ExitStack

import pytest

from bot.jobs import execution
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from tests.crash.faults import BREAKS, FAILS, UNHEARD, Faults, of_answers, of_database, of_files
from tests.crash.life import Life
from tests.stores import ALL, emptied

#: Every how many-th call fails in its turn, from a random one on; 1 is every single one. The seed stands at the head of the run.
STRIDE = int(os.environ.get("EASEL_TEST_STRIDE", "25" if ALL else "100"))

#: Of the few calls that keep something, more are tried.
STRIDES = {FAILS: STRIDE, BREAKS: STRIDE, UNHEARD: max(1, STRIDE // 4)}


# Every single call takes a quarter of an hour.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", [FAILS, BREAKS, UNHEARD])
@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
async def test_whatever_fails_once(server, kind, tmp_path, monkeypatch, record_property, capsys):
    """Raised once, at any call: nothing that was accepted is lost, told twice, painted twice or charged wrongly."""
    monkeypatch.setattr(execution, "_PAUSES", (0.01,) * 4)
    faults = Faults(kind)
    with emptied(server, tmp_path) as url, ExitStack() as stack:
        async with Database(url) as database, Database(url) as other:
            stack.enter_context(of_answers(faults) if kind == UNHEARD else of_database(database, faults))
            if kind == FAILS:
                stack.enter_context(of_files(faults))
            sites = await swept(faults, database, other, tmp_path)
    record_property("sites", sites)
    with capsys.disabled():
        print(f"\n{server}, {kind}: {sites} sites, {sum(faults.met.values())} faults {dict(faults.met)}")


async def swept(faults, database, other, folder):
    """Live again and again, each time with a later call failing, until none does; return how many calls there are."""
    stride = STRIDES[faults.kind]
    at = 1 + random.randrange(stride)
    while True:
        files = BlobStore(str(folder / f"files {at}"))
        life = Life(Store.of(database, files), Store.of(other, files))
        faults.begin(at)
        try:
            await life.live()
        finally:
            faults.end()
        await life.restart()
        wrong = await life.judge()
        assert wrong == {}, f"call {at} of {faults.count}: {faults.raised}"
        if not faults.raised:
            return faults.count
        await life.clear()
        at += stride

"""A single fault at each point in turn: whichever call into the database or the file system fails, all promises are kept."""

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

#: The distance between the calls that fail in turn, from a random first call on; 1 means every call. The seed is printed at the start.
STRIDE = int(os.environ.get("EASEL_TEST_STRIDE", "25" if ALL else "250"))

#: There are few commits, so more of them are tried.
STRIDES = {FAILS: STRIDE, BREAKS: STRIDE, UNHEARD: max(1, STRIDE // 4)}


# With a stride of 1, this takes a quarter of an hour.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", [FAILS, BREAKS, UNHEARD])
@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
async def test_whatever_fails_once(server, kind, tmp_path, monkeypatch, record_property, capsys):
    """After one error at any call, no accepted job is lost, reported twice, run twice or charged wrongly."""
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
    """Run lives, each with a later failing call, until no call fails; return the number of calls."""
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

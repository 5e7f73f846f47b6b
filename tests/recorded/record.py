"""Records the data that one version of Easel writes, so that later versions can be tested with it.

It ran at the version of 2026-11-23's schema (newest migration: `2026_11_23_search`, commit dec4bbc) and wrote the folder `2026_11_23`:

- `store.sqlite.sql`, `store.postgresql.sql`: a database filled by the real application with three emulated platforms and the demo
  model. `scene.py` is the script of what its users do. At the end, jobs and deliveries are left unfinished in every state;
- `files`: the pictures of both databases;
- `buttons.json`: the data of buttons, list entries and forms, with the command and the parameter values that each binds to;
- `messages.json`: other stored encodings, with the values that each decodes to.

Never record over an existing recording: a later version gets a folder of its own. This script therefore need not run under later
code. Usage: `OMP_WAIT_POLICY=PASSIVE EASEL_TEST_POSTGRES_URL=... python -m tests.recorded.record FOLDER`; it needs `pg_dump`.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from adapters.telegram.message_ref import shelf_of
from bot.core.process_id import runner_name
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from tests.recorded import buttons, messages
from tests.recorded.dumps import written
from tests.recorded.scene import GONE, SMALL, Scene
from tests.recorded.stage import staged
from tests.stores import blank


async def played(url, folder):
    """Fill a database; return the button data that was posted, and the secret of the access token."""
    async with staged(url, folder) as stage:
        scene = Scene(stage)
        await scene.play()
        posted = buttons.posted(stage)
    # Updates that were stored and not handled: the first belongs to a process that has died.
    said = [await scene.bob.say(scene.bob.dm(), f"a boat in letter {number} {SMALL}") for number in (1, 2)]
    updates = [one.payload() for one in stage.telegram.updates.every if one.about in said]
    async with Database(url) as database:
        store = Store.of(database, BlobStore(str(folder / "files")))
        for update, runner in zip(updates, (GONE, None), strict=True):
            await store.inbox.take(shelf_of(stage.telegram.token), [(str(update["update_id"]), json.dumps(update).encode())], runner)
    return posted, scene.token


async def record(out):
    """Write the recording to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    posted, tokens = {}, {}
    # The host name does not belong in the recording.
    here = runner_name().partition("/")[0]
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as made, blank(kind, made) as url:
            folder = Path(made)
            posted[kind], tokens[kind] = await played(url, folder)
            (out / f"store.{kind}.sql").write_text(written(url).replace(here, "studio~0~0"), encoding="utf-8")
            # These folders only store which commands were registered on each platform.
            shutil.copytree(folder / "files", out / "files", dirs_exist_ok=True, ignore=shutil.ignore_patterns("discord", "telegram"))
            if kind == "sqlite":
                stored = messages.stored(url)
    _keep(out / "buttons.json", {"posted": await buttons.meant(posted), "varied": await buttons.varied()})
    _keep(out / "messages.json", {"tokens": tokens, **stored})


def _keep(file, value):
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))

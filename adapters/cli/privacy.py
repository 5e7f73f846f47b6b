"""`easel export` and `easel forget`: the operator's commands for a user's request to export or delete their data."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from adapters.observability.redaction import spelled
from bot.core.errors import BadInput, BadOutput
from bot.i18n.translate import text
from bot.store.store import Store
from bot.store.users.users import User
from bot.views import data_export

#: Who did it, in the audit: nobody with an id, but whoever may type here.
_ACTOR = "terminal"


async def exported(store: Store, reference: str, file: Path) -> str:
    """Write all data of a user into a ZIP file, and report it; raises `BadInput` or `BadOutput`.

    In it are `data.json`, with every row of every table, and the pictures, which the rows name.
    """
    user = await store.people.one(reference)
    rows = await store.rights.rows(user.id)
    part = file.with_name(f".{file.name}.part")
    try:
        # The file is private: no other user of this computer may read it.
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "wb") as opened, zipfile.ZipFile(opened, "w") as archive:
            await data_export.pack(store, rows, archive)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadOutput("output-file-failed", file=str(file), reason=error.strerror or type(error).__name__) from None
    await store.audit.note(_ACTOR, "export", user=user.id)
    return text("export-done", file=str(file), name=_name(user), jobs=len(rows["job"]), pictures=len(rows["picture"]))


async def forgotten(store: Store, reference: str, agreed: Callable[[str], bool]) -> str:
    """Delete a user's data once `agreed` confirms it, and report the result; raises `BadInput`."""
    user = await store.people.one(reference)
    jobs, pictures = await store.rights.counts(user.id)
    if not agreed(text("forget-ask", name=_name(user), jobs=jobs, pictures=pictures)):
        return text("forget-not")
    return await _forget(store, user)


async def forgotten_again(store: Store) -> str:
    """Delete again all users who were deleted before and came back with a backup, and report who they were."""
    back = await store.rights.returned()
    return "\n".join([await _forget(store, user) for user in back]) or text("forget-none")


async def _forget(store: Store, user: User) -> str:
    done = await store.rights.forget(user.id)
    await store.audit.note(_ACTOR, "forget", facts={"jobs": done.jobs, "pictures": done.pictures})
    return text("forget-done", name=_name(user), jobs=done.jobs, pictures=done.pictures)


def asked(is_sure: bool, ask: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return what agrees: whoever sits there, or nobody where it was agreed to before; raises `BadInput` where there is nobody to ask."""

    def agreed(question: str) -> bool:
        if is_sure:
            return True
        if not os.isatty(0):
            raise BadInput("input-forget-yes")
        return ask(question)

    return agreed


def _name(user: User) -> str:
    return spelled(user.name) or user.id

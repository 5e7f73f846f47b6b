"""Find a free name for a preset by appending a number."""

from collections.abc import Collection

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.presets.template import Body, folded
from bot.store.images import search_terms
from bot.store.tables.sharing import PresetRow, PresetVersionRow

#: The maximal length of a name.
_LONGEST = 32


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name whose key is not taken: the name itself, or with the first free number from 2 on."""
    found, number = name, 2
    while folded(found) in taken:
        behind = f"-{number}"
        found, number = name[: _LONGEST - len(behind)] + behind, number + 1
    return found


async def rename(session: AsyncSession, row: PresetRow, name: str) -> None:
    """Rename a preset: it is found by its new name only. The caller flushes the session."""
    if name == row.name:
        return
    head = select(PresetVersionRow.body).where(PresetVersionRow.preset_id == row.id, PresetVersionRow.number == row.head)
    body = await session.scalar(head)
    prompt = "" if body is None else msgspec.json.decode(body, type=Body).prompt
    row.name, row.key, row.terms = name, folded(name), search_terms.of_preset(name, row.tags.split(), prompt)

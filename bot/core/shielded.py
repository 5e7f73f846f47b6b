"""Operations that must end even if the tasks that wait for them are cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ShieldedTasks:
    """Runs operations to their end whatever happens to the tasks that wait for them; the owner calls `drain` before it closes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """Return the result of an operation. If the caller is cancelled, the operation continues in the background."""
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def drain(self, seconds: float | None = None) -> None:
        """Wait, at most `seconds`, until every operation has ended."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=seconds)

"""Sends images as photos, by Telegram's file id if Telegram already has them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from telegram import Message
from telegram.error import BadRequest

from adapters.telegram import media
from adapters.telegram.api import TooLarge
from adapters.telegram.media import File
from bot.framework.reply import Shown
from bot.store.store import Store

#: Sends files, and returns their messages; `None` for a file that was already there.
Ask = Callable[[Sequence[File]], Awaitable[Sequence[Message | None]]]

Found = Sequence[tuple[Shown, File]]


class FileIdCache:
    """The images of the store, and their Telegram file ids for the bot of a `bot_key`."""

    def __init__(self, store: Store, bot_key: str) -> None:
        self._store = store
        self._bot_key = bot_key

    async def found(self, pictures: Iterable[Shown], *, whole: bool = False) -> Found:
        """Return images with their files; an image deleted at this moment is left out. `whole`: ignore the file ids."""
        some = tuple(pictures)
        handles = {} if whole else await self._store.handles.of(self._bot_key, [one.id for one in some])
        files = [(one, await media.photo(self._store.files, one, handles.get(one.id, ""))) for one in some]
        return [(one, file) for one, file in files if file is not None]

    async def send(self, found: Found, ask: Ask) -> list[tuple[Shown, Message | None]]:
        """Send images and store their file ids: smaller images if they are too large. Raises what `ask` raises."""
        try:
            return await self._sent(found, ask)
        except BadRequest:
            if not any(file.known for _, file in found):
                raise
            # A file id can be outdated, or belong to another server.
            return await self._sent(await self.found((one for one, _ in found), whole=True), ask)

    async def _sent(self, found: Found, ask: Ask) -> list[tuple[Shown, Message | None]]:
        files = [file for _, file in found]
        try:
            messages = await ask(files)
        except TooLarge:
            messages = await ask([await media.smaller(file) for file in files])
        sent = list(zip((one for one, _ in found), messages, strict=True))
        handles = {one.id: message.photo[-1].file_id for one, message in sent if message is not None and message.photo}
        if handles:
            await self._store.handles.keep(self._bot_key, handles)
        return sent

"""From an invocation to the plain values of each run of its command: words become flags and the rest, pictures become file keys."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from bot.core.errors import BadInput
from bot.core.values import Given, Invocation
from bot.framework import flags
from bot.framework.command import Command
from bot.framework.params import Kind, Param
from bot.prompting import grammar
from bot.store.images.blobs import BlobStore
from bot.store.images.images import Images
from inference.images import validation

#: Fetches a picture from a link; where there is none, links are not followed.
Fetch = Callable[[str], Awaitable[bytes]]

#: What is shown of words that do not belong: enough to find them again.
_LONGEST_SHOWN = 60


class Sources:
    """The pictures that one invocation brings. They are kept when something is accepted: what is refused leaves nothing behind."""

    def __init__(self, files: BlobStore, pictures: Images, fetch: Fetch | None) -> None:
        self._files = files
        self._pictures = pictures
        self._fetch = fetch
        self._brought: dict[str, bytes] = {}

    def bring(self, data: bytes) -> str:
        """Return the key that a picture will be kept under; raises `BadPicture`."""
        validation.check_bytes(data)
        key = self._files.key_of(data)
        self._brought[key] = data
        return key

    async def fetched(self, link: str) -> str:
        """Return the key of the picture behind a link; raises `BadInput` or `BadPicture`."""
        if self._fetch is None:
            raise BadInput("input-links-off")
        return self.bring(await self._fetch(link))

    async def named(self, said: Given, user: str) -> str:
        """Return the key of a picture that is given as bytes, as a link, or by the id of one of the person's own.

        Raises `BadInput` or `BadPicture`.
        """
        if isinstance(said, bytes):
            return self.bring(said)
        words = str(said).strip()
        if words.lower().startswith(("http://", "https://")):
            return await self.fetched(words)
        own = await self._pictures.get(words)
        if own is None or own.user != user:
            raise BadInput("input-picture-unknown", given=words[:_LONGEST_SHOWN])
        return own.file

    async def header(self, key: str) -> validation.Header:
        """Return the header of a picture by its key; raises `BadInput` where it has been deleted."""
        try:
            data = self._brought.get(key) or await self._files.get(key)
        except FileNotFoundError:
            raise BadInput("input-picture-gone") from None
        return validation.check_bytes(data)

    async def keep(self, keys: Iterable[str]) -> None:
        """Put the pictures of these keys into the file store, where they are not there yet."""
        for key in dict.fromkeys(keys):
            if key in self._brought:
                await self._files.put(self._brought[key])


async def runs(command: Command[Any], call: Invocation, sources: Sources, user: str) -> list[dict[str, Given]]:
    """Return what was given for each run of the command; several prompts are several runs.

    Raises `BadInput` or `BadPicture`.
    """
    typed = {name: value for name, value in call.given.items() if value != ""}
    picture = _picture_param(command, Kind.PICTURE, Kind.FILE)
    if call.picture is not None:
        if picture is None:
            raise BadInput("input-picture-none", command=command.name)
        if picture.name in typed:
            raise BadInput("input-two-pictures")
        typed[picture.name] = call.picture
    typed = await with_keys(command, typed, sources, user)
    free = command.param(command.free) if command.free else None
    words = call.words or (str(typed.pop(free.name, "")) if free else "")
    pieces = grammar.split(words) if free and free.several else (words,)
    return [await _spoken(command, piece, typed, sources, user) for piece in pieces]


async def with_keys(command: Command[Any], given: Mapping[str, Given], sources: Sources, user: str) -> dict[str, Given]:
    """Return what was given with the key of the picture in its place; raises `BadInput` or `BadPicture`."""
    picture = _picture_param(command)
    if picture is None or picture.name not in given:
        return dict(given)
    return {**given, picture.name: await sources.named(given[picture.name], user)}


def _picture_param(command: Command[Any], *kinds: Kind) -> Param | None:
    return next((one for one in command.params if one.kind in (kinds or (Kind.PICTURE,))), None)


async def _spoken(command: Command[Any], words: str, typed: Mapping[str, Given], sources: Sources, user: str) -> dict[str, Given]:
    """Return one run's values: what was given by name, and what its words say."""
    spoken = flags.parse(words, command.params)
    for name in spoken.given:
        if name in typed:
            raise BadInput("input-twice", name=name)
    given = {**typed, **await with_keys(command, spoken.given, sources, user)}
    if spoken.words and command.free is None:
        raise BadInput("input-words", command=command.name, given=spoken.words[:_LONGEST_SHOWN])
    if spoken.words and command.free is not None:
        if command.free in given:
            raise BadInput("input-twice", name=command.free)
        given[command.free] = spoken.words
    return given

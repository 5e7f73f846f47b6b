"""Turn an invocation into the values of each run of its command: words become flags and text, pictures become file keys.

`Layering` then adds the values that were left out: from the named preset, the user's settings and the channel's settings.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from bot.core.errors import BadInput, NotAllowed
from bot.core.suggest import nearest
from bot.core.values import Given, Invocation, MessageRef
from bot.framework import binding
from bot.framework.binding import Raw
from bot.framework.command import Command
from bot.framework.params import Kind
from bot.generation import infotext, resolve
from bot.generation.fields import GenerationParams
from bot.generation.resolve import Layer, ModelCatalog, SavedDefaults
from bot.presets import template
from bot.prompting import grammar
from bot.store.database import now
from bot.store.images.blobs import BlobStore
from bot.store.images.images import Images
from bot.store.sharing.presets import Preset
from bot.store.store import Store
from inference.images import validation

#: Fetches a picture from a link. Without it, links are not followed.
Fetch = Callable[[str], Awaitable[bytes]]

#: The time over which the pictures that a user brings are counted, and the unit in which users are told of a limit.
_DAY, _MB = timedelta(days=1), 1_000_000

#: Characters of wrong input that an error message repeats: enough to find it again.
_LONGEST_SHOWN = 60


class Sources:
    """The pictures of one invocation. They are stored only when a job is accepted: a refused request leaves nothing behind."""

    def __init__(self, files: BlobStore, pictures: Images, fetch: Fetch | None) -> None:
        self._files = files
        self._pictures = pictures
        self._fetch = fetch
        self._brought: dict[str, bytes] = {}

    def bring(self, data: bytes) -> str:
        """Return the key under which a picture will be stored; raises `BadPicture`."""
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
        """Return the key of a picture that is given as bytes, as a link, or as the id of one of the user's own pictures.

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
        """Return the header of a picture by its key; raises `BadInput` if it was deleted."""
        try:
            data = self._brought.get(key) or await self._files.get(key)
        except FileNotFoundError:
            raise BadInput("input-picture-gone") from None
        return validation.check_bytes(data)

    def sizes(self, keys: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of those pictures that came with the invocation."""
        return {key: len(self._brought[key]) for key in keys if key in self._brought}

    async def keep(self, keys: Iterable[str], user: str, most: int) -> None:
        """Put the pictures of these keys into the file store, if they are not there yet.

        Raises `NotAllowed` if the user would have brought more than `most` bytes within a day; 0 means no limit.
        """
        new = self.sizes(keys)
        if new and most:
            known = await self._pictures.brought(user, now() - _DAY)
            if sum((known | new).values()) > most:
                raise NotAllowed("denied-uploads", most=most // _MB)
        for key in new:
            await self._files.put(self._brought[key])


async def runs(
    command: Command[Any], call: Invocation, sources: Sources, user: str, models: Collection[str] = ()
) -> list[dict[str, Given]]:
    """Return the values for each run of the command; each prompt is a run.

    `models` are the names that a pasted text of another tool can refer to. Raises `BadInput` or `BadPicture`.
    """
    typed = await with_keys(command, {name: value for name, value in call.given.items() if value != ""}, sources, user)
    unnamed = _Unnamed(_brought(command, call.pictures, sources), _brought(command, call.answered, sources))
    free = command.param(command.free) if command.free else None
    words = call.words or (str(typed.pop(free.name, "")) if free else "")
    if free and free.several and infotext.is_pasted(words):
        words, pasted = infotext.pasted(words, models)
        typed = {**{name: value for name, value in pasted.items() if name in {one.name for one in command.params}}, **typed}
    pieces = _with_words(grammar.split(words), command) if free and free.several else (words,)
    _placed(command, typed, unnamed)
    return [await _spoken(command, piece, typed, unnamed, sources, user) for piece in pieces]


def _with_words(pieces: Sequence[str], command: Command[Any]) -> Sequence[str]:
    """Return the prompts of a line; a part with only flags, as in `a cat || --steps 4`, belongs to the prompt before it."""
    kept: list[str] = []
    for piece in pieces:
        if kept and not binding.parse_flags(piece, command.params).words:
            kept[-1] += f" {piece}"
        else:
            kept.append(piece)
    return kept


async def with_keys(command: Command[Any], given: Mapping[str, Given], sources: Sources, user: str) -> dict[str, Given]:
    """Return the values with each picture replaced by its key; raises `BadInput` or `BadPicture`."""
    keys = dict(given)
    for param in command.attachments:
        if param.kind is Kind.PICTURE and param.name in given:
            keys[param.name] = await sources.named(given[param.name], user)
    return keys


class _Unnamed(NamedTuple):
    """Pictures without a parameter name: the attachments of a message, and those of the message that it replies to."""

    carried: Sequence[Given]
    answered: Sequence[Given]


def _brought(command: Command[Any], pictures: Sequence[bytes], sources: Sources) -> Sequence[Given]:
    """Return the keys of pictures, or the bytes for a command that reads a file. Raises `BadPicture`."""
    return [sources.bring(one) for one in pictures] if command.takes(Kind.PICTURE) else pictures


def _placed(command: Command[Any], given: Mapping[str, Given], unnamed: _Unnamed) -> dict[str, Given]:
    """Assign each unnamed picture to the first parameter that is still free; raises `BadInput` if there are too many."""
    takers = [one.name for one in command.attachments]
    if unnamed.carried and not takers:
        raise BadInput("input-picture-none", command=command.name)
    free = [name for name in takers if name not in given]
    room = len(free) - len(unnamed.carried)
    if room < 0:
        raise BadInput("input-two-pictures", command=command.name, most=len(takers))
    # The message that is replied to is older: its picture is the one to change, and the attachments say how.
    return dict(zip(free, (*unnamed.answered[:room], *unnamed.carried), strict=False))


async def _spoken(
    command: Command[Any], words: str, typed: Mapping[str, Given], unnamed: _Unnamed, sources: Sources, user: str
) -> dict[str, Given]:
    """Return the values of one run: those given by name, those in its text, and the unnamed pictures."""
    spoken = binding.parse_flags(words, command.params)
    named = {**typed, **spoken.given}
    full = len(command.attachments) - len(unnamed.carried) < sum(one.name in named for one in command.attachments)
    for name in spoken.given:
        if name in typed or (full and command.param(name) in command.attachments):
            raise BadInput("input-twice", name=name)
    given = {**typed, **await with_keys(command, spoken.given, sources, user), **_placed(command, named, unnamed)}
    if spoken.words and command.free is None:
        raise BadInput("input-words", command=command.name, given=spoken.words[:_LONGEST_SHOWN])
    if spoken.words and command.free is not None:
        if command.free in given:
            raise BadInput("input-twice", name=command.free)
        given[command.free] = spoken.words
    return given


#: The value of `--preset` that switches off the channel's default preset.
NO_PRESET = template.NO_PRESET

_LONGEST_NAME_SHOWN = 40


class Run(msgspec.Struct, frozen=True):
    """One run of a command: the given values, and the layers of defaults below them."""

    given: Mapping[str, Given]
    layers: tuple[Layer, ...] = ()

    @property
    def values(self) -> tuple[Raw, ...]:
        """Return the values of the layers, the topmost first."""
        return tuple(one.values for one in self.layers)


class Layering:
    """Finds the layers of defaults below the given values."""

    def __init__(self, store: Store, offer: ModelCatalog) -> None:
        self._store = store
        self._offer = offer

    async def runs(
        self,
        command: Command[Any],
        given: Sequence[Raw],
        user: str,
        channel: MessageRef,
        wanted: SavedDefaults,
        slots: Mapping[str, str] | None = None,
    ) -> list[Run]:
        """Return the runs of a command for a user and a channel with these settings; `slots` are values of the preset's slots from a form.

        Raises `BadInput` if the preset cannot be used with these values.
        """
        if not issubclass(command.params_type, GenerationParams):
            return [Run(one) for one in given]
        settled = resolve.layers(wanted, tuple(self._offer.model_infos))
        return [await self._run(one, resolve.beneath(one, settled), user, channel, slots) for one in given]

    async def _run(self, given: Raw, under: tuple[Layer, ...], user: str, channel: MessageRef, slots: Mapping[str, str] | None) -> Run:
        plain = {name: value for name, value in given.items() if name != "preset"}
        beneath = tuple(Layer(one.origin, {name: value for name, value in one.values.items() if name != "preset"}) for one in under)
        named = str(given.get("preset") or "")
        settled = str(next((one.values["preset"] for one in under if "preset" in one.values), ""))
        if (named or settled).casefold() in ("", NO_PRESET):
            return Run(plain, beneath)
        reader = await self._store.presets.reader(user, channel)
        found = await self._store.presets.find(named or settled, reader)
        if found is None and named:
            known = await self._store.presets.complete(reader, "", 1_000)
            raise BadInput("input-preset-unknown", given=named[:_LONGEST_NAME_SHOWN], nearest=nearest(named[:_LONGEST_NAME_SHOWN], known))
        # A saved default that no longer exists is ignored.
        return Run(plain, beneath) if found is None else _through(found, plain, beneath, slots)


def _through(preset: Preset, given: Raw, under: tuple[Layer, ...], slots: Mapping[str, str] | None) -> Run:
    """Return a run with a preset as a layer between the given values and the saved settings."""
    changed, own = template.applied(preset.use, given, slots)
    return Run(changed, (own, *(Layer(one.origin, template.bounded(preset.use, one.values)) for one in under)))

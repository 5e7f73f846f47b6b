"""What a request is made of: what was given, through the preset that it names, over what its person and its group settled."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bot.core.errors import BadInput
from bot.core.suggest import nearest
from bot.core.values import Given, MessageRef
from bot.framework.binding import Raw
from bot.framework.command import Command
from bot.generation import defaults
from bot.generation.defaults import Layer, SavedDefaults
from bot.generation.model_catalog import ModelCatalog
from bot.generation.params import GenerationParams
from bot.presets import template
from bot.store.sharing.presets import Preset
from bot.store.store import Store

#: What is said in the place of a preset to paint without the group's.
NO_PRESET = template.NO_PRESET

_LONGEST_SHOWN = 40


class Run(msgspec.Struct, frozen=True):
    """One run of a command: what was given, and the layers beneath it."""

    given: Mapping[str, Given]
    layers: tuple[Layer, ...] = ()

    @property
    def values(self) -> tuple[Raw, ...]:
        """Return the values of the layers, the topmost first."""
        return tuple(one.values for one in self.layers)


class Layering:
    """Finds out what lies beneath what people give."""

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
        """Return the runs of a command, for a person in a place where this was settled; `slots` are those of the preset, where asked for.

        Raises `BadInput` for a preset that cannot be used like that.
        """
        if not issubclass(command.params_type, GenerationParams):
            return [Run(one) for one in given]
        settled = defaults.layers(wanted, tuple(self._offer.model_infos))
        return [await self._run(one, defaults.beneath(one, settled), user, channel, slots) for one in given]

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
            raise BadInput("input-preset-unknown", given=named[:_LONGEST_SHOWN], nearest=nearest(named[:_LONGEST_SHOWN], known))
        # What was settled long ago and is not there any more is nobody's wish.
        return Run(plain, beneath) if found is None else _through(found, plain, beneath, slots)


def _through(preset: Preset, given: Raw, under: tuple[Layer, ...], slots: Mapping[str, str] | None) -> Run:
    """Return a run with a preset between what was given and what was settled."""
    changed, own = template.applied(preset.use, given, slots)
    return Run(changed, (own, *(Layer(one.origin, template.bounded(preset.use, one.values)) for one in under)))

"""Where the values of a request come from: what was given, over what the person settled, over what their group did, over the model's."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import msgspec

from bot.core.values import Given
from bot.framework.binding import Raw
from bot.store.users.settings import SavedDefaults

#: Who decided a value: who asked (`you`), the preset that they use, their settings, their group's; what nobody decided is the model's own.
Origin = Literal["you", "preset", "settings", "place", "model"]

#: What can be settled once and for all: everything about how to paint, and nothing about what.
SETTABLE = ("steps", "guidance", "size", "count", "model", "scheduler", "negative", "preset")


class Layer(msgspec.Struct, frozen=True):
    """Values that hold where nothing above says otherwise."""

    origin: Origin
    values: Mapping[str, Given]


def layers(wanted: SavedDefaults, models: Collection[str]) -> tuple[Layer, ...]:
    """Return what people settled, the topmost first; a model that is not there any more is nobody's wish."""
    return tuple(
        Layer(origin, {name: value for name, value in values.items() if name in SETTABLE and (name != "model" or value in models)})
        for origin, values in ((_SETTINGS, wanted.user), (_PLACE, wanted.channel))
        if values
    )


_SETTINGS: Origin = "settings"
_PLACE: Origin = "place"


def beneath(given: Raw, known: Collection[Layer]) -> tuple[Layer, ...]:
    """Return the layers under what was given. A picture to start from brings its own shape, which no setting changes."""
    if "image" not in given and "{image" not in str(given.get("prompt", "")):
        return tuple(known)
    return tuple(Layer(one.origin, {name: value for name, value in one.values.items() if name != "size"}) for one in known)


def origins(given: Raw, known: Collection[Layer]) -> dict[str, Origin]:
    """Return who decided each value that was decided."""
    return dict(_decided(given, known))


def _decided(given: Raw, known: Collection[Layer]) -> Iterator[tuple[str, Origin]]:
    for one in reversed((Layer("you", given), *known)):
        yield from ((name, one.origin) for name, value in one.values.items() if value != "")

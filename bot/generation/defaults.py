"""Where the values of a request come from: what was given, over what the person settled, over what their group did, over the model's."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import msgspec

from bot.core import limits
from bot.core.values import Given
from bot.framework.binding import Raw
from bot.generation.fields import SETTABLE, WHOLE

#: Who decided a value: who asked (`you`), the preset that they use, their settings, their group's; what nobody decided is the model's own.
Origin = Literal["you", "preset", "settings", "place", "model"]


#: What holds for a whole place: the commands that members may not use there, the most that they may ask for, that pictures are
#: covered, the most credits that each of them may use there on one day, and the language that is spoken there.
CLOSED, MOST, COVER, CREDITS, LANGUAGE = "closed", "most", "cover", "credits", "language"


class SavedDefaults(msgspec.Struct, frozen=True):
    """What a person wants, and what everybody in a place wants who wants nothing else; by the names of parameters."""

    user: Mapping[str, Given] = {}
    channel: Mapping[str, Given] = {}

    @property
    def closed(self) -> frozenset[str]:
        """Return the commands that members may not use in the place."""
        return frozenset(str(self.channel.get(CLOSED, "")).split(", "))

    @property
    def most(self) -> Mapping[str, float]:
        """Return the most that may be asked for in the place, by the names of parameters."""
        return limits.read(str(self.channel.get(MOST, "")), WHOLE)

    @property
    def language(self) -> str:
        """Return the language that the place is spoken to in, or nothing where nobody chose one for it."""
        return str(self.channel.get(LANGUAGE, ""))

    @property
    def cover(self) -> bool:
        """Return whether nobody sees a picture in the place before they press on it."""
        return bool(self.channel.get(COVER))

    @property
    def credits(self) -> float | None:
        """Return how many credits each member may use in the place on one day, or nothing where nobody says so."""
        return None if (most := self.channel.get(CREDITS)) is None else float(most)


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

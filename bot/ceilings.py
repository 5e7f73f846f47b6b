"""Ceilings: the most that something may be, as people write them for presets and for places: `steps=30, count=2`."""

from collections.abc import Iterator, Mapping

from bot.errors import BadInput

#: What can have one.
BOUNDED = ("steps", "guidance", "count", "strength")

#: Of what is wrong so much is shown.
_LONGEST_SHOWN = 40


def told(most: Mapping[str, float]) -> str:
    """Return ceilings as they are written: `steps=30, count=2`."""
    return ", ".join(f"{name}={value:g}" for name, value in most.items())


def read(said: str) -> dict[str, float]:
    """Return ceilings from `steps=30, count=2`; raises `BadInput`."""
    return dict(_read(said))


def _read(said: str) -> Iterator[tuple[str, float]]:
    for one in filter(None, (part.strip() for part in said.split(","))):
        name, _, value = one.partition("=")
        try:
            yield name.strip().casefold(), float(value)
        except ValueError:
            raise BadInput("input-preset-ceiling", given=one[:_LONGEST_SHOWN]) from None

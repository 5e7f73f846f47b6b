"""A model's card: the file `easel.json` in a model folder, where its maker says what the weights cannot."""

from pathlib import Path

import msgspec

from inference.contract.errors import BadModel
from inference.contract.model_info import Defaults, Limits

CARD = "easel.json"

#: A card with a vocabulary of thousands of words is a tenth of this.
MOST_BYTES = 2**20


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `easel.json` may hold; every key may be left out.

    `title` is shown instead of the name. `defaults` (width, height, steps, guidance, scheduler) and `limits` (multiple,
    smallest, largest, most_pixels, most_steps, most_pictures, most_guidance) replace what was read from the model as a whole.
    `schedulers` leaves only these names, as a model distilled to a few steps needs. `words` is the model's whole vocabulary,
    lower case.
    """

    title: str = ""
    defaults: Defaults | None = None
    limits: Limits | None = None
    schedulers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def read_card(folder: Path) -> ModelCard:
    """Return the card of a model folder, an empty one where there is none; raises `BadModel` for one that cannot be read."""
    try:
        text = read_capped(folder / CARD)
    except FileNotFoundError:
        return ModelCard()
    try:
        return msgspec.json.decode(text, type=ModelCard)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadModel("model-card", path=str(folder / CARD), reason=str(error)) from error


def read_capped(path: Path) -> bytes:
    """Return a small file's bytes; raises `BadModel` for one too large to be what it should be."""
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise BadModel("model-unreadable", path=str(path))
    return text

"""Model cards: the file `easel.json` in a model folder, in which the author states what the weights cannot."""

from pathlib import Path

import msgspec

from inference.contract.errors import BadModel
from inference.contract.model_info import Defaults, Limits
from inference.models.safetensors_file import check_file

CARD = "easel.json"

#: A card with a vocabulary of thousands of words takes a tenth of this.
MOST_BYTES = 2**20


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of `easel.json`; every key is optional.

    `title` is shown instead of the name. `defaults` (width, height, steps, guidance, scheduler) and `limits` (multiple,
    smallest, largest, most_pixels, most_steps, most_pictures, most_guidance) each replace all the values read from the model.
    `schedulers` allows only these names, as a model distilled to a few steps needs. `words` is the model's whole vocabulary,
    lower case.
    """

    title: str = ""
    defaults: Defaults | None = None
    limits: Limits | None = None
    schedulers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def read_card(folder: Path) -> ModelCard:
    """Return the card of a model folder, or an empty card if there is none; raises `BadModel` if it cannot be parsed."""
    try:
        text = read_capped(folder / CARD)
    except FileNotFoundError:
        return ModelCard()
    try:
        return msgspec.json.decode(text, type=ModelCard)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadModel("model-card", path=str(folder / CARD), reason=str(error)) from error


def read_capped(path: Path) -> bytes:
    """Return a small file's bytes; raises `BadModel` if it is larger than `MOST_BYTES`, as no valid file is."""
    check_file(path)
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise BadModel("model-unreadable", path=str(path))
    return text

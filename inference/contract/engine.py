"""The engine port: what the bot asks of whatever paints."""

from collections.abc import AsyncGenerator
from typing import Protocol

from inference.contract.model_info import ModelInfo
from inference.contract.request import Event, PictureRequest


class Engine(Protocol):
    """Something that paints. `LocalEngine` in `process` is the default; a cluster would be another."""

    def model_infos(self) -> dict[str, ModelInfo]:
        """Return what can be asked for, by name."""
        ...

    @property
    def is_able(self) -> bool:
        """Return whether anything can be painted now or soon; False while no worker can even start."""
        ...

    def run(self, request: PictureRequest) -> AsyncGenerator[Event, None]:
        """Paint: yield `Step`, `Note` and `Picture`, then one `Done` or `Failed`.

        Raises `OutOfRange` or `NotOffered` before anything is queued. Closing the iterator cancels the request at its next
        denoising step.
        """
        ...

"""The engine port: the interface through which the bot runs requests."""

from collections.abc import AsyncGenerator
from typing import Protocol

from inference.contract.model_info import ModelInfo
from inference.contract.request import Event, PictureRequest


class Engine(Protocol):
    """An engine that runs requests. `LocalEngine` in `supervisor` is the default; a cluster would be another implementation."""

    def model_infos(self) -> dict[str, ModelInfo]:
        """Return the models that a request can name, by name."""
        ...

    @property
    def is_able(self) -> bool:
        """Return whether requests can run now or soon; False while no worker can even start."""
        ...

    def run(self, request: PictureRequest) -> AsyncGenerator[Event, None]:
        """Run a request: yield `Step`, `Note` and `Picture`, then a single `Done` or `Failed`.

        Raises `OutOfRange` or `NotOffered` before anything is queued. Closing the iterator cancels the request at its next
        denoising step.
        """
        ...

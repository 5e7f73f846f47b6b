"""What may be asked for: models, commands, and what they cost."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from bot.core import cost_model
from inference.contract.inputs import Role
from inference.contract.model_info import ModelInfo, not_offered
from inference.contract.modes import mode_of
from inference.contract.request import PictureRequest


@dataclass(frozen=True)
class ModelCatalog:
    """What may be asked for now: models by name, the names of all commands that are not hidden, and how dear each model is.

    `factors` are the models whose pictures cost more or less than usual, by name.
    """

    model_infos: Mapping[str, ModelInfo]
    default_model: str
    commands: tuple[str, ...] = ()
    factors: Mapping[str, float] = field(default_factory=dict)

    def model_info(self, name: str | None) -> ModelInfo:
        """Return a model's passport, or the default model's; raises `NotOffered`."""
        wanted = self.default_model if name is None else name
        # People do not remember capitals.
        known = {one.casefold(): model_info for one, model_info in self.model_infos.items()}
        if wanted.casefold() not in known:
            raise not_offered("model", wanted, tuple(self.model_infos))
        return known[wanted.casefold()]

    def credits(self, request: PictureRequest, roles: Collection[Role] = ()) -> int:
        """Return what a request with inputs of these roles costs, in thousandths of a credit."""
        factor = Fraction(str(self.factors.get(request.model, 1.0))) * Fraction(str(mode_of(request, roles).factor))
        return cost_model.credits(request.count, request.steps, request.width, request.height, factor)

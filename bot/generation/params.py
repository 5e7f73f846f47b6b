"""What somebody asks to be painted: the parameters of `imagine`, kept with the job so that they can be changed and sent again."""

import json

from bot.core.values import InputFile
from bot.framework.params import picture_fields
from bot.generation.fields import GenerationFields


class GenerationParams(GenerationFields):
    """The parameters of a request; `None` is what was left out. Pictures such as `image` are keys of the file store."""

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """Return its pictures and what each is for."""
        given = ((role, getattr(self, name)) for name, role in picture_fields(type(self)).items())
        return tuple(InputFile(role, file) for role, file in given if file is not None)


def read_wish(kept: str) -> GenerationParams:
    """Return parameters from their JSON; fields that Easel does not know, such as those of a later version, are left out."""
    return GenerationParams.model_validate(
        {name: value for name, value in json.loads(kept).items() if name in GenerationParams.model_fields}
    )

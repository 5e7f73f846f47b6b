"""What somebody asks to be painted: the parameters of `imagine`, kept with the job so that they can be changed and sent again."""

from bot.generation.fields import GenerationFields


class GenerationParams(GenerationFields):
    """A wish; `None` is what was left out. `image` is a key of the file store."""

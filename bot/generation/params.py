"""What somebody asks to be painted: the parameters of `imagine`, kept with the job so that they can be changed and sent again."""

from bot.framework.params import Params
from bot.generation.param_types import Count, Guidance, Model, Negative, PresetName, Prompt, Scheduler, Seed, Size, Source, Steps, Strength


class GenerationParams(Params):
    """A wish; `None` is what was left out. `image` is a key of the file store."""

    prompt: Prompt
    negative: Negative = None
    image: Source = None
    strength: Strength = None
    size: Size = None
    steps: Steps = None
    guidance: Guidance = None
    scheduler: Scheduler = None
    seed: Seed = None
    count: Count = None
    model: Model = None
    preset: PresetName = None

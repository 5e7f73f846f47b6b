"""Requests to an engine and the events that it sends back: frozen values that cross the process boundary as msgpack."""

import msgspec

from inference.contract.errors import Problem
from inference.contract.inputs import Input, Role
from inference.contract.provenance import Provenance


class Fragment(msgspec.Struct, frozen=True):
    """A piece of a prompt and its weight: 1 is neutral, 1.1 counts a tenth more."""

    text: str
    weight: float = 1.0


class Prompt(msgspec.Struct, frozen=True):
    """A prompt as typed (`text`) and as parsed: parts of weighted fragments.

    A new part starts a new window of the text encoder (A1111's `BREAK`).
    """

    text: str = ""
    parts: tuple[tuple[Fragment, ...], ...] = ()

    @classmethod
    def plain(cls, text: str) -> "Prompt":
        """Return a prompt without emphasis: its brackets and other signs count as plain text."""
        return cls(text, ((Fragment(text),),) if text else ())


#: How many seeds there are: 0 to this, which is left out.
SEEDS = 2**32


class PictureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A complete request: every parameter is set, so the same value gives the same pictures.

    Picture `i` of `count` uses seed `seed + i`. `inputs` are the input pictures. `mode` names the mode; if it is empty, the
    inputs decide (`modes.mode_of`), because requests stored before modes existed have none. `strength` 0..1 says how much of an
    init picture is replaced. `share` names the account that the device time is charged to (its requests split a single fair
    share), `weight` the relative size of that share. `clip_skip` is the CLIP layer that encodes the prompt, counted from the
    last, which is 1; None is the layer that the model was trained with. `bucket` fixes the number of rows of every forward pass,
    so that a picture does not depend on its neighbours to the last bit; 0 leaves the number to the engine. `seats` are the batch
    slots of each picture from an earlier run, as in `ImageProvenance`: the same slots give the same pixels to the last bit.
    """

    prompt: Prompt
    negative: Prompt = Prompt()
    model: str
    width: int
    height: int
    steps: int
    guidance: float
    scheduler: str
    seed: int
    count: int = 1
    mode: str = ""
    inputs: tuple[Input, ...] = ()
    strength: float = 0.6
    clip_skip: int | None = None
    previews: bool = False
    allow_smaller: bool = False
    share: str = ""
    weight: float = 1.0
    bucket: int = 0
    seats: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return the role of each input, in order."""
        return tuple(given.role for given in self.inputs)

    def seed_of(self, index: int) -> int:
        """Return the seed of a picture of the request; behind the largest seed they go on at 0, so that each can be requested."""
        return (self.seed + index) % SEEDS

    @property
    def embedding_key(self) -> tuple[object, ...]:
        """Return everything that the prompt embeddings depend on, besides the model and whether guidance is on."""
        return tuple(getattr(self, name) for name, traits in TRAITS.items() if traits.embeds)


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """Metadata of a request field.

    `infotext` is its name in A1111's settings line. `embeds` says that the prompt embeddings depend on it. `needs` names the
    feature that a model must have to take the field (`ModelInfo.features`); for other models the field must be None.
    """

    infotext: str = ""
    embeds: bool = False
    needs: str = ""


#: The traits of request fields, in the order of A1111's settings line. Fields without traits are left out.
TRAITS: dict[str, Traits] = {
    "prompt": Traits(embeds=True),
    "negative": Traits(infotext="Negative prompt", embeds=True),
    "steps": Traits(infotext="Steps"),
    "scheduler": Traits(infotext="Sampler"),
    "guidance": Traits(infotext="CFG scale"),
    "seed": Traits(infotext="Seed"),
    "width": Traits(infotext="Size"),
    "model": Traits(infotext="Model"),
    "strength": Traits(infotext="Denoising strength"),
    "clip_skip": Traits(infotext="Clip skip", embeds=True, needs="clip"),
}


class Step(msgspec.Struct, frozen=True, tag=True):
    """Step `n` of `of` is done, counted over all pictures of the request. `preview` is a small JPEG, in some steps only."""

    n: int
    of: int
    preview: bytes | None = None


class Picture(msgspec.Struct, frozen=True, tag=True):
    """Picture `index` is finished: a PNG with its settings inside (`image`), and a small JPEG for lists (`thumbnail`)."""

    index: int
    seed: int
    width: int
    height: int
    image: bytes
    thumbnail: bytes


class Note(msgspec.Struct, frozen=True, tag=True):
    """Something that the user should know about a request; the request continues."""

    problem: Problem


class Done(msgspec.Struct, frozen=True, tag=True):
    """Every picture was delivered. `device_seconds` is the device time of this request, `calls` its number of denoiser calls.

    `proof` is the provenance of its pictures.
    """

    device_seconds: float
    calls: int
    proof: Provenance | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The request ended without all of its pictures."""

    problem: Problem


Event = Step | Picture | Note | Done | Failed

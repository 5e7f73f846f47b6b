"""What is asked of an engine and what it answers: frozen values that cross the process border as msgpack."""

import msgspec

from inference.contract.errors import Problem
from inference.contract.inputs import Input, Role
from inference.contract.provenance import Provenance


class Fragment(msgspec.Struct, frozen=True):
    """Words and how strongly they count: 1 is as written, 1.1 a tenth more."""

    text: str
    weight: float = 1.0


class Prompt(msgspec.Struct, frozen=True):
    """A prompt as typed (`text`) and as read: parts of weighted fragments.

    A new part starts a new window of the text encoder (A1111's `BREAK`).
    """

    text: str = ""
    parts: tuple[tuple[Fragment, ...], ...] = ()

    @classmethod
    def plain(cls, text: str) -> "Prompt":
        """Return words that carry no emphasis at all, whatever signs they hold."""
        return cls(text, ((Fragment(text),),) if text else ())


#: How many seeds there are: 0 to this, which is left out.
SEEDS = 2**32


class PictureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, complete: nothing is left to guess, so the same value gives the same pictures.

    Picture `i` of `count` is painted with seed `seed + i`. `inputs` are the pictures that it is given; `mode` names the way to
    paint, and if it is empty the inputs decide (`modes.mode_of`): requests stored before there were modes have none. `strength`
    0..1 says how much of an init picture is repainted. `share` names who pays for the time (requests of one share split one
    turn), `weight` how large that turn is. `clip_skip` is the layer of CLIP that reads the prompt, counted from the last, which
    is 1; None is the layer that the model was trained with. `bucket` fixes the number of rows of every forward pass, so that a
    picture does not depend on its neighbours to the last bit; 0 leaves it to the engine. `seats` are where each picture sat in
    its passes when it was painted before, as `ImageProvenance` has them: there it sits again, and is the same to the last bit.
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
        """Return everything that the embeddings of its words depend on, beside the model and whether it is guided."""
        return tuple(getattr(self, name) for name, traits in TRAITS.items() if traits.embeds)


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know of a field of a request beside its type.

    `infotext` is its name in A1111's settings line. `embeds`: the embeddings of the words depend on it. `needs` names what a model
    must have to take the field (`ModelInfo.features`); None is what other models get.
    """

    infotext: str = ""
    embeds: bool = False
    needs: str = ""


#: The traits of the fields that have any, in the order of A1111's settings line.
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
    """Step `n` of `of` is done, over all pictures of the request. `preview` is a small JPEG now and then."""

    n: int
    of: int
    preview: bytes | None = None


class Picture(msgspec.Struct, frozen=True, tag=True):
    """Picture `index` is finished: an encoded PNG with its settings inside, and a small JPEG of it for lists."""

    index: int
    seed: int
    width: int
    height: int
    image: bytes
    thumbnail: bytes


class Note(msgspec.Struct, frozen=True, tag=True):
    """Something the person should know about a request that goes on."""

    problem: Problem


class Done(msgspec.Struct, frozen=True, tag=True):
    """Every picture was delivered. `device_seconds` is this request's share of the device, `calls` its denoiser calls.

    `proof` is what painted it.
    """

    device_seconds: float
    calls: int
    proof: Provenance | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The request ended without all of its pictures."""

    problem: Problem


Event = Step | Picture | Note | Done | Failed

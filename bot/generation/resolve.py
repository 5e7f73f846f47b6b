"""Resolve parameters into a complete request: the given values, over saved defaults, over the defaults of the model.

`ModelCatalog` is what can be requested: models, commands and prices. `SavedDefaults` are the settings of a user and of a channel, and
`layers` their order. `request_of` fills in what is left, as the model works best. `unknown_words` names words that the model does not know.
"""

import difflib
import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any, Literal, Self

import msgspec

from bot.core import limits, scheduling
from bot.core.errors import BadInput
from bot.core.signs import COLONS, DIGITS
from bot.core.values import Given
from bot.framework.binding import Raw
from bot.generation import sizes
from bot.generation.fields import FIELDS, SETTABLE, WHOLE, GenerationParams
from bot.i18n.translate import text
from bot.prompting import grammar
from bot.prompting.grammar import Reading
from inference.contract.inputs import Input, Role
from inference.contract.model_info import MAX_SEED, ModelInfo, not_offered
from inference.contract.modes import MODES, Mode, mode_of
from inference.contract.request import PictureRequest, Prompt
from inference.images.validation import Header


@dataclass(frozen=True)
class ModelCatalog:
    """The models and commands that are available now, and the price factors of models.

    `factors` holds the models whose pictures cost more or less than usual, by name.
    """

    model_infos: Mapping[str, ModelInfo]
    default_model: str
    commands: tuple[str, ...] = ()
    factors: Mapping[str, float] = field(default_factory=dict)

    def model_info(self, name: str | None) -> ModelInfo:
        """Return the model info of a model, or of the default model; raises `NotOffered`."""
        wanted = self.default_model if name is None else name
        # Users do not remember upper and lower case.
        known = {one.casefold(): model_info for one, model_info in self.model_infos.items()}
        if wanted.casefold() not in known:
            raise not_offered("model", wanted, tuple(self.model_infos))
        return known[wanted.casefold()]

    def credits(self, request: PictureRequest, roles: Collection[Role] = ()) -> int:
        """Return the price of a request with inputs of these roles, in thousandths of a credit."""
        factor = Fraction(str(self.factors.get(request.model, 1.0))) * Fraction(str(mode_of(request, roles).factor))
        return scheduling.credits(request.count, request.steps, request.width, request.height, factor)


_SHAPE = re.compile(rf"\s*([{DIGITS}]{{1,4}})\s*[{COLONS}]\s*([{DIGITS}]{{1,4}})\s*")


def seed_for(params: GenerationParams, most: int = MAX_SEED) -> int:
    """Return the requested seed, or a random one that leaves room for the seeds of all pictures."""
    return secrets.randbelow(most - (params.count or 1)) if params.seed is None else params.seed


def reading_of(params: GenerationParams, seed: int) -> Reading:
    """Return the parsed prompt of the parameters; alternatives are chosen by the seed. Raises `BadInput`."""
    return grammar.read(params.prompt, Random(seed))


def pinned(params: GenerationParams, request: PictureRequest) -> GenerationParams:
    """Return parameters with every number that a picture was painted with, whatever the model's defaults are now."""
    pinned = [one for one in FIELDS.values() if one.row.pinned]
    return params.model_copy(update={one.name: None if one.row.of_image and params.image is None else one.value(request) for one in pinned})


def idle(mode: Mode) -> frozenset[str]:
    """Return the fields of a request that have no effect in its mode, as `strength` has none from text to image."""
    return frozenset(name for other in MODES.values() for name in other.fields) - mode.fields


def request_of(
    params: GenerationParams,
    reading: Reading,
    model_info: ModelInfo,
    seed: int,
    pictures: Sequence[tuple[Role, Header]] = (),
    mode: str = "",
) -> PictureRequest:
    """Return the complete request without the bytes of its inputs; `pictures` are their roles and headers.

    `mode` is the name of the mode; if it is empty, the inputs imply it.

    Raises `BadInput`, and what `mode_of` and `ModelInfo.check` raise.
    """
    if not any(fragment.text.strip() for part in reading.prompt.parts for fragment in part):
        raise BadInput("input-prompt-empty")
    width, height = _size(params.size, model_info, next((header for role, header in pictures if role is Role.INIT), None))
    chosen = _chosen(params, model_info)
    request = PictureRequest(
        **{
            **chosen,
            "prompt": reading.prompt,
            "negative": _negative(params, reading),
            "model": model_info.name,
            "width": width,
            "height": height,
            "scheduler": scheduler_of(chosen["scheduler"]),
            "seed": seed,
            "mode": mode,
        }
    )
    roles = tuple(role for role, _ in pictures)
    for name in sorted(idle(mode_of(request, roles))):
        if getattr(params, name, None) is not None:
            raise BadInput(f"input-{name}-alone")
    # The check needs the roles of the inputs, not their content.
    model_info.check(msgspec.structs.replace(request, inputs=tuple(map(Input, roles))))
    return request


#: Names of schedulers in k-diffusion, ComfyUI and A1111, after `scheduler_of` has brought signs and endings into Easel's form.
_SCHEDULERS = {"dpm 2": "dpm2", "dpm 2 a": "dpm2 a", "uni pc": "unipc", "plms": "pndm", "k lms": "lms"}


def scheduler_of(said: str) -> str:
    """Return Easel's name of a scheduler: `dpmpp_2m_sde_gpu` is `dpm++ 2m sde`, and `k_euler_ancestral` is `euler a`."""
    name = said.casefold().replace("dpmpp", "dpm++").replace("_", " ").replace("dpm++2", "dpm++ 2")
    words = [word for word in name.removeprefix("sample ").removeprefix("k ").split() if word not in ("gpu", "automatic")]
    plain = " ".join("a" if word == "ancestral" else word for word in words)
    return _SCHEDULERS.get(plain, plain)


def _chosen(params: GenerationParams, model_info: ModelInfo) -> dict[str, Any]:
    """Return the engine's fields from the parameters, completed by the model's defaults."""
    asked = {one.becomes[0]: getattr(params, name) for name, one in FIELDS.items() if len(one.becomes) == 1}
    usual = {name: getattr(model_info.defaults, name, None) for name in asked}
    return {name: value for name, given in asked.items() if (value := usual[name] if given is None else given) is not None}


def _size(size: str | None, model_info: ModelInfo, source: Header | None) -> sizes.Size:
    if size is not None and (shape := _SHAPE.fullmatch(size)):
        wide, high = int(shape[1]), int(shape[2])
        if not (wide and high and max(wide, high) <= sizes.MOST_ASPECT * min(wide, high)):
            raise BadInput("input-shape", given=size, most=sizes.MOST_ASPECT)
        return sizes.like(model_info, wide, high)
    if size is not None:
        return sizes.read_size(size)
    if source is not None:
        return sizes.like(model_info, source.width, source.height)
    return model_info.defaults.width, model_info.defaults.height


def _negative(params: GenerationParams, reading: Reading) -> Prompt:
    """Return the negative prompt, from its parameter and from within the prompt, in a form that can be parsed again."""
    joined = grammar.join(grammar.read(params.negative or "").prompt, reading.negative)
    if len(joined.text) > grammar.MOST_CHARACTERS:
        raise BadInput("input-prompt-long", most=grammar.MOST_CHARACTERS, given=len(joined.text))
    return joined


#: The origin of a value: the request itself (`you`), its preset, the user's settings, the channel's settings, or the model.
Origin = Literal["you", "preset", "settings", "place", "model"]


#: Settings of a channel that apply to all members: closed commands, upper limits, covered pictures, credits a day for each member,
#: and the language.
CLOSED, MOST, COVER, CREDITS, LANGUAGE = "closed", "most", "cover", "credits", "language"


class SavedDefaults(msgspec.Struct, frozen=True):
    """The saved settings of a user, and the defaults of a channel, by parameter name."""

    user: Mapping[str, Given] = {}
    channel: Mapping[str, Given] = {}

    @classmethod
    def read(cls, user: str | None, channel: str | None) -> Self:
        """Return the settings from the JSON that is stored for a user and for a channel; either can be missing."""
        return cls(json.loads(user or "{}"), json.loads(channel or "{}"))

    @property
    def closed(self) -> frozenset[str]:
        """Return the commands that members may not use in the channel."""
        return frozenset(str(self.channel.get(CLOSED, "")).split(", "))

    @property
    def most(self) -> Mapping[str, float]:
        """Return the upper limits in the channel, by parameter name."""
        return limits.read(str(self.channel.get(MOST, "")), WHOLE)

    @property
    def language(self) -> str:
        """Return the language of the channel, or None if none was chosen."""
        return str(self.channel.get(LANGUAGE, ""))

    @property
    def cover(self) -> bool:
        """Return whether pictures are covered in the channel."""
        return bool(self.channel.get(COVER))

    @property
    def credits(self) -> float | None:
        """Return how many credits each member may use in the channel a day, or None if there is no limit."""
        return None if (most := self.channel.get(CREDITS)) is None else float(most)


class Layer(msgspec.Struct, frozen=True):
    """Default values, which apply if no layer above has a value."""

    origin: Origin
    values: Mapping[str, Given]


def layers(wanted: SavedDefaults, models: Collection[str]) -> tuple[Layer, ...]:
    """Return the saved settings as layers, topmost first; a model that no longer exists is ignored."""
    return tuple(
        Layer(origin, {name: value for name, value in values.items() if name in SETTABLE and (name != "model" or value in models)})
        for origin, values in ((_SETTINGS, wanted.user), (_PLACE, wanted.channel))
        if values
    )


_SETTINGS: Origin = "settings"
_PLACE: Origin = "place"


def beneath(given: Raw, known: Collection[Layer]) -> tuple[Layer, ...]:
    """Return the layers below the given values. An input picture determines the shape, which no saved setting changes."""
    if "image" not in given and "{image" not in str(given.get("prompt", "")):
        return tuple(known)
    return tuple(Layer(one.origin, {name: value for name, value in one.values.items() if name != "size"}) for one in known)


def origins(given: Raw, known: Collection[Layer]) -> dict[str, Origin]:
    """Return the origin of each value that was set."""
    return dict(_decided(given, known))


def _decided(given: Raw, known: Collection[Layer]) -> Iterator[tuple[str, Origin]]:
    for one in reversed((Layer("you", given), *known)):
        yield from ((name, one.origin) for name, value in one.values.items() if value != "")


#: As many words as a user reads at a glance.
_MOST_SUGGESTED = 8

#: Shorter words are mostly articles and prepositions, which are no useful suggestions.
_SHORTEST_SUGGESTED = 4


def unknown_words(request: PictureRequest, model_info: ModelInfo) -> str:
    """Return a sentence about words of a request that the model was not trained on; empty if it knows all of them."""
    unknown = tuple(dict.fromkeys([*model_info.unknown_words(request.prompt), *model_info.unknown_words(request.negative)]))
    if not unknown:
        return ""
    known = ", ".join(suggestions(unknown, model_info.words))
    return text("words-unknown", count=len(unknown), words=", ".join(unknown), model=model_info.name, known=known)


def suggestions(unknown: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return a few known words: those most similar to the unknown ones first, then some from the whole vocabulary."""
    telling = [word for word in known if len(word) >= _SHORTEST_SUGGESTED] or list(known)
    near = [like for word in unknown for like in difflib.get_close_matches(word, telling, n=1, cutoff=0.6)]
    spread = telling[:: max(1, len(telling) // _MOST_SUGGESTED)]
    return tuple(dict.fromkeys([*near, *spread]))[:_MOST_SUGGESTED]

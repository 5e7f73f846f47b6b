"""Batching: joins network calls of different pipelines into one forward pass.

A stock diffusers pipeline runs in its own greenlet. In place of its denoiser and its autoencoder it has a `StandIn`, which parks
the greenlet with a `Call`, so that the batch engine can decide when, and together with which other calls, the call is made.
Rows are concatenated along the first dimension: latents, one timestep per row, embeddings.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from greenlet import getcurrent, greenlet
from torch import Tensor, nn

from inference.contract.errors import BadModel
from inference.worker.batch_slots import BatchSlot

#: The outputs of a network: a tensor for each output, with rows as its first dimension.
Outputs = tuple[Tensor, ...]

Arguments = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Target:
    """A network operation that can be batched: `stage` is denoise, decode or encode; `run` takes the joined arguments."""

    model: str
    stage: str
    network: nn.Module
    run: Callable[[Arguments], Outputs]
    dtype: torch.dtype
    device: torch.device


@dataclass(eq=False)
class Call:
    """A parked call: the waiting greenlet (`owner`), the operation and its arguments; `rows` is the size of their first dimension.

    `seat` is the batch slot in which it was answered. `eased` names the fallback that changed the result for lack of memory.
    """

    owner: greenlet
    target: Target
    rows: int
    arguments: Arguments
    key: Hashable = field(init=False)
    answer: Outputs = field(init=False)
    seat: BatchSlot = field(init=False)
    eased: str = ""

    def __post_init__(self) -> None:
        self.key = (self.target.model, self.target.stage, *_shape_of(self.arguments, self.rows))


def _shape_of(value: object, rows: int) -> tuple[Hashable, ...]:
    """Return what must be equal for two values to share a pass: names, shapes without the rows, types; or a plain value itself."""
    if isinstance(value, Mapping):
        return tuple((name, _shape_of(part, rows)) for name, part in sorted(value.items()))
    if isinstance(value, Tensor):
        if value.dim() == 0:
            return ("scalar",)
        # A tensor without an entry for each row cannot be joined with that of another call; the object id in the key keeps the call alone.
        return (tuple(value.shape[1:]), value.dtype) if value.shape[0] == rows else ("alone", id(value))
    return ("plain", value) if isinstance(value, Hashable) else ("alone", id(value))


def _join(values: list[Any], rows: list[int], target: Target) -> Any:
    """Return the values of several calls as one argument, with floating point tensors in the network's type and on its device."""
    first = values[0]
    if isinstance(first, Mapping):
        return {name: _join([value[name] for value in values], rows, target) for name in first}
    if not isinstance(first, Tensor):
        return first
    # Images read from files have another memory layout than noise: the first tensor's layout would affect the results of all rows.
    whole = [value.expand(count) if value.dim() == 0 else value.contiguous() for value, count in zip(values, rows, strict=True)]
    joined = torch.cat(whole) if len(whole) > 1 else whole[0]
    return joined.to(target.device, target.dtype if joined.is_floating_point() and joined.dim() > 1 else joined.dtype)


def run_together(calls: list[Call], bucket: int = 0, firsts: Sequence[int] = ()) -> list[Outputs]:
    """Make several calls with the same key in one forward pass and return the answer of each, in float32.

    `firsts` are the first rows of the calls, in ascending order; without them the calls are placed one after the other. With a
    `bucket` the pass has at least that many rows. Free rows are filled with copies of a neighbour's rows, whose answers are
    dropped. Networks give a row the same answer to the bit, regardless of its neighbours, if it has the same position among the
    same number of rows.
    """
    target = calls[0].target
    values: list[Arguments] = []
    rows: list[int] = []
    asked: list[int] = []
    for number, call in enumerate(calls):
        if firsts:
            _fill(values, rows, call, firsts[number])
        call.seat = BatchSlot(0, sum(rows))
        asked.append(len(rows))
        values.append(call.arguments)
        rows.append(call.rows)
    _fill(values, rows, calls[-1], bucket)
    for call in calls:
        call.seat = BatchSlot(sum(rows), call.seat.first)
    outputs = target.run(_join(values, rows, target))
    split = [output.float().split(rows) for output in outputs]
    return [tuple(parts[index] for parts in split) for index in asked]


def _fill(values: list[Arguments], rows: list[int], call: Call, until: int) -> None:
    """Append copies of a call's rows until the pass has `until` rows."""
    while (missing := until - sum(rows)) > 0:
        taken = min(missing, call.rows)
        values.append(_first_rows(call.arguments, taken, call.rows))
        rows.append(taken)


def _first_rows(value: Any, taken: int, rows: int) -> Any:
    if isinstance(value, Mapping):
        return {name: _first_rows(part, taken, rows) for name, part in value.items()}
    has_rows = isinstance(value, Tensor) and value.dim() > 0 and value.shape[0] == rows
    return value[:taken] if has_rows else value


def park(target: Target, arguments: Arguments, rows: int) -> Outputs:
    """Park the current greenlet until its call has been made, and return the answer."""
    running = getcurrent()
    if running.parent is None:
        raise RuntimeError("a stand-in was called outside the batch engine")
    answer: Outputs = running.parent.switch(Call(running, target, rows, arguments))
    return answer


class StandIn(nn.Module):
    """Replaces a network in a pipeline: has the network's configuration, reports float32, and parks the calls.

    Pipelines take the type of latents and noise from here, so both stay in float32 whatever type the network has, and a seed
    gives the same noise on every device.
    """

    def __init__(self, network: nn.Module, model: str, device: torch.device) -> None:
        super().__init__()
        # This bypasses nn.Module's registration: the pipeline must not see, move or convert the real network.
        object.__setattr__(self, "network", network)
        self._device = device
        self._model = model

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["network"], name)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def device(self) -> torch.device:
        return self._device

    def to(self, *_: Any, **__: Any) -> "StandIn":
        """Do nothing: the model cache controls the device and the type of the real network."""
        return self

    def _target(self, stage: str, run: Callable[[Arguments], Outputs]) -> Target:
        network: Any = self.network
        return Target(self._model, stage, network, run, network.dtype, self._device)


class Denoiser(StandIn):
    """Stand-in for a U-Net or a transformer."""

    def __init__(self, network: nn.Module, model: str, device: torch.device) -> None:
        super().__init__(network, model, device)
        signature = inspect.signature(network.forward)
        self._bind = signature.bind
        self._denoise = self._target("denoise", self._run)

    def _run(self, arguments: Arguments) -> Outputs:
        outputs: Outputs = self.__dict__["network"](**arguments)
        return outputs

    def forward(self, *given: Any, **named: Any) -> Outputs:
        """Park a denoiser call; the pipelines ask for tuples (`return_dict=False`)."""
        bound = {name: value for name, value in self._bind(*given, **named).arguments.items() if value is not None}
        return park(self._denoise, bound, next(iter(bound.values())).shape[0])


class Autoencoder(StandIn):
    """Stand-in for a VAE: `encode` and `decode` park, everything else comes from the real network."""

    def __init__(self, network: nn.Module, model: str, device: torch.device) -> None:
        super().__init__(network, model, device)
        real: Any = network
        self._decode = self._target("decode", lambda given: (real.decode(given["z"], return_dict=False)[0],))
        self._encode = self._target("encode", lambda given: (real.encode(given["x"]).latent_dist.parameters,))

    def decode(self, z: Tensor, return_dict: bool = True, generator: object = None) -> Any:
        """Park a decode; the generator is for autoencoders that add noise, which those of these families do not."""
        del generator
        pixels = park(self._decode, {"z": z}, z.shape[0])
        if not torch.isfinite(pixels[0]).all():
            # Clamped and rounded, these numbers would be a black or white picture that is delivered as done.
            raise BadModel("model-not-finite", model=self._model)
        return DecoderOutput(sample=pixels[0]) if return_dict else pixels

    def encode(self, x: Tensor, return_dict: bool = True) -> Any:
        """Park an encode and return the distribution of latents, from which the pipeline samples with its own generator."""
        (moments,) = park(self._encode, {"x": x}, x.shape[0])
        code = DiagonalGaussianDistribution(moments)
        return AutoencoderKLOutput(latent_dist=code) if return_dict else (code,)

"""The model cache: decides which models are on the device, in the computer's memory, or only on disk.

The least recently used model leaves first: from the device to memory, from memory to disk only. A model in use never moves. The
decision is a pure function; `ModelCache` applies it, and loads models in separate threads, so that no step waits for a disk.
"""

import enum
import gc
import itertools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

import psutil
import torch

from inference.contract.errors import InferenceError, OutOfMemory
from inference.contract.model_info import ModelInfo
from inference.worker.model_loader import Loaded
from inference.worker.pipelines import PipelineRunner

GIB = 2**30

#: Share of a device's or the computer's free memory that models may fill if no budget is set; the rest is for running requests.
SHARE = 0.6


@dataclass(frozen=True)
class Kept:
    """A model as `make_room` sees it: `used` counts up, so the smallest is the least recently used."""

    name: str
    bytes: int
    on_device: bool
    busy: bool
    used: int


@dataclass(frozen=True)
class Moves:
    """Names of models that move from the device to memory, and of models that are unloaded."""

    to_host: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def make_room(kept: Iterable[Kept], need: int, device_budget: int, host_budget: int) -> Moves | None:
    """Return the moves after which `need` bytes fit on the device, or None while models in use leave no room.

    A model larger than the whole budget is admitted alone: the budget is an estimate, and only the device can refuse the model.
    """
    oldest = sorted(kept, key=lambda one: one.used)
    on_device = [one for one in oldest if one.on_device]
    in_host = [one for one in oldest if not one.on_device]
    leaving: list[Kept] = []
    filled = sum(one.bytes for one in on_device)
    for one in on_device:
        if filled + need <= device_budget:
            break
        if not one.busy:
            leaving.append(one)
            filled -= one.bytes
    if filled + need > device_budget and filled:
        return None
    waiting, dropped = in_host + leaving, []
    held = sum(one.bytes for one in waiting)
    while waiting and held > host_budget:
        gone = waiting.pop(0)
        held -= gone.bytes
        dropped.append(gone.name)
    return Moves(tuple(one.name for one in leaving if one.name not in dropped), tuple(dropped))


#: The libraries create empty networks by patching torch for the whole process; two concurrent loads would leave it patched.
_ONE_AT_A_TIME = threading.Lock()


class Wait(enum.Enum):
    """Why a model is not ready: it is still loading, or models in use leave no room for it."""

    LOADING = enum.auto()
    FULL = enum.auto()


@dataclass(eq=False)
class _Slot:
    model_info: ModelInfo
    easel: PipelineRunner | None = None
    loading: "Future[Loaded] | None" = None
    on_device: bool = False
    users: int = 0
    used: int = 0
    bytes: int = 0
    streamed: bool = False


@dataclass(eq=False)
class ModelCache:
    """The loaded models of a worker. Only loading runs on other threads; all methods are called on the device thread."""

    device: torch.device
    dtype: torch.dtype
    load: Callable[[ModelInfo, torch.dtype], Loaded]
    device_budget: int
    host_budget: int
    woken: Callable[[], None] = lambda: None
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _clock: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def names(self) -> tuple[str, ...]:
        """Return the names of the models on the device."""
        return tuple(name for name, slot in self._slots.items() if slot.on_device)

    def want(self, model_info: ModelInfo) -> "PipelineRunner | Wait":
        """Return a model that is ready on the device, or the reason why it is not ready.

        Raises the exception of a failed load once; the next call tries again.
        """
        slot = self._slots.setdefault(model_info.name, _Slot(model_info))
        if slot.easel is None and slot.loading is None:
            slot.loading = self._begin_loading(model_info)
        if slot.loading is not None:
            if not slot.loading.done():
                return Wait.LOADING
            self._take(slot)
        assert slot.easel is not None
        if not slot.on_device and not self._place(slot, slot.easel):
            return Wait.FULL
        slot.used = next(self._clock)
        return slot.easel

    def _begin_loading(self, model_info: ModelInfo) -> "Future[Loaded]":
        """Load a model in a thread that ends when it is loaded.

        A persistent thread would keep its pool of OpenMP threads. With more OpenMP threads than cores every pool stops spinning
        between its loops, and the denoiser's calls take twice as long.
        """
        loading: Future[Loaded] = Future()

        def run() -> None:
            try:
                with _ONE_AT_A_TIME:
                    loading.set_result(self.load(model_info, self.dtype))
            except Exception as error:
                loading.set_exception(error)

        loading.add_done_callback(lambda _: self.woken())
        threading.Thread(target=run, name="load", daemon=True).start()
        return loading

    def _take(self, slot: _Slot) -> None:
        assert slot.loading is not None
        done, slot.loading = slot.loading, None
        try:
            loaded = done.result()
        except Exception:
            del self._slots[slot.model_info.name]
            raise
        slot.easel, slot.bytes = PipelineRunner(loaded, self.device), loaded.bytes

    def _place(self, slot: _Slot, easel: PipelineRunner) -> bool:
        """Move a loaded model to the device; return False while other models in use fill it."""
        others = [
            Kept(one.model_info.name, one.bytes, one.on_device, one.users > 0, one.used)
            for one in self._slots.values()
            if one is not slot and one.easel is not None
        ]
        moves = make_room(others, slot.bytes, self.device_budget, self.host_budget)
        if moves is None:
            return False
        self._carry_out(moves)
        try:
            easel.move_to(self.device)
        except Exception as error:
            if not is_out_of_memory(error) or not self.clear_others(slot.model_info.name):
                raise
            easel.move_to(self.device)
        slot.on_device = True
        return True

    def _carry_out(self, moves: Moves) -> None:
        for name in moves.to_host:
            slot = self._slots[name]
            if slot.streamed or slot.easel is None:
                # Hooks move the weights of a streamed network, so it is unloaded, and reloaded later, rather than moved by hand.
                del self._slots[name]
                continue
            slot.easel.move_to(torch.device("cpu"))
            slot.on_device = False
        for name in moves.dropped:
            del self._slots[name]
        if moves.to_host or moves.dropped:
            free_cache(self.device)

    def hold(self, name: str) -> None:
        """Add a running picture to this model's use count; a model in use never moves."""
        self._slots[name].users += 1

    def release(self, name: str) -> None:
        """Subtract a picture from this model's use count."""
        self._slots[name].users -= 1

    def clear_others(self, name: str) -> bool:
        """Move every other idle model off the device; return whether any moved. This is a fallback of `OomFallback`."""
        idle = tuple(one for one, slot in self._slots.items() if one != name and slot.on_device and not slot.users)
        self._carry_out(Moves(dropped=idle) if self.device.type == "cpu" else Moves(to_host=idle))
        return bool(idle)

    def stream(self, name: str) -> None:
        """Record that a model is streamed: its weights stay in the computer's memory and move to the device layer by layer."""
        self._slots[name].streamed = True


def free_cache(device: torch.device) -> None:
    """Release cached, unused memory of the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def budgets(device: torch.device, device_gib: float, host_gib: float) -> tuple[int, int]:
    """Return the bytes that models may take on the device and in the computer's memory; 0 GiB means `SHARE` of the free memory."""
    free = int(psutil.virtual_memory().available * SHARE)
    host = int(host_gib * GIB) or free
    if device.type != "cuda":
        # There is only one memory, so a model that leaves a CPU "device" is unloaded.
        return int(device_gib * GIB) or host, 0
    return int(device_gib * GIB) or int(torch.cuda.mem_get_info(device)[0] * SHARE), host


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory ran out: that of CUDA, of the CPU allocator or of Python."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)


def too_large(stage: str, width: int, height: int) -> InferenceError:
    """Return the error of a request for which every memory fallback failed."""
    return OutOfMemory("memory-spent", stage=stage, width=width, height=height)

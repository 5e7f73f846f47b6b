"""Builds the batch engine of a device: number types, memory budgets, threads. Runs in the worker process only."""

import os
from pathlib import Path

import torch

from inference.contract.errors import OutOfRange
from inference.contract.model_info import ModelInfo
from inference.contract.protocol import Begin
from inference.contract.settings import EngineSettings
from inference.models.families import FAMILIES
from inference.worker.batch_engine import BatchEngine, Tell
from inference.worker.model_cache import ModelCache, budgets
from inference.worker.model_loader import Loaded, load

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def dtype_for(device: torch.device, settings: EngineSettings) -> torch.dtype:
    """Return the number type of the networks: the configured type, or for "auto" bfloat16 on a GPU and float32 on a CPU."""
    if settings.dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if settings.dtype not in DTYPES:
        raise OutOfRange("range-dtype", given=settings.dtype, offered=", ".join(DTYPES))
    return DTYPES[settings.dtype]


def open_batch_engine(begin: Begin, tell: Tell) -> BatchEngine:
    """Return a batch engine for a device, with no model loaded yet; call `work` on the thread that owns the device."""
    device, settings = torch.device(begin.device), begin.settings
    if device.type == "cpu":
        # All cores that this process may use: a container often has fewer than the machine.
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    device_budget, host_budget = budgets(device, settings.device_memory, settings.host_memory)
    model_cache = ModelCache(
        device=device,
        dtype=dtype_for(device, settings),
        load=lambda model_info, dtype: _load(model_info, dtype, settings),
        device_budget=device_budget,
        host_budget=host_budget,
    )
    return BatchEngine(model_cache, begin.model_infos, settings, tell)


def _load(model_info: ModelInfo, dtype: torch.dtype, settings: EngineSettings) -> Loaded:
    loaded = load(model_info, dtype, settings.allow_downloads, Path(settings.hashes) if settings.hashes else None)
    if settings.compile:
        # In place, so that all references to the network use it; compilation happens at the first pass of each shape.
        loaded.components[FAMILIES[model_info.family].denoiser].compile()
    return loaded

"""Settings of an engine: the part of the configuration that crosses the process boundary."""

import msgspec


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a local engine.

    `devices` are torch device names, with one worker process each; "auto" is every GPU, or the CPU if there is none. `dtype` is
    auto (bfloat16 on a GPU, float32 on a CPU), float32, float16 or bfloat16. `max_batch` is the largest number of pictures in a
    forward pass. `compile` compiles the denoiser and pads batches to fixed sizes. `device_memory` and `host_memory` are the budgets
    for models on the device and in the computer's memory, in GiB; 0 means a share of the free memory. `hang_seconds` is how long
    an operation may take before the worker counts as hung. `hashes` is the folder that caches the hashes of model files; if it is
    empty, nothing is cached.
    """

    devices: tuple[str, ...] = ("auto",)
    dtype: str = "auto"
    max_batch: int = 16
    compile: bool = False
    device_memory: float = 0.0
    host_memory: float = 0.0
    allow_downloads: bool = False
    hang_seconds: float = 600.0
    hashes: str = ""

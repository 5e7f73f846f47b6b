"""How an engine is to run: the part of the configuration that crosses the process border."""

import msgspec


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a local engine.

    `devices` are torch device names, one worker process each; "auto" is every GPU, or the CPU where there is none. `dtype` is
    auto (bfloat16 on a GPU, float32 on a CPU), float32, float16 or bfloat16. `max_batch` is the most pictures in one forward
    pass. `compile` compiles the denoiser and pads batches to fixed sizes. The memory budgets are GiB for models on the device
    and in the computer's memory; 0 is chosen by what is there. `hang_seconds` is how long one operation may take before the
    worker counts as hung. `hashes` is the folder in which hashes of model files are remembered, none where it is empty.
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

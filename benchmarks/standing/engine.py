"""The engine of the product around stand-in workers: supervisor, pipes, kills and restarts are real."""

import sys

from inference.contract.model_info import Defaults, Limits, ModelInfo
from inference.contract.settings import EngineSettings
from inference.supervisor import LocalEngine

#: Seconds of a worker's time per picture.
PAINT_SECONDS = 0.05

#: The stand-in claims to support everything.
DEMO_INFO = ModelInfo(
    name="stand-in",
    family="sd1",
    kind="folder",
    source="",
    prediction="epsilon",
    precision="float32",
    bytes=0,
    sha256="0" * 64,
    limits=Limits(8, 64, 512, 512 * 512),
    defaults=Defaults(256, 256, 30, 7.0, "euler"),
    schedulers=("euler",),
)


def standing(workers: int, seconds: float = PAINT_SECONDS, model_infos: dict[str, ModelInfo] | None = None) -> LocalEngine:
    """Return an engine of this many workers that take this many seconds per picture; entering it starts them."""
    # Devices of the same name still get one worker each.
    settings = EngineSettings(devices=("cpu",) * workers)
    command = (sys.executable, "-m", "benchmarks.standing.worker", str(seconds))
    return LocalEngine(settings, model_infos or {DEMO_INFO.name: DEMO_INFO}, command)

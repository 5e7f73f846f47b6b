"""Records the provenance of a finished picture: its model, scheduler, libraries and device."""

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass

import torch

from inference.contract.provenance import ImageProvenance, Provenance
from inference.images.metadata import version
from inference.models.hashing import Fingerprint
from inference.worker.batch_slots import written
from inference.worker.pipelines import PipelineRunner, Pixels
from inference.worker.running_request import Part
from inference.worker.schedulers import make

#: The libraries whose version affects the pixels; Pillow reads and resizes input pictures.
LIBRARIES = ("torch", "diffusers", "transformers", "compel", "pillow")

VERSIONS = {name: importlib.metadata.version(name) for name in LIBRARIES}


@dataclass(frozen=True)
class ProvenanceRecorder:
    """The part of a provenance that is constant for a worker: the kind of device, and whether the denoiser is compiled."""

    device: str
    compiled: bool


def bench(device: torch.device, *, compiled: bool) -> ProvenanceRecorder:
    """Return the description of a device; call it on the device thread or on the thread that set the number of torch threads."""
    if device.type == "cuda":
        return ProvenanceRecorder(f"cuda {torch.cuda.get_device_name(device)}", compiled)
    # Another number of threads or another instruction set changes the order of summation.
    return ProvenanceRecorder(f"{device.type} {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads", compiled)


def proof_of(part: Part, easel: PipelineRunner, pixels: Pixels, made_of: Fingerprint, bench: ProvenanceRecorder) -> Provenance:
    """Return the provenance of a single picture."""
    scheduler = make(part.request.scheduler, easel.loaded.scheduler_config)
    settings = {name: value for name, value in scheduler.config.items() if not name.startswith("_")}
    return Provenance(
        model=made_of.sha256,
        files=made_of.files,
        scheduler=type(scheduler).__name__,
        schedule=_digest(json.dumps(settings, sort_keys=True, default=str).encode())[:16],
        versions={**VERSIONS, "easel": version()},
        device=bench.device,
        dtype=easel.dtype,
        compiled=bench.compiled,
        eased=tuple(sorted(part.eased)),
        pictures=(ImageProvenance(_digest(repr(pixels.shape).encode() + pixels.tobytes()), written(part.seats)),),
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

"""Loads the components of a model from its model info. Runs in the worker process only."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.utils import logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from safetensors import SafetensorError

from inference.contract.errors import BadModel
from inference.contract.model_info import ModelInfo
from inference.contract.modes import TXT2IMG
from inference.models.families import FAMILIES
from inference.models.families.base import IGNORED, Family
from inference.models.hashing import Fingerprint, begin, unknown
from inference.models.inspect import ConfigFile, Inspection, look, parts_in, read_settings
from inference.models.safetensors_file import read_header

#: Patterns of the configuration and tokenizer files of a hub repository, which are fetched without the weights.
_CONFIGS = ["*.json", "*.txt", "*.model"]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in memory, in eval mode.

    `components` are those of its family's pipelines, without the scheduler, which is created for each picture from
    `scheduler_config`. A component that the model lacks is None. `zero_empty` says whether the embedding of an empty negative
    prompt is zeros, as in the training of SDXL. `identity` becomes its fingerprint.
    """

    model_info: ModelInfo
    components: dict[str, Any]
    scheduler_config: dict[str, Any]
    scheduler: str
    zero_empty: bool = False
    identity: "Future[Fingerprint]" = field(default_factory=unknown)

    @property
    def bytes(self) -> int:
        """Return the size of the weights and buffers in bytes."""
        tensors = (tensor for part in self._networks() for tensor in (*part.parameters(), *part.buffers()))
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def _networks(self) -> list[torch.nn.Module]:
        return [part for part in self.components.values() if isinstance(part, torch.nn.Module)]

    def to(self, device: torch.device) -> None:
        """Move every network to a device."""
        for part in self._networks():
            part.to(device)
            if device.type == "cpu":
                _align(part)

    def pipeline(self, kind: str) -> Any:
        """Return a stock pipeline of this class with the components, and a scheduler of the model's own class."""
        scheduler = getattr(diffusers, self.scheduler).from_config(self.scheduler_config)
        made = getattr(diffusers, kind)(**self.components, scheduler=scheduler, **FAMILIES[self.model_info.family].extras)
        made.set_progress_bar_config(disable=True)
        return made

    @cached_property
    def text_pipeline(self) -> Any:
        """Return the stock text-to-image pipeline."""
        return self.pipeline(FAMILIES[self.model_info.family].pipeline(TXT2IMG))


def _align(part: torch.nn.Module) -> None:
    """Copy weights that are not aligned to 64 bytes, as those read from a file often are.

    A processor sums unaligned numbers in another order: the same weights from two files would give pictures that differ in the
    last bits.
    """
    for tensor in (*part.parameters(), *part.buffers()):
        if tensor.data_ptr() % 64:
            tensor.data = tensor.data.clone()


def load(model_info: ModelInfo, dtype: torch.dtype, downloads: bool = False, hashes: Path | None = None) -> Loaded:
    """Return the model of a model info, on the CPU and in `dtype`; raises `BadModel` if it cannot be loaded.

    The files are inspected again, since they may have changed after the model info was created. Only safetensors are opened, only
    known classes are instantiated, and nothing is fetched unless `downloads` allows it. `hashes` is the folder that caches file
    hashes.
    """
    logging.disable_progress_bar()
    family = FAMILIES[model_info.family]
    found = look(_fetched(family, model_info.source, downloads) if model_info.kind == "hub" else Path(model_info.source))
    _check_family(model_info, found.family)
    config = _config_folder(model_info, found, downloads) if found.kind == "file" else None
    # Hashing runs alongside loading, which reads the same files, so each finds the other's data in the page cache.
    identity = begin(found, config, hashes)
    with _told(found.path):
        pipeline = _from_folder(found, dtype) if config is None else _from_file(model_info, found, config, dtype)
    _check_complete(found, pipeline)
    return _loaded(model_info, pipeline, identity)


def _check_family(model_info: ModelInfo, family: Family) -> None:
    if family.name != model_info.family:
        raise BadModel("model-other-family", name=model_info.name, given=model_info.family, found=family.name)


def _from_folder(found: Inspection, dtype: torch.dtype) -> Any:
    family, parts = found.family, read_settings(found.path).parts
    lacking = {part: None for part in family.optional if part not in parts}
    return _text_to_image(family).from_pretrained(
        found.path,
        # Without it fp16 files load with mixed types: the denoiser in fp32, the text encoder in fp16 (diffusers 0.42).
        dtype=dtype,
        variant=found.branch or None,
        use_safetensors=True,
        local_files_only=True,
        **family.extras,
        **lacking,
    )


def _config_folder(model_info: ModelInfo, found: Inspection, downloads: bool) -> Path:
    """Return the folder from which a single file takes its configuration."""
    if not model_info.config:
        raise BadModel("model-config-needed", name=model_info.name, path=str(found.path), family=found.family.title)
    folder = Path(model_info.config).expanduser()
    if not folder.exists() and model_info.config.count("/") == 1:
        folder = _fetched(found.family, model_info.config, downloads, configs_only=True)
    return folder


def _from_file(model_info: ModelInfo, found: Inspection, folder: Path, dtype: torch.dtype) -> Any:
    settings = read_settings(folder)
    _check_family(model_info, settings.family)
    header = read_header(found.path)
    pipeline = _text_to_image(found.family).from_single_file(
        str(found.path),
        config=str(folder),
        dtype=dtype,
        local_files_only=True,
        **found.family.extras,
        **_from_elsewhere(found, folder, settings, dtype),
    )
    if pipeline.components.get("text_encoder_3") is not None:
        # diffusers 0.42 fills one of two tied weights and leaves the other empty or untied.
        pipeline.text_encoder_3.tie_weights()
    if "ztsnr" in header.tensors:
        # The tensor by which authors mark a noise schedule that ends in pure noise (zero terminal SNR).
        pipeline.scheduler.register_to_config(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    return pipeline


def _from_elsewhere(found: Inspection, folder: Path, settings: ConfigFile, dtype: torch.dtype) -> dict[str, Any]:
    """Return the networks that a single file lacks: from the configuration folder if it holds them, else None if optional.

    Raises `BadModel` for a missing required network. diffusers 0.42 would find text encoders there itself, but builds an autoencoder
    from any keys it finds.
    """
    family, held = found.family, parts_in(read_header(found.path), found.family)
    parts: dict[str, Any] = {part: None for part in family.optional if part not in settings.parts}
    for part, kind in settings.parts.items():
        if part in held or part not in ("vae", "text_encoder", "text_encoder_2", "text_encoder_3"):
            continue
        if any((folder / part).glob("*.safetensors")):
            library = diffusers if part == "vae" else transformers
            parts[part] = getattr(library, kind).from_pretrained(
                folder, subfolder=part, dtype=dtype, use_safetensors=True, local_files_only=True
            )
        elif part in family.optional:
            parts |= {part: None, part.replace("text_encoder", "tokenizer"): None}
        else:
            raise BadModel("model-part-missing", path=str(found.path), part=part)
    return parts


def _fetched(family: Family, repository: str, downloads: bool, *, configs_only: bool = False) -> Path:
    """Return the folder of a hub repository, from the cache or, if downloads are allowed, from the hub."""
    try:
        if configs_only:
            return Path(snapshot_download(repository, allow_patterns=_CONFIGS, local_files_only=not downloads))
        kind = _text_to_image(family)
        return Path(kind.download(repository, use_safetensors=True, local_files_only=not downloads, **family.extras))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise BadModel("model-not-fetched", source=repository, allowed=int(downloads), reason=_first_line(error)) from error


def _text_to_image(family: Family) -> Any:
    """Return the pipeline class that loads the models of a family, regardless of the pipelines they run with afterwards."""
    return getattr(diffusers, family.pipeline(TXT2IMG))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the libraries' exceptions about broken weights into `BadModel`; out-of-memory errors pass unchanged."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, SingleFileComponentError) as error:
        if "allocate memory" in str(error):
            raise
        if "meta tensor" in str(error):
            raise BadModel("model-incomplete", path=str(path)) from error
        raise BadModel("model-broken", path=str(path), reason=_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _check_complete(found: Inspection, pipeline: Any) -> None:
    """Raise `BadModel` if weights are missing: diffusers leaves them empty or fills them with noise, and raises nothing."""
    networks = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    empty = any(tensor.is_meta for part in networks.values() for tensor in part.parameters())
    if found.kind == "folder":
        held = sum(len(read_header(path).tensors) for path in found.weights)
        empty = empty or held < len(networks[found.family.denoiser].state_dict())
    if empty:
        raise BadModel("model-incomplete", path=str(found.path))


def _loaded(model_info: ModelInfo, pipeline: Any, identity: "Future[Fingerprint]") -> Loaded:
    left_out = IGNORED | {"scheduler"}
    components = {name: part for name, part in pipeline.components.items() if name not in left_out}
    for part in components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    config = dict(pipeline.scheduler.config)
    if model_info.prediction != "flow":
        config["prediction_type"] = model_info.prediction
    return Loaded(
        model_info=model_info,
        components=components,
        scheduler_config=config,
        scheduler=type(pipeline.scheduler).__name__,
        zero_empty=bool(pipeline.config.get("force_zeros_for_empty_prompt", False)),
        identity=identity,
    )

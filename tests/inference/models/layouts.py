"""Writes models in real layouts whose weights are holes on disk, so that they cost no space."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path


def write_weights(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "F32", metadata: dict[str, str] | None = None) -> Path:
    """Write a safetensors file whose numbers are a hole on disk, so that real headers cost no space."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 4 if dtype == "F32" else 2
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


def write_model(folder: Path, **changes: object) -> Path:
    """Write a diffusers folder of SD 1.x with holes for weights; `changes` replace entries of its index."""
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "requires_safety_checker": True,
        **changes,
    }
    files = {
        "model_index.json": index,
        "unet/config.json": {"sample_size": 64, "in_channels": 4, "cross_attention_dim": 768},
        "vae/config.json": {"block_out_channels": [128, 256, 512, 512], "latent_channels": 4},
        "scheduler/scheduler_config.json": {"prediction_type": "epsilon"},
        "tokenizer/tokenizer_config.json": {},
    }
    for name, content in files.items():
        write_json(folder / name, content)
    write_weights(folder / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.weight": (320, 4, 3, 3)}, "F16")
    write_weights(folder / "vae" / "diffusion_pytorch_model.safetensors", {"conv.weight": (3, 3)})
    write_weights(folder / "text_encoder" / "model.safetensors", {"weight": (3, 3)})
    return folder


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")

"""Recognises the U-Net of Stable Diffusion 1, 2 and XL in original files. The width of its cross-attention identifies the family."""

import re

from inference.models.safetensors_file import Header

_CROSS = re.compile(r"model\.diffusion_model\.input_blocks\.\d+\.1\.transformer_blocks\.0\.attn2\.to_k\.weight")
#: The cross-attention width of the XL refiner, which only refines pictures of another model.
REFINER_WIDTH = 1280

_ENTRANCE = "model.diffusion_model.input_blocks.0.0.weight"


def cross_width(header: Header) -> int:
    """Return the width of the text embeddings that the U-Net takes, 0 if the file holds no such U-Net."""
    return next((tensor.shape[-1] for name, tensor in header.tensors.items() if tensor.shape and _CROSS.fullmatch(name)), 0)


def channels(header: Header) -> int:
    """Return the number of input channels of the U-Net, 0 if the file holds none."""
    entrance = header.tensors.get(_ENTRANCE)
    return entrance.shape[1] if entrance is not None and len(entrance.shape) == 4 else 0


def has_width(header: Header, width: int) -> bool:
    """Return whether a file holds a complete U-Net of this width."""
    return channels(header) > 0 and cross_width(header) == width

"""Cheap previews of an unfinished picture: no decoder, a small matrix per model.

The clean latents are estimated from the input and the output of the denoiser, and a linear map turns latents into colours. The
map is fitted by least squares to the model's own encoder when the first preview is due, so it exists for any model.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

#: The longer side of a preview, in pixels.
LONGEST = 256


class PreviewColours:
    """The linear map from the latents of an autoencoder to red, green and blue."""

    def __init__(self, vae: Any, device: torch.device) -> None:
        #: (channels + 1, 3): the weight of each latent channel for each colour, and a constant.
        self._matrix = self._fit(vae, device)

    @staticmethod
    def _fit(vae: Any, device: torch.device) -> Tensor:
        """Return (channels + 1, 3): the least squares fit over large patches of random colours and their latents."""
        rng, factor = torch.Generator().manual_seed(0), 2 ** (len(vae.config.block_out_channels) - 1)
        coarse = [torch.rand(12, 3, patches, patches, generator=rng) * 2 - 1 for patches in (1, 2, 3)]
        colours = torch.cat([F.interpolate(one, size=(8, 8), mode="nearest") for one in coarse])
        pictures = F.interpolate(colours, scale_factor=factor, mode="nearest").to(device, vae.dtype)
        latents = vae.encode(pictures).latent_dist.mean.float().cpu()
        shift = getattr(vae.config, "shift_factor", None) or 0.0
        columns = _with_one(((latents - shift) * vae.config.scaling_factor).movedim(1, -1).reshape(-1, latents.shape[1]))
        ridge = 1e-3 * torch.eye(columns.shape[1])
        fitted: Tensor = torch.linalg.solve(columns.T @ columns + ridge, columns.T @ colours.movedim(1, -1).reshape(-1, 3))
        return fitted

    def look(self, clean: Tensor, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return clean latents (channels, height, width) as uint8 (height, width, 3) in the picture's proportions."""
        pixels = _with_one(clean.float().cpu().movedim(0, -1)) @ self._matrix
        shrink = min(1.0, LONGEST / max(size))
        shape = (max(1, round(size[1] * shrink)), max(1, round(size[0] * shrink)))
        grown = F.interpolate(pixels.movedim(-1, 0)[None], size=shape, mode="bilinear")[0].movedim(0, -1)
        looked: np.ndarray[Any, np.dtype[np.uint8]] = ((grown.clamp(-1, 1) + 1) * 127.5).to(torch.uint8).numpy()
        return looked


def _with_one(columns: Tensor) -> Tensor:
    return torch.cat([columns, torch.ones(*columns.shape[:-1], 1)], dim=-1)


def estimate(arguments: Mapping[str, Any], answer: Tensor, guidance: float, prediction: str, alphas: Tensor | None) -> Tensor:
    """Return the clean latents (channels, height, width) estimated from a denoiser call.

    `arguments` and `answer` are the call's own rows: unguided and guided if guidance is on. Diffusion models take latents at unit
    variance (Ho et al. 2020, Salimans and Ho 2022 for v) and `alphas` is their noise schedule; for flow models, which take a
    linear mix of noise and clean latents, it is None.
    """
    sample = arguments["sample"] if "sample" in arguments else arguments["hidden_states"]
    time = torch.as_tensor(arguments["timestep"]).float().reshape(-1)[0].cpu()
    predicted = answer[0] if len(answer) == 1 else answer[0] + guidance * (answer[1] - answer[0])
    # An inpainting denoiser takes the mask and the masked picture as channels after the latents.
    noisy: Tensor = sample[0][: len(predicted)].float()
    if alphas is None:
        clean: Tensor = noisy - time / 1000 * predicted
        return clean
    level = alphas[int(time.round().clamp(0, len(alphas) - 1))].to(noisy.device)
    if prediction == "v_prediction":
        clean = level.sqrt() * noisy - (1 - level).sqrt() * predicted
    else:
        clean = (noisy - (1 - level).sqrt() * predicted) / level.sqrt()
    return clean

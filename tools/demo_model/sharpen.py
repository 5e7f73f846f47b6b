"""The last stage of training: the decoder learns to draw small shapes from latents that are slightly off.

The encoder stays as it is, so the denoiser need not learn anything again. The denoiser's latents are near the latents of a drawing, never
equal to them, and a decoder that was only trained on exact latents turns a small star into a dot.
"""

import time
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from inference.demo.words import SHAPES
from tools.demo_model.build import SIDE, pixels
from tools.demo_model.captions import Captioned, captioned, one_object, pair
from tools.demo_model.draw import draw

BATCH, RATE = 12, 4e-4

#: Shapes with parts near the size of a latent position.
FINE = ("star", "ring", "cross")

#: The first seed of this stage's pictures, far from those of the others.
_FIRST_SEED = 500_000

#: Latents are moved by up to this share of their spread.
_MOST_NOISE = 0.4

#: How many times more an object and its surroundings count than the rest; a small object has few pixels.
_STRESS = 8.0


def chosen(rng: Random) -> Captioned:
    """Return the next training picture: mostly single shapes, most of them small, and some of everything else so none is forgotten."""
    kind = rng.random()
    if kind < 0.6:
        names = FINE if kind < 0.3 else SHAPES
        one = one_object(rng, names)
        while kind < 0.45 and one.picture.things[0].size > 0.36:
            one = one_object(rng, names)
        return one
    return pair(rng) if kind < 0.75 else captioned(rng)


def stress(images: Tensor) -> Tensor:
    """Return the weight of each pixel (n, 1, height, width) of images in -1..1: higher if it differs from the corner's colour."""
    differs = (images - images[:, :, :1, :1]).abs().amax(1, keepdim=True) > 0.15
    return 1 + _STRESS * F.max_pool2d(differs.float(), 7, stride=1, padding=3)


def sharpen(vae: AutoencoderKL, steps: int, device: str) -> AutoencoderKL:
    """Train the decoder for a number of steps, and return the autoencoder."""
    vae.to(device).train()
    parts = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimizer = torch.optim.AdamW(parts, lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    spread, began = 1 / vae.config.scaling_factor, time.monotonic()
    for step in range(steps):
        rng = Random(_FIRST_SEED + step)
        drawn = np.stack([np.asarray(draw(chosen(rng).picture, (SIDE, SIDE), rng)) for _ in range(BATCH)])
        wanted = pixels(torch.from_numpy(drawn)).to(device)
        with torch.no_grad():
            codes = vae.encode(wanted).latent_dist.mean
        codes = codes + torch.randn_like(codes) * torch.rand(BATCH, 1, 1, 1, device=device) * _MOST_NOISE * spread
        with torch.autocast(device.split(":")[0], dtype=torch.bfloat16):
            painted = vae.decode(codes).sample
        off, weight = painted.float() - wanted, stress(wanted)
        loss = (weight * (off.abs() + 2 * off.square())).sum() / weight.sum() / 3
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parts, 1.0)
        optimizer.step()
        pace.step()
        if step % 50 == 0:
            print(f"sharpen {step} loss {loss.item():.4f} {time.monotonic() - began:.0f} s", flush=True)
    return vae.eval()
